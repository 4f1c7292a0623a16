import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { planInstances } from '../../src/datapath/configuration.ts';
import { chunksIn } from '../../src/datapath/fragment-store.ts';
import { STORE_OCTETS } from '../../src/datapath/reassembly.ts';
import { ReassemblyGauges } from '../../src/datapath/reassembly-gauges.ts';
import { reassemblyWarnings } from '../../src/datapath/reassembly-warnings.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { AFTR } from '../helpers/engine-case.ts';

/** Sentences about reassembly near its limits, of several AFTRs that share its memory (D69, D135). */
const test = suite('reassembly-warnings');

const aftr = (name: string, threshold: number) => ({
  ...AFTR,
  name,
  reassembly: { 'maximum-packets': 100, 'alarm-threshold': threshold },
});
const plans = planInstances(
  'aftr',
  readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr('early', 30), aftr('late', 90)] } }),
);
const numberOf = (name: string): number => plans.findIndex((plan) => plan.name === name);

function warnings(datagrams: readonly number[], partOfMemory: number): string[] {
  const gauges = new ReassemblyGauges();
  for (const [instance, count] of datagrams.entries()) gauges.addDatagrams(instance, count);
  gauges.chunks = Math.ceil(partOfMemory * chunksIn(STORE_OCTETS));
  return reassemblyWarnings('aftr', plans, numberOf, gauges);
}

/** Datagrams of both AFTRs, part of the memory in use, and how the sentences begin. */
const cases: readonly (readonly [string, readonly number[], number, readonly string[]])[] = [
  ['all is well', [29, 89], 0.29, []],
  ['the one with the lower threshold', [30, 89], 0, ['reassembly of aftr early holds 30 of 100 packets']],
  ['the other', [0, 90], 0, ['reassembly of aftr late holds 90 of 100 packets']],
  [
    'the memory of both warns from the lower threshold on',
    [0, 0],
    0.3,
    ['30 % of the memory for reassembly is in use'],
  ],
  [
    'all at once',
    [100, 100],
    1,
    [
      'reassembly of aftr early holds 100 of 100 packets',
      'reassembly of aftr late holds 100 of 100 packets',
      '100 % of the memory for reassembly is in use',
    ],
  ],
];
for (const [name, datagrams, memory, expected] of cases) {
  test(name, () => {
    assert.equal(
      warnings(datagrams, memory).map((sentence, i) => sentence.slice(0, expected[i]?.length)),
      expected,
    );
  });
}

test.run();

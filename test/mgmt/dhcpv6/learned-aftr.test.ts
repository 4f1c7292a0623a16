/** What a gateway makes of reports, one after the other: which AFTR is used, and what is said of it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6, parseIpv6 } from '../../../src/address.ts';
import { LearnedAftr } from '../../../src/mgmt/dhcpv6/learned-aftr.ts';
import type { LeaseReport } from '../../../src/mgmt/dhcpv6/lease-file.ts';
import type { NameAnswer } from '../../../src/mgmt/dhcpv6/name-lookup.ts';

const test = suite('learned-aftr');
const TIME = new Date('2026-11-27T00:00:00Z');
const [B1, B2, B3, OWN] = ['2001:db8:b::1', '2001:db8:b::2', '2001:db8:b::3', '2001:db8:a::1'];

const ipv6 = (text: string) => parseIpv6(text) ?? new Uint8Array(16);

function containerOf(...addresses: readonly string[]): LeaseReport {
  const parts = addresses.flatMap((text) => [0, 90, 0, 16, ...ipv6(text)]);
  return { kind: 'answer', options: { s46ContLw: Uint8Array.from(parts) }, nameServers: [] };
}

function nameOf(label: string, nameServers: readonly string[] = []): LeaseReport {
  return {
    kind: 'answer',
    options: { aftrName: Uint8Array.from([label.length, ...Buffer.from(label), 0]) },
    nameServers,
  };
}

const NOTHING: LeaseReport = { kind: 'answer', options: {}, nameServers: [] };
const MALFORMED: LeaseReport = { kind: 'answer', options: { s46Br: Uint8Array.of(1) }, nameServers: [] };
const LOST: LeaseReport = { kind: 'lost' };

/** A name server that is asked by hand: questions, and what is to be answered to them in turn. */
class Names {
  readonly asked: string[] = [];
  readonly #waiting: { resolve: (answer: NameAnswer) => void; reject: (error: Error) => void }[] = [];

  readonly lookUp = (name: string, servers: readonly string[]): Promise<NameAnswer> => {
    this.asked.push([name, ...servers].join(' '));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  };

  async answer(...addresses: readonly string[]): Promise<void> {
    this.#waiting.shift()?.resolve({ addresses: addresses.map(ipv6), ttlSeconds: 60 });
    await settled();
  }

  async fail(message: string): Promise<void> {
    this.#waiting.shift()?.reject(new Error(message));
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function withLearned(
  body: (aftr: LearnedAftr, names: Names, changes: () => number) => void | Promise<void>,
  kept?: string,
): Promise<void> {
  const names = new Names();
  let changes = 0;
  const aftr = new LearnedAftr({
    link: 'wan',
    address: kept === undefined ? undefined : ipv6(kept),
    lookUp: names.lookUp,
    objection: (address) => (formatIpv6(address) === OWN ? 'it is our own' : undefined),
    onChange: () => changes++,
  });
  try {
    await body(aftr, names, () => changes);
  } finally {
    aftr.close();
  }
}

/** State, address and problem. */
function told({ state, address, problem }: LearnedAftr): string {
  return [state, address ? formatIpv6(address) : '-', problem].filter(Boolean).join(' ');
}

const BR_FAULT = 'the DHCPv6 answer on wan is not used: OPTION_S46_BR has 1 octets: expected 16, an IPv6 address';
const NO_AFTR = 'the DHCPv6 server of wan tells of no AFTR (options 64, 90 and 96)';
const NO_LEASE = 'the DHCPv6 client of wan has no lease any more';

const sequences: readonly (readonly [
  why: string,
  kept: string | undefined,
  steps: readonly (readonly [LeaseReport, string])[],
])[] = [
  ['an address is used at once', undefined, [[containerOf(B1), `learned ${B1}`]]],
  ['of several, the first', undefined, [[containerOf(B2, B1), `learned ${B2}`]]],
  [
    'the one in use, as long as it is among them',
    undefined,
    [
      [containerOf(B1), `learned ${B1}`],
      [containerOf(B2, B1), `learned ${B1}`],
      [containerOf(B2, B3), `learned ${B2}`],
    ],
  ],
  ['that of an earlier run too', B1, [[containerOf(B2, B1), `learned ${B1}`]]],
  [
    'a malformed answer leaves what is in use, and says so',
    undefined,
    [
      [MALFORMED, `failing - ${BR_FAULT}`],
      [containerOf(B1), `learned ${B1}`],
      [MALFORMED, `failing ${B1} ${BR_FAULT}`],
      [containerOf(B1), `learned ${B1}`],
    ],
  ],
  [
    'an answer that has none takes it away',
    undefined,
    [
      [containerOf(B1), `learned ${B1}`],
      [NOTHING, `waiting - ${NO_AFTR}`],
      [containerOf(B2), `learned ${B2}`],
    ],
  ],
  [
    'a lost lease takes it away, of an earlier run too',
    B1,
    [
      [LOST, `waiting - ${NO_LEASE}`],
      [containerOf(B2), `learned ${B2}`],
      [LOST, `waiting - ${NO_LEASE}`],
    ],
  ],
  ['a file that cannot be read changes nothing', B1, [[{ kind: 'unreadable', problem: 'no' }, `failing ${B1} no`]]],
  [
    'an address of our own is passed over; alone it is refused',
    undefined,
    [
      [containerOf(OWN, B1), `learned ${B1}`],
      [containerOf(OWN), `failing ${B1} it is our own`],
    ],
  ],
];

for (const [why, kept, steps] of sequences) {
  test(why, () =>
    withLearned((aftr) => {
      for (const [report, expected] of steps) {
        aftr.take(report, TIME);
        assert.is(told(aftr), expected);
      }
    }, kept),
  );
}

test('before anything is told: what an earlier run learned is in use', () =>
  withLearned((aftr) => assert.is(told(aftr), `waiting ${B1} the DHCPv6 client of wan has told nothing yet`), B1));

test('a name: asked for with the servers that were told with it; of its addresses the least, whatever their order', () =>
  withLearned(async (aftr, names) => {
    aftr.take(nameOf('aftr', ['2001:db8::53']), TIME);
    assert.is(told(aftr).split(' ')[0], 'resolving');
    assert.equal(names.asked, ['aftr 2001:db8::53']);
    await names.answer(B2, B1);
    assert.is(told(aftr), `learned ${B1}`);
    assert.equal([aftr.toldBy, aftr.name], ['aftr-name', 'aftr']);
  }));

test('a name that is told again: the address in use stays where it is among them', () =>
  withLearned(async (aftr, names) => {
    aftr.take(nameOf('aftr'), TIME);
    await names.answer(B2);
    aftr.take(nameOf('aftr'), TIME);
    assert.is(told(aftr), `learned ${B2}`, 'also while it is asked for');
    await names.answer(B1, B2);
    assert.is(told(aftr), `learned ${B2}`);
    aftr.take(nameOf('aftr'), TIME);
    await names.answer(B3, B1);
    assert.is(told(aftr), `learned ${B1}`);
  }));

test('a name without address: the AFTR before stays, and it is said what fails', () =>
  withLearned(async (aftr, names) => {
    aftr.take(containerOf(B1), TIME);
    aftr.take(nameOf('other'), TIME);
    await names.fail('queryAaaa ENOTFOUND other');
    assert.is(told(aftr), `failing ${B1} AFTR other has no address: queryAaaa ENOTFOUND other`);
    aftr.take(nameOf('other'), TIME);
    await names.answer('fe80::1');
    assert.match(told(aftr), `failing ${B1} fe80::1 cannot be a tunnel endpoint`);
    aftr.take(nameOf('other'), TIME);
    await names.answer('fe80::1', B2);
    assert.is(told(aftr), `learned ${B2}`);
  }));

test('an answer of a name server that comes when another report has come is for nobody', () =>
  withLearned(async (aftr, names, changes) => {
    aftr.take(nameOf('late'), TIME);
    aftr.take(LOST, TIME);
    const before = changes();
    await names.answer(B1);
    assert.equal([told(aftr), changes()], [`waiting - ${NO_LEASE}`, before]);
    aftr.take(nameOf('late'), TIME);
    aftr.take(containerOf(B2), TIME);
    await names.fail('no');
    assert.is(told(aftr), `learned ${B2}`);
  }));

test.run();

/**
 * Runs one bench: `npm run bench -- NAME [--json FILE]`. The file holds { machine, commit, results }, machine with the load before the
 * run, commit with `-dirty` behind it when it was not that alone; what stands on the screen is a line for each result, or the bench's own
 * table.
 *
 *   change     forwarding while a thousand bindings change a second, and beside nine tenths of junk (root; [--bindings N]
 *              [--seconds S] [--rounds N])
 *   cores      two queues on two cores beside one on one (root; [--rounds N])
 *   datapath   the engine in memory beside the same work in C++: packets a second at 1,000 and 1,000,000 bindings
 *   dynamic    routes that gateways advertise: 100,000 from one, 1,000 gateways, a flap under traffic, from kernel to
 *              forwarding (root; [--parts NAME,NAME] of one, flap, kernel, many)
 *   gate       the engine's share of the rate of C++ beside the recorded one, as the tests look at it ([--record]: writes that one)
 *   hostile    good packets beside hostile ones through a TUN device, kind by kind (root; [--kinds NAME,NAME])
 *   latency    a single packet through idle gateway and AFTR and back, beside an engine in C++ and kernel forwarding (root; [--rounds N])
 *   netconf    NETCONF over SSH: sessions and small RPCs beside a bare subsystem of the same library, idle sessions (root)
 *   offloads   TCP and UDP through gateway and AFTR with and without offloads, beside an engine in C++, the kernel's
 *              own tunnel and plain forwarding (root; [--seconds S] [--rounds N])
 *   restconf   RESTCONF: reads and writes of one binding and reads of pages beside a bare handler of the same HTTP stack (root)
 *   rfc8219    an AFTR, a gateway and both in namespaces: throughput without loss and latency, thirteen frame sizes (root;
 *              [--seconds S] [--gateways N,N] [--sizes N,N] [--strict] [--svg FILE])
 *   start      from the start of the program on a full store until it forwards (root; [--bindings N] [--rounds N])
 *   state      configuration through the faces of a running instance: edits, bulk loads, reads, memory (root; [--bindings N])
 *   tun        the engine on a TUN device beside a bare C++ loop that reads each packet and writes it back (root; [--rounds N])
 */

import { writeFileSync } from 'node:fs';
import { commit, machine } from './bench/machine.ts';
import type { BenchResult } from './bench/results.ts';
import type { Options } from './usage.ts';
import {
  namesOf,
  optionsIn,
  requireRoot,
  requireWritable,
  runTool,
  UsageError,
  wholeNumberOf,
  wholeNumbersOf,
} from './usage.ts';

interface Report {
  readonly results: readonly BenchResult[];
  readonly text: string;
}

const JSON_FILE = { json: { type: 'string' } } as const;
const TEXT = { type: 'string' } as const;
const [MIN_BINDINGS, MAX_BINDINGS] = [1_000, 4_000_000];
const [MAX_SECONDS, MAX_ROUNDS] = [600, 1_000];

/** Each takes its options. */
const BENCHES: Readonly<Record<string, (words: readonly string[]) => Promise<Report>>> = {
  change: async (words) => {
    const { bindings, seconds = '5', rounds = '3' } = valuesIn(words, { bindings: TEXT, seconds: TEXT, rounds: TEXT });
    const { benchChange, CHANGE_BINDINGS } = await import('./bench/change.ts');
    const asked = bindingsOf(bindings ?? `${CHANGE_BINDINGS}`);
    const [length, count] = [secondsOf(seconds), roundsOf(rounds)];
    requireRoot('bench change');
    return listed(await benchChange(asked, length, count));
  },
  cores: async (words) => {
    const { rounds } = valuesIn(words, { rounds: TEXT });
    const { benchCores, CORES_ROUNDS } = await import('./bench/cores.ts');
    const count = roundsOf(rounds ?? `${CORES_ROUNDS}`);
    requireRoot('bench cores');
    return listed(await benchCores(count));
  },
  datapath: async (words) => {
    valuesIn(words, {});
    return listed(await (await import('./bench/datapath.ts')).benchDatapath());
  },
  dynamic: async (words) => {
    const { parts } = valuesIn(words, { parts: TEXT });
    const { benchDynamic, DYNAMIC_PARTS } = await import('./bench/dynamic.ts');
    const wanted = parts === undefined ? DYNAMIC_PARTS : namesOf('parts', parts, DYNAMIC_PARTS);
    requireRoot('bench dynamic');
    return listed(await benchDynamic(wanted));
  },
  gate: async (words) => {
    const { record } = valuesIn(words, { record: { type: 'boolean' } });
    const { benchGate, recordGate } = await import('./bench/gate.ts');
    return listed(await (record ? recordGate() : benchGate()));
  },
  hostile: async (words) => {
    const { kinds } = valuesIn(words, { kinds: TEXT });
    const { hostileKinds } = await import('./bench/hostile-kinds.ts');
    const names = hostileKinds().map(({ name }) => name);
    const wanted = kinds === undefined ? names : namesOf('kinds', kinds, names);
    requireRoot('bench hostile');
    return listed(await (await import('./bench/hostile.ts')).benchHostile(wanted));
  },
  latency: async (words) => {
    const { rounds } = valuesIn(words, { rounds: TEXT });
    const { benchLatency, LATENCY_ROUNDS } = await import('./bench/latency.ts');
    const count = roundsOf(rounds ?? `${LATENCY_ROUNDS}`);
    requireRoot('bench latency');
    return listed(await benchLatency(count));
  },
  netconf: async (words) => {
    valuesIn(words, {});
    requireRoot('bench netconf');
    return listed(await (await import('./bench/netconf.ts')).benchNetconf());
  },
  offloads: async (words) => {
    const { seconds = '2', rounds = '5' } = valuesIn(words, { seconds: TEXT, rounds: TEXT });
    const [length, count] = [secondsOf(seconds), roundsOf(rounds)];
    requireRoot('bench offloads');
    return listed(await (await import('./bench/offloads.ts')).benchOffloads(length, count));
  },
  restconf: async (words) => {
    valuesIn(words, {});
    requireRoot('bench restconf');
    return listed(await (await import('./bench/restconf.ts')).benchRestconf());
  },
  rfc8219: async (words) => (await import('./bench/rfc8219.ts')).benchRfc8219(words),
  start: async (words) => {
    const { bindings, rounds = '3' } = valuesIn(words, { bindings: TEXT, rounds: TEXT });
    const { benchStart, START_BINDINGS } = await import('./bench/start.ts');
    const [asked, count] = [bindingsOf(bindings ?? `${START_BINDINGS}`), roundsOf(rounds)];
    requireRoot('bench start');
    return listed(await benchStart(asked, count));
  },
  state: async (words) => {
    const { bindings } = valuesIn(words, { bindings: TEXT });
    const sizes = bindings === undefined ? undefined : wholeNumbersOf('bindings', bindings, MIN_BINDINGS, MAX_BINDINGS);
    requireRoot('bench state');
    return listed(await (await import('./bench/state.ts')).benchState(sizes));
  },
  tun: async (words) => {
    const { rounds } = valuesIn(words, { rounds: TEXT });
    const { benchTun, TUN_ROUNDS } = await import('./bench/tun.ts');
    const count = roundsOf(rounds ?? `${TUN_ROUNDS}`);
    requireRoot('bench tun');
    return listed(await benchTun(count));
  },
};

/** Options of a bench beside --json. @throws UsageError as optionsIn, and when the file cannot be written */
function valuesIn<const T extends Options>(words: readonly string[], more: T): ReturnType<typeof optionsIn<T>> {
  const values = optionsIn(words, { ...JSON_FILE, ...more });
  requireWritable('json', (values as { readonly json?: string }).json);
  return values;
}

function bindingsOf(text: string): number {
  return wholeNumberOf('bindings', text, MIN_BINDINGS, MAX_BINDINGS);
}

function secondsOf(text: string): number {
  return wholeNumberOf('seconds', text, 1, MAX_SECONDS);
}

function roundsOf(text: string): number {
  return wholeNumberOf('rounds', text, 1, MAX_ROUNDS);
}

function listed(results: readonly BenchResult[]): Report {
  const lines = results.map(({ id, value, unit, target, met }) => {
    const aim = target === null ? '' : `  target ${target}: ${verdictOf(met)}`;
    return `${id.padEnd(44)} ${String(Number(value.toPrecision(4))).padStart(10)} ${unit}${aim}\n`;
  });
  return { results, text: lines.join('') };
}

function verdictOf(met: boolean | null): string {
  if (met === null) return 'not judged';
  return met ? 'met' : 'missed';
}

async function main([name = '', ...words]: readonly string[]): Promise<void> {
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (!bench) {
    const names = Object.keys(BENCHES).join(', ');
    throw new UsageError(`usage: npm run bench -- NAME [--json FILE], NAME being one of ${names}`);
  }
  const about = { machine: machine(), commit: commit() };
  const { results, text } = await bench(words);
  process.stdout.write(text);
  const at = words.findIndex((word) => /^--json(=|$)/.test(word));
  if (at < 0) return;
  const file = words[at]?.split('=').slice(1).join('=') || words[at + 1] || '';
  writeFileSync(file, `${JSON.stringify({ ...about, results }, undefined, 2)}\n`);
}

await runTool(() => main(process.argv.slice(2)));

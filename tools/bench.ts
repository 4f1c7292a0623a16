/**
 * Runs one bench: `npm run bench -- NAME [--json FILE]`. The file holds { machine, commit, results }, machine with the load before the
 * run, commit with `-dirty` behind it when it was not that alone; what stands on the screen is a line for each result, or the bench's own
 * table.
 *
 *   change     forwarding while a thousand bindings change a second, and beside nine tenths of junk (root; [--bindings N]
 *              [--seconds S] [--rounds N])
 *   cores      two queues on two cores beside one on one (root)
 *   datapath   the engine in memory beside the same work in C++: packets a second at 1,000 and 1,000,000 bindings
 *   dynamic    routes that gateways advertise: 100,000 from one, 1,000 gateways, a flap under traffic, from kernel to
 *              forwarding (root; [--parts NAME,NAME] of one, flap, kernel, many)
 *   gate       the engine's share of the rate of C++ beside the recorded one, as the tests look at it ([--record]: writes that one)
 *   hostile    good packets beside hostile ones through a TUN device, kind by kind (root; [--kinds NAME,NAME])
 *   latency    a single packet through idle gateway and AFTR and back, beside an engine in C++ and kernel forwarding (root)
 *   netconf    NETCONF over SSH: sessions and small RPCs beside a bare subsystem of the same library, idle sessions (root)
 *   offloads   TCP and UDP through gateway and AFTR with and without offloads, beside an engine in C++, the kernel's
 *              own tunnel and plain forwarding (root; [--seconds S] [--rounds N])
 *   restconf   RESTCONF: reads and writes of one binding and reads of pages beside a bare handler of the same HTTP stack (root)
 *   rfc8219    an AFTR, a gateway and both in namespaces: throughput without loss and latency, thirteen frame sizes (root;
 *              [--seconds S] [--gateways N,N] [--sizes N,N] [--strict] [--svg FILE])
 *   start      from the start of the program on a full store until it forwards (root; [--bindings N] [--rounds N])
 *   state      configuration through the faces of a running instance: edits, bulk loads, reads, memory (root; [--bindings N])
 *   tun        the engine on a TUN device beside a bare C++ loop that reads each packet and writes it back (root)
 */

import { writeFileSync } from 'node:fs';
import { commit, machine } from './bench/machine.ts';
import type { BenchResult } from './bench/results.ts';
import { optionsIn, requireWritable, runTool, UsageError, wholeNumbersOf } from './usage.ts';

interface Report {
  readonly results: readonly BenchResult[];
  readonly text: string;
}

const JSON_FILE = { json: { type: 'string' } } as const;
const MIN_BINDINGS = 1_000;
const MAX_BINDINGS = 4_000_000;

/** Each takes its options. */
const BENCHES: Readonly<Record<string, (words: readonly string[]) => Promise<Report>>> = {
  change: async (words) => {
    const text = { type: 'string' } as const;
    const { json, ...more } = optionsIn(words, { ...JSON_FILE, bindings: text, seconds: text, rounds: text });
    requireWritable('json', json);
    const { benchChange, CHANGE_BINDINGS } = await import('./bench/change.ts');
    const asked = more.bindings ?? `${CHANGE_BINDINGS}`;
    const [bindings = 0] = wholeNumbersOf('bindings', asked, MIN_BINDINGS, MAX_BINDINGS);
    const [seconds = 0] = wholeNumbersOf('seconds', more.seconds ?? '5', 1, 600);
    const [rounds = 0] = wholeNumbersOf('rounds', more.rounds ?? '3', 1, 1_000);
    return listed(await benchChange(bindings, seconds, rounds));
  },
  cores: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/cores.ts')).benchCores());
  },
  datapath: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/datapath.ts')).benchDatapath());
  },
  dynamic: async (words) => {
    const { json, parts } = optionsIn(words, { ...JSON_FILE, parts: { type: 'string' } });
    requireWritable('json', json);
    const { benchDynamic, DYNAMIC_PARTS } = await import('./bench/dynamic.ts');
    const names = parts?.split(',');
    const wanted = names ? DYNAMIC_PARTS.filter((part) => names.includes(part)) : DYNAMIC_PARTS;
    if (names && wanted.length !== names.length) throw new UsageError(`--parts takes ${DYNAMIC_PARTS.join(', ')}`);
    return listed(await benchDynamic(wanted));
  },
  gate: async (words) => {
    const { json, record } = optionsIn(words, { ...JSON_FILE, record: { type: 'boolean' } });
    requireWritable('json', json);
    const { benchGate, recordGate } = await import('./bench/gate.ts');
    return listed(await (record ? recordGate() : benchGate()));
  },
  hostile: async (words) => {
    const { json, kinds } = optionsIn(words, { ...JSON_FILE, kinds: { type: 'string' } });
    requireWritable('json', json);
    return listed(await (await import('./bench/hostile.ts')).benchHostile(kinds?.split(',')));
  },
  latency: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/latency.ts')).benchLatency());
  },
  netconf: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/netconf.ts')).benchNetconf());
  },
  offloads: async (words) => {
    const text = { type: 'string' } as const;
    const { json, seconds = '2', rounds = '5' } = optionsIn(words, { ...JSON_FILE, seconds: text, rounds: text });
    requireWritable('json', json);
    const [length = 0] = wholeNumbersOf('seconds', seconds, 1, 600);
    const [count = 0] = wholeNumbersOf('rounds', rounds, 1, 1_000);
    return listed(await (await import('./bench/offloads.ts')).benchOffloads(length, count));
  },
  restconf: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/restconf.ts')).benchRestconf());
  },
  rfc8219: async (words) => (await import('./bench/rfc8219.ts')).benchRfc8219(words),
  start: async (words) => {
    const text = { type: 'string' } as const;
    const { json, ...more } = optionsIn(words, { ...JSON_FILE, bindings: text, rounds: text });
    requireWritable('json', json);
    const { benchStart, START_BINDINGS } = await import('./bench/start.ts');
    const asked = more.bindings ?? `${START_BINDINGS}`;
    const [bindings = 0] = wholeNumbersOf('bindings', asked, MIN_BINDINGS, MAX_BINDINGS);
    const [rounds = 0] = wholeNumbersOf('rounds', more.rounds ?? '3', 1, 1_000);
    return listed(await benchStart(bindings, rounds));
  },
  state: async (words) => {
    const { json, bindings } = optionsIn(words, { ...JSON_FILE, bindings: { type: 'string' } });
    requireWritable('json', json);
    const sizes = bindings === undefined ? undefined : wholeNumbersOf('bindings', bindings, MIN_BINDINGS, MAX_BINDINGS);
    return listed(await (await import('./bench/state.ts')).benchState(sizes));
  },
  tun: async (words) => {
    requireWritable('json', optionsIn(words, JSON_FILE).json);
    return listed(await (await import('./bench/tun.ts')).benchTun());
  },
};

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

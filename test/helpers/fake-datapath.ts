/** A datapath on the control socket of a management process that answers as told, and notes what it was asked. */

import { BINDING_COUNTERS } from '../../src/control.ts';
import type { ControlHandlers } from '../../src/datapath/control-server.ts';
import { ControlServer } from '../../src/datapath/control-server.ts';

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
export const SINCE = '2026-11-26T12:00:00.000Z';

export interface FakeDatapath {
  /** How many bindings each question for counters was about, since the last call. */
  takeQuestions(): number[];
  /** Gateways that were asked for since the last call. */
  takeGateways(): (readonly string[] | undefined)[];
  close(): Promise<void>;
}

/** Of a binding whose address ends in 13 it knows nothing; the counters of all others come from the address. */
export async function startFakeDatapath(runDir: string): Promise<FakeDatapath> {
  let questions: number[] = [];
  let gateways: (readonly string[] | undefined)[] = [];
  const handlers: ControlHandlers = {
    end: () => undefined,
    status: async () => ({
      pid: process.pid,
      version: 1_000_000,
      contentHash: '',
      bindings: 0,
      capacity: 10,
      startedAt: SINCE,
      problems: [],
    }),
    counters: () => [],
    learned: () => [{ role: 'aftr', name: 'a', pathMtus: [{ remote: '2001:db8::2', mtu: 1400 }] }],
    observe: () => ({ instances: [], reassemblyMemory: { gateway: 0, aftr: 0 }, violations: [] }),
    bindingCounters: (_aftr, keys) => {
      questions.push(keys.length);
      return Float64Array.from([...keys].flatMap(figuresOf));
    },
    softwires: (asked) => {
      gateways.push(asked);
      return [{ name: 'a', softwires: (asked ?? ['2001:db8::1', '2001:db8::2']).map(softwire) }];
    },
    clearStatistics: () => true,
    trace: () => undefined,
    watch: () => ({ packets: [], missed: 0 }),
    prepare: async () => [],
    apply: async (version) => ({ version }),
  };
  const server = await ControlServer.listen(runDir, handlers, QUIET);
  return {
    takeQuestions: () => {
      const taken = questions;
      questions = [];
      return taken;
    },
    takeGateways: () => {
      const taken = gateways;
      gateways = [];
      return taken;
    },
    close: () => server.close(),
  };
}

function figuresOf(key: number): number[] {
  const last = Math.floor(key / 64) & 255;
  if (last === 13) return new Array<number>(BINDING_COUNTERS).fill(Number.NaN);
  return [Date.parse(SINCE), last, 100 * last, 2 ** 40 + last, 2 ** 50 + last];
}

function softwire(remote: string) {
  const traffic = { encapsulatedPackets: 1, encapsulatedOctets: 2, decapsulatedPackets: 3, decapsulatedOctets: 4 };
  const violations = { packets: 5, octets: 6 };
  const lastViolation = { timeMs: Date.parse(SINCE), ipv4Source: '192.0.2.9' };
  return { remote, bindings: 7, counters: { sinceMs: Date.parse(SINCE), ...traffic, violations, lastViolation } };
}

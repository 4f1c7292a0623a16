/**
 * Bench of dynamic configuration (row D127), as root. One AFTR in a network namespace of its own; its route sources are the
 * advertisers of the program in this process, over HTTPS, and in the end a gateway of the program in another namespace.
 *
 *   - 10,000, 100,000 and 1,000,000 routes from one gateway: from nothing until all are accepted, which is durable and forwarded by;
 *     then all of them read, while others ask for one leaf again and again, and a page from their middle
 *   - 1,000 gateways with 100 routes each, all at once. The AFTR has room for them all: the limits of its connections are raised,
 *     or gateways without room would try again later, and that wait be measured
 *   - a gateway whose 1,000 routes come or go once a second, for a minute, beside packets to stable routes
 *   - from a route in the kernel of the gateway to the first packet that the AFTR forwards by it, without others and beside 100,000
 *
 * Baselines of the same run: as many bindings in one PUT, and packets to stable routes while nothing changes.
 */

import { pino } from 'pino';
import { parseIpv4Prefix } from '../../src/address.ts';
import { Advertiser } from '../../src/mgmt/routes/advertiser.ts';
import { AftrClient } from '../../src/mgmt/routes/aftr-client.ts';
import { shaCrypt } from '../../src/sha-crypt.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import { fingerprintOf, KernelGateway } from './dynamic-gateway.ts';
import { enterOwnNetwork, Instance, sleep } from './instance.ts';
import type { BenchResult } from './results.ts';
import { result } from './results.ts';
import { prefixesOf, tableJson } from './tables.ts';
import { Traffic } from './traffic.ts';

const ROUTES = 100_000;
const FEW_ROUTES = 10_000;
const MOST_ROUTES = 1_000_000;
const GATEWAYS = 1_000;
const LIMITS = [`connections=${2 * GATEWAYS}`, `unauthenticated=${2 * GATEWAYS}`];
const FLAPPING = 1_000;
const FLAP_SECONDS = 60;
const RATE = 2_000;
/** Before the flap, for comparison. */
const STILL_MS = 15_000;
const CHANGES = 50;
const PASSWORD = 'bench';
/** In AFTR `edge`: what is stable under the flap, and what flaps. */
const STABLE_FIRST = 0x10_00_00_00;
const FLAP_FIRST = 0x11_00_00_00;
const AFTR = '/restconf/data/gi-4over6:softwire/aftr=edge';
const LONGEST_MS = 240_000;
/** What others ask for. */
const SMALL =
  '<get-config><source><running/></source><filter><softwire xmlns="urn:gi-4over6"><aftr><name/></aftr></softwire></filter></get-config>';
const QUIET = pino({ level: 'silent' });

/** In their order: the many come last, since one that cannot take leave in time leaves routes behind. */
export const DYNAMIC_PARTS = ['one', 'million', 'flap', 'kernel', 'many'] as const;
export type DynamicPart = (typeof DYNAMIC_PARTS)[number];

/** Runs parts of the bench, some minutes. Never returns outside its own namespace. */
export async function benchDynamic(parts: readonly DynamicPart[] = DYNAMIC_PARTS): Promise<BenchResult[]> {
  enterOwnNetwork();
  const gateway = new KernelGateway();
  const aftr = await Instance.start(
    `/tmp/gi4over6-bench-${process.pid}`,
    [],
    ['127.0.0.1', gateway.aftrAddress],
    [...LIMITS.flatMap((limit) => ['--restconf-limit', limit])],
  );
  const bench = new DynamicBench(aftr);
  try {
    await bench.configure();
    const work: Readonly<Record<DynamicPart, () => Promise<void>>> = {
      one: async () => {
        await bench.baseline();
        for (const routes of [FEW_ROUTES, ROUTES]) await bench.oneGateway(routes);
      },
      million: () => bench.oneGateway(MOST_ROUTES),
      flap: () => bench.flap(),
      kernel: () => bench.kernelChanges(gateway),
      many: () => bench.manyGateways(),
    };
    for (const part of parts) await work[part]();
    return bench.results;
  } finally {
    await gateway.stop();
    await aftr.stop();
  }
}

class DynamicBench {
  readonly results: BenchResult[] = [];
  readonly #aftr: Instance;
  readonly #fingerprint: string;
  readonly #hash = shaCrypt(PASSWORD, '$6$rounds=1000$bench');

  constructor(aftr: Instance) {
    this.#aftr = aftr;
    this.#fingerprint = fingerprintOf(aftr.dir);
  }

  #result(id: string, value: number, unit: string, target: number | null = null): void {
    process.stderr.write(`${id} ${value.toFixed(2)} ${unit}\n`);
    this.results.push(result(id, value, unit, 'at most', target));
  }

  async configure(): Promise<void> {
    const sources = Array.from({ length: GATEWAYS }, (_, index) => this.#source(`g${index}`, gatewayOf(index)));
    const edge = {
      name: 'edge',
      'ipv6-address': '2001:db8:b::1',
      'ipv4-address': '203.0.113.1',
      'ipv4-pool': ['16.0.0.0/4'],
      'route-source': [...sources, this.#source('rack', KernelGateway.TUNNEL)],
    };
    await this.#aftr.restconf('PATCH', AFTR, JSON.stringify({ 'gi-4over6:aftr': [edge] })).catch(async () => {
      const softwire = JSON.stringify({ 'gi-4over6:softwire': { aftr: [edge] } });
      await this.#aftr.restconf('PATCH', '/restconf/data/gi-4over6:softwire', softwire);
    });
    await this.#aftr.waitUntilApplied();
  }

  #source(name: string, gateway: string) {
    const rights = { 'allowed-prefix': ['16.0.0.0/4'], 'maximum-routes': MOST_ROUTES, 'hold-time': 300 };
    return { name, 'gateway-ipv6-address': gateway, password: this.#hash, ...rights };
  }

  async baseline(): Promise<void> {
    const table = tableJson(prefixesOf('dense', ROUTES), 0);
    const tookMs = await timed(async () => {
      await this.#aftr.restconf('PUT', `${AFTR}/binding-table`, table);
      await this.#aftr.waitUntilApplied();
    });
    this.#result(`dynamic.put.${ROUTES}`, tookMs, 'ms');
    await this.#aftr.restconf('PUT', `${AFTR}/binding-table`, '{"gi-4over6:binding-table":{}}');
    await this.#aftr.waitUntilApplied();
  }

  async oneGateway(count: number): Promise<void> {
    const routes = numbersOf(prefixesOf('dense', count));
    const begun = performance.now();
    const [advertiser] = this.#advertise([[0, routes]]);
    if (!advertiser) throw new Error('nothing advertises');
    await whole([[advertiser, routes]]);
    this.#result(`dynamic.one-gateway.${count}`, performance.now() - begun, 'ms');
    const list = `${AFTR}/route-source=g0/learned-route`;
    const reading = timed(() => this.#aftr.restconf('GET', list, '', 200));
    const [readMs, longestMs] = await this.#longestBeside(reading);
    this.#result(`dynamic.one-gateway.read.${count}`, readMs, 'ms');
    this.#result(`dynamic.one-gateway.read.others.${count}`, longestMs, 'ms');
    const page = () => this.#aftr.restconf('GET', `${list}?limit=100&offset=${count / 2}`, '', 200);
    this.#result(`dynamic.one-gateway.read.page.${count}`, await timed(page), 'ms');
    this.#result(`dynamic.one-gateway.withdrawal.${count}`, await timed(() => advertiser.end(LONGEST_MS)), 'ms');
  }

  /** What a work comes to, and the longest time that others waited for an answer meanwhile. */
  async #longestBeside(work: Promise<number>): Promise<readonly [number, number]> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    let longestMs = 0;
    while (!isDone) {
      longestMs = Math.max(longestMs, await timed(() => this.#aftr.netconf(SMALL)));
    }
    return [await done, longestMs];
  }

  async manyGateways(): Promise<void> {
    const all = prefixesOf('dense', ROUTES);
    const each = ROUTES / GATEWAYS;
    const parts = Array.from({ length: GATEWAYS }, (_, index) => {
      return [index, numbersOf(all.slice(index * each, (index + 1) * each))] as const;
    });
    const begun = performance.now();
    const advertisers = this.#advertise(parts);
    await whole(advertisers.map((advertiser, index) => [advertiser, parts[index]?.[1] ?? new Set()]));
    this.#result(`dynamic.${GATEWAYS}-gateways.${ROUTES}`, performance.now() - begun, 'ms');
    await Promise.all(advertisers.map((advertiser) => advertiser.end(LONGEST_MS)));
  }

  /** Withdrawn with one change, advertised with the next: each must be known to the AFTR before. */
  async flap(): Promise<void> {
    const stable = numbersOf(prefixesOf('dense', ROUTES));
    const flapping = new Set(Array.from({ length: FLAPPING }, (_, index) => prefixNumber(FLAP_FIRST + index, 32)));
    const [steady, restless] = this.#advertise([
      [0, stable],
      [1, flapping],
    ]);
    if (!steady || !restless) throw new Error('nothing advertises');
    await whole([
      [steady, stable],
      [restless, flapping],
    ]);
    const traffic = new Traffic(STABLE_FIRST, 1_000);
    await traffic.ready();
    const still = await traffic.during(RATE, () => sleep(STILL_MS));
    this.#result('dynamic.still.packets-lost', (100 * (still.sent - still.received)) / still.sent, '%');
    const latencies: number[] = [];
    const { sent, received } = await traffic.during(RATE, async () => {
      const begun = performance.now();
      for (let second = 1; second <= FLAP_SECONDS; second++) {
        const changed = performance.now();
        const isGone = second % 2 === 1;
        restless.set(isGone ? new Set() : flapping);
        await until(() =>
          isGone ? restless.verdicts().length === 0 && restless.isSettled : isAccepted(restless, flapping),
        );
        latencies.push(performance.now() - changed);
        await sleep(begun + 1_000 * second - performance.now());
      }
    });
    this.#result('dynamic.flap.packets-lost', (100 * (sent - received)) / sent, '%', 0);
    this.#quantiles('dynamic.flap.change', latencies);
    await Promise.all([steady.end(LONGEST_MS), restless.end(LONGEST_MS)]);
  }

  async kernelChanges(gateway: KernelGateway): Promise<void> {
    await gateway.start(PASSWORD, this.#fingerprint);
    this.#quantiles('dynamic.kernel-to-forwarding', await gateway.changes(CHANGES), 1_000);
    await gateway.fill(ROUTES);
    this.#quantiles(`dynamic.kernel-to-forwarding.${ROUTES}`, await gateway.changes(CHANGES), 1_000);
  }

  #quantiles(id: string, values: readonly number[], target: number | null = null): void {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
    this.#result(`${id}.p50`, at(0.5), 'ms');
    this.#result(`${id}.p99`, at(0.99), 'ms', target);
  }

  #advertise(parts: readonly (readonly [index: number, routes: ReadonlySet<number>])[]): Advertiser[] {
    const url = `https://127.0.0.1:${this.#aftr.restconfPort}/restconf`;
    return parts.map(([index, routes]) => {
      const identity = { clientName: `g${index}`, password: PASSWORD, clientCertificate: undefined };
      const target = { name: 'edge', url, ...identity, serverCertificateFingerprint: this.#fingerprint };
      const none = { key: Buffer.alloc(0), cert: Buffer.alloc(0) };
      // Attempts of one address wait for each other where a password was wrong or could not be looked at.
      const client = new AftrClient(target, none, `127.1.${index >> 8}.${index & 255}`);
      const log = (message: string) => QUIET.info(message);
      return new Advertiser({ gateway: gatewayOf(index), client, onAnswer: () => undefined, log }, routes, []);
    });
  }
}

function gatewayOf(index: number): string {
  return `2001:db8:a:${index.toString(16)}::1`;
}

function numbersOf(prefixes: readonly string[]): Set<number> {
  return new Set(
    prefixes.map((text) => {
      const prefix = parseIpv4Prefix(text);
      if (!prefix) throw new Error(`${text} is no prefix`);
      return prefixNumber(prefix.address, prefix.length);
    }),
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Until the AFTR has accepted all routes. @throws Error after four minutes */
async function whole(all: readonly (readonly [Advertiser, ReadonlySet<number>])[]): Promise<void> {
  const waiting = new Set(all);
  await until(() => {
    for (const one of waiting) if (one[0].state === 'established' && isAccepted(...one)) waiting.delete(one);
    return waiting.size === 0;
  });
}

function isAccepted(advertiser: Advertiser, routes: ReadonlySet<number>): boolean {
  for (const number of routes) if (!advertiser.isAccepted(number)) return false;
  return true;
}

async function until(isSo: () => boolean): Promise<void> {
  const begun = performance.now();
  while (!isSo()) {
    if (performance.now() - begun > LONGEST_MS) throw new Error('the AFTR does not know the routes after four minutes');
    await sleep(2);
  }
}

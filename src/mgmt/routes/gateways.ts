/**
 * The gateways of this device that inform AFTRs: what each advertises follows the configuration and the kernel, and what is
 * accepted of the kernel's routes is a row of the gateway's operational table, by which the datapath serves it.
 */

import { formatIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import { encodeBinding } from '../../state/binding.generated.ts';
import type { Learning, LearningStore, SharedLearning } from '../../state/learned/learning.ts';
import { isInformed, servedTable } from '../../state/learned/tables.ts';
import type { Gateway, Softwire, Target } from '../../state/model.generated.ts';
import { RowOverlay } from '../../state/overlay.ts';
import type { Caller } from '../../state/request.ts';
import { formatNumber, prefixNumber } from '../../state/rows.ts';
import type { Announced } from '../bgp/exporter.ts';
import type { KernelRoute } from './advertised.ts';
import { advertisedRoutes } from './advertised.ts';
import type { AdvertiserParts } from './advertiser.ts';
import { Advertiser } from './advertiser.ts';
import type { TargetSight } from './route-alarms.ts';

const END_MS = 2_000;
const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

type Json = Readonly<Record<string, unknown>>;

interface Informed {
  /** What the advertiser was made for. */
  readonly made: string;
  /** What its client was made for. */
  proof: string;
  readonly advertiser: Advertiser;
}

/** The way over BGP: the routes of a gateway, and whether they have been told to a neighbor. */
export interface BgpWay {
  readonly announce: (gateway: string, announced: Announced | undefined) => void;
  readonly isTold: (gateway: string) => boolean;
}

export interface GatewayParts {
  readonly bgp: BgpWay;
  readonly store: LearningStore;
  readonly softwire: () => Softwire;
  /** Talks to the AFTR of a target. */
  readonly clientFor: (target: Target) => AdvertiserParts['client'];
  readonly log: Log;
  /** Follows the kernel; called once there is something to advertise. What it returns ends it. */
  readonly watch: (onRoutes: (routes: readonly KernelRoute[]) => void) => () => void;
}

export class AdvertisingGateways {
  readonly #parts: GatewayParts;
  /** By gateway and target. */
  readonly #informed = new Map<string, Map<string, Informed>>();
  /** What is in the operational tables, by gateway. */
  readonly #served = new Map<string, ReadonlySet<number>>();
  #kernel: readonly KernelRoute[] | undefined;
  #unwatch: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const work: Learning['work'] = async (base, softwire) => {
      for (const { name } of softwire.gateway) {
        const rows = Array.from(base.sealedRows(servedTable(name)), ({ number }) => number);
        this.#served.set(name, new Set(rows));
      }
      return { overlay: new RowOverlay(), done: () => undefined };
    };
    await this.#parts.store.learn({ caller: SYSTEM, comment: 'served prefixes', work });
    this.follow();
  }

  /** Brings everything to the configuration as it is now. */
  follow(): void {
    if (this.#isClosed) return;
    // Without an AFTR, one that learns it forwards nothing and attracts nothing.
    const { gateway: configured } = this.#parts.softwire();
    const gateways = configured.filter((gateway) => isInforming(gateway) && gateway.aftrIpv6Address !== undefined);
    if (gateways.length > 0) this.#unwatch ??= this.#parts.watch((routes) => this.#setKernel(routes));
    else this.#stopWatching();
    for (const [name, targets] of this.#informed) {
      if (gateways.some((gateway) => gateway.name === name)) continue;
      for (const { advertiser } of targets.values()) void advertiser.end(END_MS);
      this.#informed.delete(name);
      this.#parts.bgp.announce(name, undefined);
    }
    // The commit that ended the advertisement has cleared the table (see reconcile).
    for (const name of this.#served.keys()) {
      if (!configured.some((gateway) => gateway.name === name && isInformed(gateway))) this.#served.delete(name);
    }
    // Before the kernel was read, nothing is withdrawn.
    if (this.#kernel) for (const gateway of gateways) this.#followGateway(gateway, this.#kernel);
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#kernel = undefined;
  }

  #setKernel(routes: readonly KernelRoute[]): void {
    this.#kernel = routes;
    this.follow();
  }

  #followGateway(gateway: Gateway, kernel: readonly KernelRoute[]): void {
    const wanted = advertisedRoutes(gateway, kernel);
    const targets = this.#informed.get(gateway.name) ?? new Map<string, Informed>();
    this.#informed.set(gateway.name, targets);
    const configured = gateway.routeAdvertisement.target;
    for (const [name, { made, advertiser }] of targets) {
      if (configured.some((target) => target.name === name && made === madeFor(gateway, target))) continue;
      void advertiser.end(END_MS);
      targets.delete(name);
    }
    for (const target of configured) {
      const known = targets.get(target.name);
      if (known) this.#goOn(known, target, wanted);
      else targets.set(target.name, this.#inform(gateway, target, wanted));
    }
    this.#parts.bgp.announce(gateway.name, {
      nextHop: formatIpv6(gateway.ipv6Address ?? new Uint8Array(16)),
      neighbors: gateway.routeAdvertisement.bgpNeighbor.map((address) => formatIpv6(address)),
      routes: wanted,
    });
    this.#serve(gateway, wanted);
  }

  #goOn(known: Informed, target: Target, wanted: ReadonlySet<number>): void {
    const proof = proofOf(target);
    if (known.proof !== proof) known.advertiser.use(this.#parts.clientFor(target));
    known.proof = proof;
    known.advertiser.set(wanted);
  }

  #inform(gateway: Gateway, target: Target, wanted: ReadonlySet<number>): Informed {
    const about = { gateway: gateway.name, target: target.name };
    const parts = {
      gateway: formatIpv6(gateway.ipv6Address ?? new Uint8Array(16)),
      client: this.#parts.clientFor(target),
      onAnswer: () => this.answered(gateway.name),
      log: (message: string, isGood: boolean) => {
        if (isGood) this.#parts.log.info(about, message);
        else this.#parts.log.warn({ ...about, problem: message }, 'routes could not be advertised: tried again');
      },
    };
    const advertiser = new Advertiser(parts, wanted, this.#served.get(gateway.name) ?? []);
    return { made: madeFor(gateway, target), proof: proofOf(target), advertiser };
  }

  /** An AFTR has accepted or refused something, or a BGP neighbor was told of the routes for the first time. */
  answered(name: string): void {
    const gateway = this.#parts.softwire().gateway.find((item) => item.name === name);
    if (gateway && this.#kernel) this.#serve(gateway, advertisedRoutes(gateway, this.#kernel));
  }

  /** The operational table follows what AFTRs have accepted. */
  #serve(gateway: Gateway, wanted: ReadonlySet<number>): void {
    const advertisers = [...(this.#informed.get(gateway.name)?.values() ?? [])].map(({ advertiser }) => advertiser);
    const own = new Set(
      gateway.servedPrefix.map(({ ipv4Prefix: { address, length } }) => prefixNumber(address, length)),
    );
    const served = new Set<number>();
    const before = this.#served.get(gateway.name) ?? new Set<number>();
    // BGP brings no answers: what is told is served, and what an earlier run told of.
    const { name, routeAdvertisement } = gateway;
    const isTold = this.#parts.bgp.isTold(name);
    const hasBgp = routeAdvertisement.bgpNeighbor.length > 0;
    for (const number of wanted) {
      const isAnnounced = hasBgp && (isTold || before.has(number));
      if (!own.has(number) && (isAnnounced || advertisers.some((item) => item.isAccepted(number)))) served.add(number);
    }
    if (isSame(before, served)) return;
    this.#served.set(gateway.name, served);
    this.#write(gateway, served, before.size + served.size).catch((error: unknown) => {
      // The next answer tries again.
      this.#served.delete(gateway.name);
      this.#parts.log.error({ gateway: gateway.name, error: String(error) }, 'served prefixes could not be changed');
    });
  }

  async #write({ name, ipv6Address }: Gateway, served: ReadonlySet<number>, weight: number): Promise<void> {
    const table = servedTable(name);
    const work: SharedLearning['work'] = async (base, softwire) => {
      const overlay = new RowOverlay();
      const isThere = softwire.gateway.some((item) => item.name === name && isInforming(item));
      const wanted = isThere ? served : new Set<number>();
      for (const { number } of base.sealedRows(table)) if (!wanted.has(number)) overlay.deleteNumber(table, number);
      for (const number of wanted) {
        const prefix = { address: Math.floor(number / 64), length: number % 64 };
        const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
        const gatewayIpv6Address = ipv6Address ?? new Uint8Array(16);
        overlay.putSealed(table, number, encodeBinding({ ...prefix, gatewayIpv6Address, ...leaves }));
      }
      return { overlay, done: () => undefined };
    };
    const comment = `prefixes that ${name} serves`;
    await this.#parts.store.learn({ key: `gateway ${name}`, weight, caller: SYSTEM, comment, work });
  }

  /** The prefixes a gateway serves because they were accepted, as text. */
  served(name: string): string[] {
    return [...this.#servedNow(name)].sort((a, b) => a - b).map(formatNumber);
  }

  /** How many those are. */
  servedCount(name: string): number {
    return this.#servedNow(name).size;
  }

  /** One that is disabled serves nothing, though its table is kept for when it is enabled. */
  #servedNow(name: string): ReadonlySet<number> {
    const isEnabled = this.#parts.softwire().gateway.some((gateway) => gateway.name === name && gateway.enabled);
    return (isEnabled ? this.#served.get(name) : undefined) ?? new Set();
  }

  /** The list target of a gateway, as RFC 7951 JSON; with `withRoutes` the routes of each. */
  targets(name: string, withRoutes: boolean): Json[] {
    return [...(this.#informed.get(name) ?? [])].map(([target, { advertiser }]) => {
      const { state, problem, lastAnswer } = advertiser;
      const routes = withRoutes ? advertiser.verdicts() : [];
      return {
        name: target,
        'session-state': state,
        ...(problem !== '' && { 'last-problem': problem }),
        ...(lastAnswer && { 'last-answer': lastAnswer.toISOString() }),
        'advertised-route': routes.map(([number, reason]) => ({
          'ipv4-prefix': formatNumber(number),
          accepted: reason === '',
          ...(reason !== '' && { reason }),
        })),
      };
    });
  }

  /** The targets of a gateway, for alarms. */
  sights(gateway: string): TargetSight[] {
    return [...(this.#informed.get(gateway) ?? [])].map(([name, { advertiser }]) => {
      return { gateway, name, isFailing: advertiser.state === 'failing' };
    });
  }

  /** Which AFTRs cannot be informed, or take nothing, in sentences. */
  problems(): string[] {
    return [...this.#informed].flatMap(([gateway, targets]) => {
      return [...targets].flatMap(([name, { advertiser }]) => {
        const { state, problem } = advertiser;
        const target = `Gateway ${gateway}: the AFTR of target ${name}`;
        if (state === 'failing') return [`${target} cannot be informed of its routes: ${problem}.`];
        const reasons = advertiser.whyNone();
        return reasons.length === 0 ? [] : [`${target} takes none of its routes (${reasons.join(', ')}).`];
      });
    });
  }

  /** A planned end of this process: all is withdrawn. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWatching();
    const all = [...this.#informed.values()].flatMap((targets) => [...targets.values()]);
    await Promise.all(all.map(({ advertiser }) => advertiser.end(END_MS)));
  }
}

function isInforming(gateway: Gateway): boolean {
  const { enabled, ipv6Address } = gateway;
  return enabled && ipv6Address !== undefined && isInformed(gateway);
}

/** Another tunnel address, another AFTR or another route source of it: all is withdrawn, and what takes its place is told everything. */
function madeFor({ ipv6Address, aftrIpv6Address }: Gateway, { url, clientName, clientCertificate }: Target): string {
  const ends = [ipv6Address, aftrIpv6Address].map((address) => formatIpv6(address ?? new Uint8Array(16)));
  return JSON.stringify([ends, url, clientName ?? null, clientCertificate ?? null]);
}

/** What proves one end to the other: another one leaves them who they are. */
function proofOf({ password, serverCertificateFingerprint }: Target): string {
  return JSON.stringify([password ?? null, serverCertificateFingerprint ?? null]);
}

function isSame(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  if (a.size !== b.size) return false;
  for (const number of a) if (!b.has(number)) return false;
  return true;
}

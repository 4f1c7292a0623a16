/**
 * What one gateway advertises and serves, brought after the kernel, the configuration and the answers of those that are told. All routes are
 * looked at only where any may have changed, in slices; else those that have.
 */

import { formatIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import type { Gateway, Target } from '../../state/model.generated.ts';
import { inSlices } from '../../state/row-changes.ts';
import type { Announced } from '../bgp/exporter.ts';
import type { KernelRoutes } from './advertised.ts';
import { Choice } from './advertised.ts';
import type { AdvertiserParts } from './advertiser.ts';
import { Advertiser, FEW_ROUTES } from './advertiser.ts';
import type { ServedPrefixes } from './served-prefixes.ts';

const END_MS = 2_000;

interface Informed {
  /** What the advertiser was made for. */
  readonly made: string;
  /** What its client was made for. */
  proof: string;
  readonly advertiser: Advertiser;
}

/** The way over BGP: the routes of a gateway, and whether they have been told to a neighbor. */
export interface BgpWay {
  /** Undefined for nothing any more. `changed` are prefixes that may have come or gone since the last time, any where it is not said. */
  readonly announce: (
    gateway: string,
    announced: Announced | undefined,
    changed: readonly number[] | undefined,
  ) => void;
  readonly isTold: (gateway: string) => boolean;
}

export interface GatewayRoutesParts {
  readonly bgp: BgpWay;
  /** Talks to the AFTR of a target. */
  readonly clientFor: (target: Target) => AdvertiserParts['client'];
  readonly log: Log;
}

export class GatewayRoutes {
  readonly #parts: GatewayRoutesParts;
  readonly #kernel: KernelRoutes;
  readonly #served: ServedPrefixes;
  readonly #targets = new Map<string, Informed>();
  /** What is advertised: those that are told read it where it is. */
  readonly #wanted = new Set<number>();
  #gateway: Gateway;
  #choice: Choice;
  /** Prefixes that may have come or gone in the kernel; undefined where any may. */
  #changed: Set<number> | undefined;
  /** Prefixes of which more is known; undefined where it may be of any. */
  #answered: Set<number> | undefined;
  /** Whether another configuration is to be taken. */
  #isAnother = true;
  #isWorking = false;
  #isOver = false;

  constructor(gateway: Gateway, kernel: KernelRoutes, served: ServedPrefixes, parts: GatewayRoutesParts) {
    this.#gateway = gateway;
    this.#choice = new Choice(gateway);
    this.#kernel = kernel;
    this.#served = served;
    this.#parts = parts;
    served.begin(addressOf(gateway));
    void this.#work();
  }

  /** The AFTRs that are told over RESTCONF, by the name of the target. */
  get targets(): (readonly [name: string, Advertiser])[] {
    return [...this.#targets].map(([name, { advertiser }]) => [name, advertiser]);
  }

  /** The configuration of the gateway is this. */
  follow(gateway: Gateway): void {
    const before = this.#gateway;
    this.#gateway = gateway;
    if (JSON.stringify(whatCounts(before)) === JSON.stringify(whatCounts(gateway))) return;
    for (const [name, { made, advertiser }] of this.#targets) {
      const { target: configured } = gateway.routeAdvertisement;
      if (configured.some((target) => target.name === name && made === madeFor(gateway, target))) continue;
      void advertiser.end(END_MS);
      this.#targets.delete(name);
    }
    const choice = new Choice(gateway);
    if (choice.text !== this.#choice.text) this.#changed = undefined;
    this.#choice = choice;
    if (formatIpv6(addressOf(before)) !== formatIpv6(addressOf(gateway))) this.#served.begin(addressOf(gateway));
    this.#answered = undefined;
    this.#isAnother = true;
    void this.#work();
  }

  /** These may have come or gone in the kernel. */
  kernelChanged(numbers: readonly number[]): void {
    this.#changed = noted(this.#changed, numbers);
    void this.#work();
  }

  /** An AFTR has accepted or refused these, any where it is not said; or a BGP neighbor was told of the routes for the first time. */
  answered(numbers: readonly number[] | undefined): void {
    this.#answered = noted(this.#answered, numbers);
    void this.#work();
  }

  /** It informs nobody any more: all is withdrawn. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.targets.map(([, advertiser]) => advertiser.end(END_MS)));
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (!this.#isOver && this.#isDue) {
      const isAnother = this.#isAnother;
      this.#isAnother = false;
      const changed = await this.#bringWanted();
      if (this.#isOver) break;
      if (isAnother) this.#bringTargets();
      if (isAnother || changed.length > 0) this.#tell(changed);
      await this.#bringServed(changed);
    }
    this.#isWorking = false;
  }

  get #isDue(): boolean {
    return this.#isAnother || this.#changed?.size !== 0 || this.#answered?.size !== 0;
  }

  /** Brings the routes after the kernel; returns those that have come or gone. */
  async #bringWanted(): Promise<number[]> {
    const noted = this.#changed;
    this.#changed = new Set();
    const choice = this.#choice;
    const changed: number[] = [];
    await inSlices(noted ?? this.#wanted, (number) => {
      if (choice.takes(number, this.#kernel) || !this.#wanted.delete(number)) return;
      changed.push(number);
    });
    await inSlices(noted ?? choice.all(this.#kernel), (number) => {
      if (this.#wanted.has(number) || !choice.takes(number, this.#kernel)) return;
      this.#wanted.add(number);
      changed.push(number);
    });
    return changed;
  }

  #bringTargets(): void {
    for (const target of this.#gateway.routeAdvertisement.target) {
      const known = this.#targets.get(target.name);
      const proof = proofOf(target);
      if (!known) this.#targets.set(target.name, this.#inform(target));
      else if (known.proof !== proof) known.advertiser.use(this.#parts.clientFor(target));
      if (known) known.proof = proof;
    }
  }

  #inform(target: Target): Informed {
    const about = { gateway: this.#gateway.name, target: target.name };
    const parts = {
      gateway: formatIpv6(addressOf(this.#gateway)),
      client: this.#parts.clientFor(target),
      onAnswer: (numbers: readonly number[] | undefined) => this.answered(numbers),
      log: (message: string, isGood: boolean) => {
        if (isGood) this.#parts.log.info(about, message);
        else this.#parts.log.warn({ ...about, problem: message }, 'routes could not be advertised: tried again');
      },
    };
    const advertiser = new Advertiser(parts, this.#wanted, this.#served.numbers);
    return { made: madeFor(this.#gateway, target), proof: proofOf(target), advertiser };
  }

  #tell(changed: readonly number[]): void {
    for (const { advertiser } of this.#targets.values()) if (changed.length > 0) advertiser.changed(changed);
    const { name, routeAdvertisement } = this.#gateway;
    const nextHop = formatIpv6(addressOf(this.#gateway));
    const neighbors = routeAdvertisement.bgpNeighbor.map((address) => formatIpv6(address));
    this.#parts.bgp.announce(name, { nextHop, neighbors, routes: this.#wanted }, changed);
  }

  async #bringServed(changed: readonly number[]): Promise<void> {
    const looked = noted(this.#answered, changed);
    this.#answered = new Set();
    const advertisers = this.targets.map(([, advertiser]) => advertiser);
    // BGP brings no answers: what is told is served, and what an earlier run told of.
    const isTold = this.#parts.bgp.isTold(this.#gateway.name);
    const hasBgp = this.#gateway.routeAdvertisement.bgpNeighbor.length > 0;
    const { own } = this.#choice;
    const isServed = (number: number) => {
      if (!this.#wanted.has(number) || own.has(number)) return false;
      const isAnnounced = hasBgp && (isTold || this.#served.numbers.has(number));
      return isAnnounced || advertisers.some((item) => item.isAccepted(number));
    };
    await this.#served.follow(looked, this.#wanted, isServed, () => this.#isOver);
  }
}

/** Others beside those that are noted; undefined for any. */
function noted(before: Set<number> | undefined, more: readonly number[] | undefined): Set<number> | undefined {
  if (!before || !more || before.size + more.length > FEW_ROUTES) return undefined;
  for (const number of more) before.add(number);
  return before;
}

function addressOf({ ipv6Address }: Gateway): Uint8Array {
  return ipv6Address ?? new Uint8Array(16);
}

/** What of a gateway's configuration bears on what it advertises and serves. */
function whatCounts(gateway: Gateway): unknown {
  const { target, bgpNeighbor } = gateway.routeAdvertisement;
  const told = target.map((item) => [item.name, madeFor(gateway, item), proofOf(item)]);
  return [formatIpv6(addressOf(gateway)), new Choice(gateway).text, told, bgpNeighbor.map((item) => formatIpv6(item))];
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

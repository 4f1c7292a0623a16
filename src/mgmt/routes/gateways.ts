/**
 * The gateways of this device that inform AFTRs: what each advertises follows the configuration and the kernel, and what is
 * accepted of the kernel's routes is a row of the gateway's operational table, by which the datapath serves it.
 */

import type { Learning, LearningStore } from '../../state/learned/learning.ts';
import { isInformed, servedTable } from '../../state/learned/tables.ts';
import type { Gateway, Softwire } from '../../state/model.generated.ts';
import { RowOverlay } from '../../state/overlay.ts';
import type { Caller } from '../../state/request.ts';
import { inSlices } from '../../state/row-changes.ts';
import { formatNumber } from '../../state/rows.ts';
import type { KernelRoutes } from './advertised.ts';
import type { GatewayRoutesParts } from './gateway-routes.ts';
import { GatewayRoutes } from './gateway-routes.ts';
import type { TargetSight } from './route-alarms.ts';
import { ServedPrefixes } from './served-prefixes.ts';

const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

type Json = Readonly<Record<string, unknown>>;

export interface GatewayParts extends GatewayRoutesParts {
  readonly store: LearningStore;
  readonly softwire: () => Softwire;
  /**
   * Follows the kernel; called once there is something to advertise. `onRoutes` is called first when all routes are known, and then with the
   * prefixes that may have come or gone. What it returns ends it.
   */
  readonly watch: (onRoutes: (routes: KernelRoutes, changed: readonly number[]) => void) => () => void;
}

export class AdvertisingGateways {
  readonly #parts: GatewayParts;
  readonly #informing = new Map<string, GatewayRoutes>();
  /** What is in the operational tables, by gateway. */
  readonly #served = new Map<string, ServedPrefixes>();
  #kernel: KernelRoutes | undefined;
  #unwatch: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const work: Learning['work'] = async (base, softwire) => {
      for (const { name } of softwire.gateway) {
        const numbers: number[] = [];
        await inSlices(base.sealedRows(servedTable(name)), ({ number }) => numbers.push(number));
        if (numbers.length > 0) this.#served.set(name, this.#newServed(name, numbers));
      }
      return { overlay: new RowOverlay(), done: () => undefined };
    };
    await this.#parts.store.learn({ caller: SYSTEM, comment: 'served prefixes', work });
    this.follow();
  }

  #newServed(name: string, numbers: readonly number[]): ServedPrefixes {
    const { store, log } = this.#parts;
    return new ServedPrefixes(name, numbers, {
      store,
      log,
      onRetry: () => this.#informing.get(name)?.answered(undefined),
    });
  }

  /** Brings everything to the configuration as it is now. */
  follow(): void {
    if (this.#isClosed) return;
    // Without an AFTR, one that learns it forwards nothing and attracts nothing.
    const { gateway: configured } = this.#parts.softwire();
    const gateways = configured.filter((gateway) => isInforming(gateway) && gateway.aftrIpv6Address !== undefined);
    if (gateways.length > 0) this.#unwatch ??= this.#parts.watch((...news) => this.#kernelChanged(...news));
    else this.#stopWatching();
    for (const [name, routes] of this.#informing) {
      if (gateways.some((gateway) => gateway.name === name)) continue;
      void routes.end();
      this.#informing.delete(name);
      this.#parts.bgp.announce(name, undefined, undefined);
    }
    // The commit that ended the advertisement has cleared the table (see reconcile).
    for (const [name, served] of this.#served) {
      if (configured.some((gateway) => gateway.name === name && isInformed(gateway))) continue;
      served.close();
      this.#served.delete(name);
    }
    // Before the kernel was read, nothing is withdrawn.
    if (this.#kernel) for (const gateway of gateways) this.#followGateway(gateway, this.#kernel);
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#kernel = undefined;
  }

  #kernelChanged(routes: KernelRoutes, changed: readonly number[]): void {
    const isFirst = this.#kernel === undefined;
    this.#kernel = routes;
    if (isFirst) this.follow();
    else for (const informing of this.#informing.values()) informing.kernelChanged(changed);
  }

  #followGateway(gateway: Gateway, kernel: KernelRoutes): void {
    const { name } = gateway;
    const known = this.#informing.get(name);
    if (known) {
      known.follow(gateway);
      return;
    }
    const served = this.#served.get(name) ?? this.#newServed(name, []);
    this.#served.set(name, served);
    this.#informing.set(name, new GatewayRoutes(gateway, kernel, served, this.#parts));
  }

  /** A BGP neighbor was told of the routes for the first time. */
  told(name: string): void {
    this.#informing.get(name)?.answered(undefined);
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
    return (isEnabled ? this.#served.get(name)?.numbers : undefined) ?? new Set();
  }

  #targets(gateway: string): GatewayRoutes['targets'] {
    return this.#informing.get(gateway)?.targets ?? [];
  }

  /** The list target of a gateway, as RFC 7951 JSON; with `withRoutes` the routes of each. */
  targets(name: string, withRoutes: boolean): Json[] {
    return this.#targets(name).map(([target, advertiser]) => {
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
    return this.#targets(gateway).map(([name, advertiser]) => {
      return { gateway, name, isFailing: advertiser.state === 'failing' };
    });
  }

  /** Which AFTRs cannot be informed, or take nothing, in sentences. */
  problems(): string[] {
    return [...this.#informing].flatMap(([gateway, { targets }]) => {
      return targets.flatMap(([name, advertiser]) => {
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
    for (const served of this.#served.values()) served.close();
    await Promise.all([...this.#informing.values()].map((routes) => routes.end()));
  }
}

function isInforming(gateway: Gateway): boolean {
  const { enabled, ipv6Address } = gateway;
  return enabled && ipv6Address !== undefined && isInformed(gateway);
}

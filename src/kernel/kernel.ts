/**
 * The kernel's part of a configuration: made so, kept so, taken back.
 *
 * 1. At the start, and whenever the kernel tells of a change or news of it were lost, what is there with our protocol number is
 *    read and compared with what should be; at a commit, what was there after the last comparison.
 * 2. What is missing is added first, blackholes before the routes that they stand behind, then what is too much is removed.
 * 3. Nothing of others is touched.
 * 4. What the links of the IPv4 side take is told after each comparison.
 */

import type { Problem } from '../control.ts';
import { broadcastAddresses, hostAddresses } from './broadcasts.ts';
import type { HostRefusal } from './checks.ts';
import { readHost, refusals } from './checks.ts';
import { diagnose } from './diagnosis.ts';
import type { EgressMtus } from './egress.ts';
import { ANYWHERE, egressMtus } from './egress.ts';
import type { BoundGateways } from './gateway-round.ts';
import { GatewayRound, NO_GATEWAYS } from './gateway-round.ts';
import { inwardRoutes } from './inward.ts';
import type { Link, Neighbour, Route, Rule } from './netlink.ts';
import { ADVERTISED_PROTOCOL, Netlink, PROTOCOL, routeText } from './netlink.ts';
import { Monitor } from './netlink-socket.ts';
import { hasMarks, loadMarks, marksText, removeMarks } from './nftables.ts';
import { heldByOthers, onLinkNeighbours } from './on-link.ts';
import type { KernelConfig, KernelPlan, PlannedRoute, PlannedRule } from './plan.ts';
import { planKernel, TUN_QUEUE } from './plan.ts';
import { isForwardingOn, turnForwardingOn, writeSetting } from './settings.ts';

const TUN_MTU = 65_535;
const DIAGNOSIS_MS = 200;
const NOTHING: KernelPlan = { devices: [], routes: [], rules: [], tunnelAddresses: [], marked: undefined };

/** What carries our number in the kernel. */
interface Own {
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly proxies: readonly Neighbour[];
}

export class Kernel {
  readonly #netlink = new Netlink();
  readonly #onAddresses: (broadcasts: readonly number[], hosts: readonly number[]) => void;
  #monitor: Monitor | undefined;
  #config: KernelConfig | undefined;
  /** What the kernel has of ours; undefined when it must be read. */
  #own: Own | undefined;
  /** The marks that nftables has; undefined when an earlier process may have left some. */
  #marks: string | undefined;
  /** Why the last comparison did not end. */
  #fault = '';
  #diagnosis: { readonly at: number; readonly problems: Promise<Problem[]> } | undefined;
  readonly #round = new GatewayRound();
  #last: Promise<unknown> = Promise.resolve();

  readonly #onEgress: (mtus: EgressMtus) => void;

  /**
   * `onAddresses` is told the broadcast addresses of all links and the addresses on them, `onEgress` what those of the IPv4
   * side take, whenever they may have changed.
   */
  constructor(
    onAddresses: (broadcasts: readonly number[], hosts: readonly number[]) => void = () => undefined,
    onEgress: (mtus: EgressMtus) => void = () => undefined,
  ) {
    this.#onAddresses = onAddresses;
    this.#onEgress = onEgress;
  }

  /** Why this configuration cannot be applied here; empty when it can. Changes nothing. */
  async check(config: KernelConfig): Promise<HostRefusal[]> {
    const host = await readHost(this.#netlink);
    const found = refusals(config, host);
    if (found.length > 0) return found;
    const held = await heldByOthers(planKernel(config).tunnelAddresses, host, this.#netlink);
    const messages = (tunnels: readonly Uint8Array[]) => tunnels.flatMap((tunnel) => held.get(tunnel) ?? []);
    return [
      ...config.gateways.flatMap(({ name, ipv6Address }) =>
        messages([ipv6Address]).map((message) => ({ message, role: 'gateway' as const, name, isTunnel: true })),
      ),
      ...config.aftrs.flatMap(({ name, ipv6Addresses }) =>
        messages(ipv6Addresses).map((message) => ({ message, role: 'aftr' as const, name, isTunnel: true })),
      ),
    ];
  }

  /** What keeps the traffic of this configuration from flowing; kept for a short while. */
  async diagnose(config: KernelConfig, bound: BoundGateways = NO_GATEWAYS): Promise<Problem[]> {
    const now = performance.now();
    if (!this.#diagnosis || now - this.#diagnosis.at > DIAGNOSIS_MS) {
      this.#diagnosis = { at: now, problems: diagnose(config, this.#netlink, bound, this.#round) };
    }
    const problems = await this.#diagnosis.problems;
    return this.#fault === ''
      ? problems
      : [...problems, { sentence: `the kernel does not keep what is configured: ${this.#fault}` }];
  }

  /** Makes the kernel what the configuration asks for, and keeps it so. The TUN devices exist already. @throws Error of netlink or the system */
  async apply(config: KernelConfig): Promise<void> {
    this.#monitor ??= new Monitor(PROTOCOL, () => this.#onChange());
    this.#config = config;
    this.#diagnosis = undefined;
    await this.#inTurn(() => this.#follow(config));
  }

  /** Takes back everything of ours and the devices of these names, which no worker uses any more. */
  async remove(devices: readonly string[]): Promise<void> {
    this.#monitor?.close();
    this.#monitor = undefined;
    this.#config = undefined;
    this.#own = undefined;
    await this.#inTurn(async () => {
      await this.#reconcile(NOTHING);
      for (const { index, name } of await this.#netlink.links()) {
        if (devices.includes(name)) await this.#netlink.removeLink(index);
      }
    });
    this.#netlink.close();
  }

  #onChange(): void {
    this.#diagnosis = undefined;
    // A fault is told by `diagnose`; the next change or commit tries again.
    this.#inTurn(async () => {
      // Here and not before: a reconciliation under way would take what it wanted for what is there.
      this.#own = undefined;
      if (this.#config) await this.#follow(this.#config);
    }).catch(() => undefined);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #follow(config: KernelConfig): Promise<void> {
    await this.#reconcile(planKernel(config), config);
    const { link } = await this.#netlink.wayTo(ANYWHERE);
    this.#onEgress(egressMtus(config, await this.#netlink.links(), link));
  }

  async #reconcile(plan: KernelPlan, config?: KernelConfig): Promise<void> {
    try {
      const links = await this.#netlink.links();
      for (const device of plan.devices) await this.#prepareDevice(device, links);
      if (plan.devices.length > 0 && !isForwardingOn()) turnForwardingOn(await this.#advertisedLinks(links));
      const present = this.#own ?? (await this.#readOwn());
      this.#own = undefined;
      const wanted = await this.#wanted(plan, links, config);
      await this.#putMarks(plan);
      await this.#difference(wanted, present);
      if (!plan.marked) await this.#dropMarks();
      this.#own = wanted;
      this.#fault = '';
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  async #prepareDevice(device: string, links: readonly Link[]): Promise<void> {
    const link = links.find(({ name }) => name === device);
    if (!link) throw new Error(`there is no TUN device ${device}: its worker has not made it`);
    writeSetting(`ipv6/conf/${device}/disable_ipv6`, '0');
    // No address of its own, or the kernel would send neighbour discovery into the tunnel.
    writeSetting(`ipv6/conf/${device}/addr_gen_mode`, '1');
    writeSetting(`ipv4/conf/${device}/rp_filter`, '0');
    // ICMP that the engine makes comes from an address of the host itself.
    writeSetting(`ipv4/conf/${device}/accept_local`, '1');
    if (!link.isUp || link.mtu !== TUN_MTU) await this.#netlink.setLink(link.index, TUN_MTU, TUN_QUEUE);
  }

  /** Links whose IPv6 default route came by router advertisement. */
  async #advertisedLinks(links: readonly Link[]): Promise<string[]> {
    const routes = await this.#netlink.routes(6);
    const defaults = routes.filter(({ length, protocol }) => length === 0 && protocol === ADVERTISED_PROTOCOL);
    return defaults.flatMap(({ link }) => links.find(({ index }) => index === link)?.name ?? []);
  }

  async #readOwn(): Promise<Own> {
    const routes = [...(await this.#netlink.routes(4)), ...(await this.#netlink.routes(6))];
    return {
      routes: routes.filter(({ protocol }) => protocol === PROTOCOL),
      rules: await this.#netlink.ownRules(),
      proxies: await this.#netlink.ownProxies(),
    };
  }

  async #wanted(plan: KernelPlan, links: readonly Link[], config?: KernelConfig): Promise<Own> {
    const indexes = new Map(links.map(({ name, index }) => [name, index]));
    const addresses = await this.#netlink.addresses();
    this.#onAddresses(broadcastAddresses(addresses), hostAddresses(addresses));
    const proxies = onLinkNeighbours(plan.tunnelAddresses, addresses);
    for (const { link } of proxies) {
      const name = links.find(({ index }) => index === link)?.name;
      writeSetting(`ipv6/conf/${name}/proxy_ndp`, '1');
      writeSetting(`ipv6/neigh/${name}/proxy_delay`, '0');
    }
    const inward = config ? inwardRoutes(config, addresses, links) : [];
    const routes = [...inward, ...plan.routes.map((route) => routeOf(route, indexes))];
    return { routes, rules: plan.rules.map(ruleOf), proxies };
  }

  async #difference(wanted: Own, present: Own): Promise<void> {
    const netlink = this.#netlink;
    const routes = compare(wanted.routes, present.routes, routeText);
    const rules = compare(wanted.rules, present.rules, ruleText);
    const proxies = compare(wanted.proxies, present.proxies, neighbourText);
    const [blackholes, unicasts] = [true, false].map((isBlackhole) =>
      routes.missing.filter(({ kind }) => (kind === 'blackhole') === isBlackhole),
    );
    for (const route of [...(blackholes ?? []), ...(unicasts ?? [])]) await netlink.addRoute(route);
    for (const rule of rules.missing) await netlink.addRule(rule);
    for (const proxy of proxies.missing) await netlink.addProxy(proxy);
    for (const proxy of proxies.surplus) await netlink.removeProxy(proxy);
    for (const rule of rules.surplus) await netlink.removeRule(rule);
    for (const route of routes.surplus) await netlink.removeRoute(route);
  }

  /** Marks come before the rule that follows them. */
  async #putMarks(plan: KernelPlan): Promise<void> {
    const text = marksText(plan);
    if (text === '' || (text === this.#marks && (await hasMarks()))) return;
    await loadMarks(text);
    this.#marks = text;
  }

  async #dropMarks(): Promise<void> {
    if (this.#marks === '') return;
    await removeMarks();
    this.#marks = '';
  }
}

function routeOf({ device, ...route }: PlannedRoute, indexes: ReadonlyMap<string, number>): Route {
  const kind = device === undefined ? 'blackhole' : 'unicast';
  return { ...route, kind, link: indexes.get(device ?? '') ?? 0, protocol: PROTOCOL, gateway: undefined };
}

function ruleOf({ prefix, ...rule }: PlannedRule): Rule {
  const { address = 0, length = 0 } = prefix ?? {};
  const octets = Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
  return { ...rule, length, octets };
}

function compare<Item>(wanted: readonly Item[], present: readonly Item[], text: (item: Item) => string) {
  const wantedTexts = new Set(wanted.map(text));
  const presentTexts = new Set(present.map(text));
  return {
    missing: wanted.filter((item) => !presentTexts.has(text(item))),
    surplus: present.filter((item) => !wantedTexts.has(text(item))),
  };
}

function ruleText({ priority, octets, length, mark, table, suppress }: Rule): string {
  return [priority, Buffer.from(octets).toString('hex'), length, mark, table, suppress].join();
}

function neighbourText({ link, octets }: Neighbour): string {
  return `${link} ${Buffer.from(octets).toString('hex')}`;
}

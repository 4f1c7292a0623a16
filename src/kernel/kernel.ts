/**
 * The kernel's part of a configuration: made so, kept so, taken back. Each time what is there with our protocol number is
 * compared with what should be: what is missing is added first, then what is too much is removed. Nothing of others is touched.
 */

import type { HostRefusal } from './checks.ts';
import { problems, readHost, refusals } from './checks.ts';
import type { Address, Link, ProxiedNeighbour, Route, Rule } from './netlink.ts';
import { Netlink, PROTOCOL } from './netlink.ts';
import type { KernelConfig, KernelPlan } from './plan.ts';
import { planKernel } from './plan.ts';
import { loadNftables, nftablesText, turnForwardingOn, writeSetting } from './settings.ts';

const TUN_MTU = 65_535;
const TUN_QUEUE = 1_000;

export class Kernel {
  readonly #netlink = new Netlink();
  #marks = '';

  /** Why this configuration cannot be applied here; empty when it can. Changes nothing. */
  async check(config: KernelConfig): Promise<HostRefusal[]> {
    return refusals(config, await readHost(this.#netlink));
  }

  /** Sentences about what keeps the traffic of this configuration from flowing. */
  diagnose(config: KernelConfig): Promise<string[]> {
    return problems(config, this.#netlink);
  }

  /** Makes the kernel what the configuration asks for. The TUN devices exist already. @throws Error of netlink or the system */
  async apply(config: KernelConfig): Promise<void> {
    const plan = planKernel(config);
    const links = await this.#netlink.links();
    for (const device of plan.devices) await this.#prepareDevice(device, links);
    if (plan.devices.length > 0) turnForwardingOn(await this.#advertisedLinks(links));
    await this.#marksOf(nftablesText(plan));
    await this.#routes(plan, links);
    await this.#rules(plan);
    await this.#proxies(plan, links);
  }

  /** Takes back everything of ours and the devices of these names, which no worker uses any more. */
  async remove(devices: readonly string[]): Promise<void> {
    const nothing = { routes: [], rules: [], tunnelAddresses: [], devices: [], marked: undefined };
    const links = await this.#netlink.links();
    await this.#rules(nothing);
    await this.#proxies(nothing, links);
    await this.#marksOf('');
    await this.#routes(nothing, links);
    for (const { index, name } of links) if (devices.includes(name)) await this.#netlink.removeLink(index);
    this.#netlink.close();
  }

  async #prepareDevice(device: string, links: readonly Link[]): Promise<void> {
    const link = links.find(({ name }) => name === device);
    if (!link) throw new Error(`there is no TUN device ${device}: its worker has not made it`);
    // No address of its own, or the kernel would send neighbour discovery into the tunnel.
    writeSetting(`ipv6/conf/${device}/addr_gen_mode`, '1');
    writeSetting(`ipv4/conf/${device}/rp_filter`, '0');
    // ICMP that the engine makes comes from an address of the host itself.
    writeSetting(`ipv4/conf/${device}/accept_local`, '1');
    if (!link.isUp || link.mtu !== TUN_MTU) await this.#netlink.setLink(link.index, TUN_MTU, TUN_QUEUE);
  }

  /** Links with an IPv6 default route that came by router advertisement: from a link-local next hop, by the kernel. */
  async #advertisedLinks(links: readonly Link[]): Promise<string[]> {
    const routes = await this.#netlink.routes(6);
    const defaults = routes.filter(({ length, gateway }) => length === 0 && gateway?.[0] === 0xfe);
    return defaults.flatMap(({ link }) => links.find(({ index }) => index === link)?.name ?? []);
  }

  async #marksOf(text: string): Promise<void> {
    if (text === this.#marks) return;
    await loadNftables(text);
    this.#marks = text;
  }

  async #routes(plan: KernelPlan, links: readonly Link[]): Promise<void> {
    const indexOf = (device: string | undefined) => links.find(({ name }) => name === device)?.index ?? 0;
    const wanted = plan.routes.map(
      ({ device, ...route }): Route => ({
        ...route,
        kind: device === undefined ? 'blackhole' : 'unicast',
        link: indexOf(device),
        protocol: PROTOCOL,
        gateway: undefined,
      }),
    );
    const present = [...(await this.#netlink.routes(4)), ...(await this.#netlink.routes(6))];
    const own = present.filter(({ protocol }) => protocol === PROTOCOL);
    const { missing, surplus } = compare(wanted, own, routeText);
    for (const route of missing) await this.#netlink.addRoute(route);
    for (const route of surplus) await this.#netlink.removeRoute(route);
  }

  async #rules(plan: KernelPlan): Promise<void> {
    const wanted = plan.rules.map(({ prefix, ...rule }): Rule => {
      const { address = 0, length = 0 } = prefix ?? {};
      return {
        ...rule,
        length,
        octets: Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255),
      };
    });
    const { missing, surplus } = compare(wanted, await this.#netlink.ownRules(), ruleText);
    for (const rule of missing) await this.#netlink.addRule(rule);
    for (const rule of surplus) await this.#netlink.removeRule(rule);
  }

  /** A tunnel address inside an on-link prefix is answered for on that link. */
  async #proxies(plan: KernelPlan, links: readonly Link[]): Promise<void> {
    const addresses = await this.#netlink.addresses();
    const wanted = plan.tunnelAddresses.flatMap((octets): ProxiedNeighbour[] => {
      const holder = addresses.find(
        (address) => address.family === 6 && address.length < 128 && holds(address, octets),
      );
      return holder ? [{ link: holder.link, octets }] : [];
    });
    for (const { link } of wanted) {
      const name = links.find(({ index }) => index === link)?.name;
      writeSetting(`ipv6/conf/${name}/proxy_ndp`, '1');
      writeSetting(`ipv6/neigh/${name}/proxy_delay`, '0');
    }
    const { missing } = compare(wanted, await this.#netlink.proxies(), proxyText);
    for (const proxy of missing) await this.#netlink.addProxy(proxy);
    const kept = new Set(wanted.map(proxyText));
    for (const [text, proxy] of this.#ownProxies) if (!kept.has(text)) await this.#netlink.removeProxy(proxy);
    this.#ownProxies = new Map(wanted.map((proxy) => [proxyText(proxy), proxy]));
  }

  /** Proxied neighbours carry no protocol number: these are the ones that were set by this process. */
  #ownProxies = new Map<string, ProxiedNeighbour>();
}

function compare<Item>(wanted: readonly Item[], present: readonly Item[], text: (item: Item) => string) {
  const wantedTexts = new Set(wanted.map(text));
  const presentTexts = new Set(present.map(text));
  return {
    missing: wanted.filter((item) => !presentTexts.has(text(item))),
    surplus: present.filter((item) => !wantedTexts.has(text(item))),
  };
}

function routeText({ family, table, octets, length, kind, link, metric }: Route): string {
  return [family, table, Buffer.from(octets).toString('hex'), length, kind, link, metric].join();
}

function ruleText({ priority, octets, length, mark, table, suppress }: Rule): string {
  return [priority, Buffer.from(octets).toString('hex'), length, mark, table, suppress].join();
}

function proxyText({ link, octets }: ProxiedNeighbour): string {
  return `${link} ${Buffer.from(octets).toString('hex')}`;
}

/** Whether an IPv6 address lies in the prefix of another. */
function holds({ octets, length }: Address, other: Uint8Array): boolean {
  for (let bit = 0; bit < length; bit += 8) {
    const mask = length - bit >= 8 ? 255 : (255 << (8 - (length - bit))) & 255;
    if ((((octets[bit >> 3] ?? 0) ^ (other[bit >> 3] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

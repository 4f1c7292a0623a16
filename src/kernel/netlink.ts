/**
 * The kernel's links, addresses, routes, rules and neighbours in the few forms that this program needs. Everything it
 * adds carries PROTOCOL, so that it knows its own again. Adding what is there and removing what is gone are no faults.
 */

import type { rt as messages, NetlinkMessage } from 'netlink';
import { formatIpv4, formatIpv6 } from '../address.ts';
import { require } from '../common-js.ts';
import type { Body } from './netlink-socket.ts';
import { NetlinkError, RequestSocket } from './netlink-socket.ts';

const { AttrStream, FlagsNew, rt } = require('netlink') as typeof import('netlink');

/** Routing protocol number of our own (rtnetlink(7): above 245 nobody has one). */
export const PROTOCOL: number = 246;
export const MAIN_TABLE = 254;
export const KERNEL_PROTOCOL: number = rt.RouteProtocol.KERNEL;
export const ADVERTISED_PROTOCOL: number = rt.RouteProtocol.RA;
const AF_INET = 2;
const AF_INET6 = 10;
const CREATE = FlagsNew.CREATE | FlagsNew.EXCL;
const EXISTS: readonly string[] = ['EEXIST'];
const GONE: readonly string[] = ['ENOENT', 'ESRCH', 'ENODEV'];
/** Read without a pause. */
const SLICE_ROUTES = 1_000;
const { MessageType } = rt;
/** News after which routes may be gone, or others, without a word of each. */
const { NEWLINK, DELLINK, NEWADDR, DELADDR, NEWNEXTHOP, DELNEXTHOP } = MessageType;
const SILENT_ENDS: ReadonlySet<number> = new Set([NEWLINK, DELLINK, NEWADDR, DELADDR, NEWNEXTHOP, DELNEXTHOP]);

export type Family = 4 | 6;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly isUp: boolean;
  /** Of a tunnel over IPv4, where packets go: 4 octets, 0.0.0.0 for many places. */
  readonly farEnd?: Uint8Array | undefined;
}

export interface Address {
  readonly family: Family;
  readonly link: number;
  /** 4 or 16 octets. */
  readonly octets: Uint8Array;
  readonly length: number;
}

/** A route of ours or of others. `link` 0 for a blackhole and for several next hops. */
export interface Route {
  readonly family: Family;
  readonly table: number;
  /** 4 or 16 octets. */
  readonly octets: Uint8Array;
  readonly length: number;
  readonly kind: 'unicast' | 'blackhole' | 'other';
  readonly link: number;
  readonly metric: number;
  readonly protocol: number;
  /** Only packets of this type of service go by it; 0 for all. */
  readonly tos?: number;
  /** Next hop, when there is one. */
  readonly gateway: Uint8Array | undefined;
}

/**
 * News of an IPv4 route: it stands alone, before or behind those of its type of service and metric, or in the place of the first of
 * them; it is told of again; or it is gone.
 */
export interface RouteNews {
  readonly route: Route;
  readonly how: 'alone' | 'before' | 'behind' | 'instead' | 'again' | 'gone';
}

/** An IPv4 rule: packets from a prefix or with a mark look into a table. */
export interface Rule {
  readonly priority: number;
  readonly octets: Uint8Array;
  readonly length: number;
  /** Value and mask at once: these bits are set in the packet's mark. 0 for any mark. */
  readonly mark: number;
  readonly table: number;
  /** Routes of at most this length in the table are passed over; undefined for none. */
  readonly suppress: number | undefined;
}

/** An IPv6 neighbour on a link: one we answer for, or one that is looked for. */
export interface Neighbour {
  readonly link: number;
  readonly octets: Uint8Array;
}

/** Where packets to an address go. */
export interface Way {
  readonly kind: 'link' | 'local' | 'none';
  readonly link: number;
  /** The router they go to, when there is one. */
  readonly via?: Uint8Array | undefined;
}

export class Netlink {
  readonly #socket = new RequestSocket();

  async links(): Promise<Link[]> {
    const found = await this.#dump('links', 'GETLINK', { kind: 'link', data: {}, attrs: {} });
    return found.flatMap((message) => {
      if (message.kind !== 'link') return [];
      const { data, attrs } = message;
      const isUp = data.flags?.up === true;
      const farEnd = attrs.broadcast?.length === 4 ? attrs.broadcast : undefined;
      return [{ index: data.index ?? 0, name: attrs.ifname ?? '', mtu: attrs.mtu ?? 0, isUp, farEnd }];
    });
  }

  async addresses(): Promise<Address[]> {
    const found = await this.#dump('addresses', 'GETADDR', { kind: 'address', data: {}, attrs: {} });
    return found.flatMap((message) => {
      if (message.kind !== 'address') return [];
      const { data, attrs } = message;
      const octets = attrs.local ?? attrs.address;
      const family = familyOf(data.family);
      return octets && family ? [{ family, link: data.index ?? 0, octets, length: data.prefixlen ?? 0 }] : [];
    });
  }

  async routes(family: Family): Promise<Route[]> {
    const found: Route[] = [];
    for (const answer of await this.#routeAnswers(family)) found.push(...routesIn(family, answer));
    return found;
  }

  /** All IPv4 routes; others have their turn while many are read. */
  async eachIpv4Route(take: (route: Route) => void): Promise<void> {
    const answers = await this.#routeAnswers(4);
    for (let at = 0; at < answers.length; at += SLICE_ROUTES) {
      for (const answer of answers.slice(at, at + SLICE_ROUTES)) routesIn(4, answer).forEach(take);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #routeAnswers(family: Family): Promise<readonly Buffer[]> {
    const asked = { kind: 'route', data: { family: numberOfFamily(family) }, attrs: {} } as const;
    return this.#socket.dump(`list IPv${family} routes`, MessageType.GETROUTE, bodyOf(asked));
  }

  /** @throws Error when a route of somebody else has its place: same table, prefix and metric */
  async addRoute(route: Route): Promise<void> {
    const isAdded = await this.#change(EXISTS, `add ${describeRoute(route)}`, 'NEWROUTE', routeMessage(route), CREATE);
    if (isAdded || (await this.routes(route.family)).some((other) => isSameRoute(other, route))) return;
    const advice = 'remove it, or give it another metric';
    throw new Error(`cannot add ${describeRoute(route)}: a route that is not ours has its place: ${advice}`);
  }

  async removeRoute(route: Route): Promise<void> {
    await this.#change(GONE, `remove ${describeRoute(route)}`, 'DELROUTE', routeMessage(route));
  }

  /** IPv4 rules that carry our protocol number. */
  async ownRules(): Promise<Rule[]> {
    const found = await this.#dump('rules', 'GETRULE', { kind: 'rule', data: { family: AF_INET }, attrs: {} });
    return found.flatMap((message) =>
      message.kind === 'rule' && message.attrs.protocol === PROTOCOL ? [ruleOf(message)] : [],
    );
  }

  async addRule(rule: Rule): Promise<void> {
    await this.#change(EXISTS, `add the rule ${rule.priority}`, 'NEWRULE', ruleMessage(rule), CREATE);
  }

  async removeRule(rule: Rule): Promise<void> {
    await this.#change(GONE, `remove the rule ${rule.priority}`, 'DELRULE', ruleMessage(rule));
  }

  /** Neighbours that this program answers for. */
  async ownProxies(): Promise<Neighbour[]> {
    const data = { family: AF_INET6, flags: { proxy: true as const } };
    const found = await this.#dump('proxied neighbours', 'GETNEIGH', { kind: 'neighbor', data, attrs: {} });
    return found.flatMap((message) => {
      if (message.kind !== 'neighbor' || !message.data.flags?.proxy) return [];
      const { data, attrs } = message;
      return attrs.dst && attrs.protocol?.[0] === PROTOCOL ? [{ link: data.ifindex ?? 0, octets: attrs.dst }] : [];
    });
  }

  async addProxy(neighbour: Neighbour): Promise<void> {
    const what = `answer for ${formatIpv6(neighbour.octets)}`;
    await this.#change(EXISTS, what, 'NEWNEIGH', neighbourMessage(neighbour, { proxy: true }), CREATE);
  }

  async removeProxy(neighbour: Neighbour): Promise<void> {
    const what = `answer for ${formatIpv6(neighbour.octets)} no more`;
    await this.#change(GONE, what, 'DELNEIGH', neighbourMessage(neighbour, { proxy: true }));
  }

  /** Makes the kernel look for a neighbour, as if it had a packet for it. */
  async lookFor(neighbour: Neighbour): Promise<void> {
    const what = `look for ${formatIpv6(neighbour.octets)}`;
    await this.#change(EXISTS, what, 'NEWNEIGH', neighbourMessage(neighbour, { use: true }), FlagsNew.CREATE);
  }

  /** Ends the search for a neighbour. */
  async forget(neighbour: Neighbour): Promise<void> {
    const what = `forget ${formatIpv6(neighbour.octets)}`;
    await this.#change(GONE, what, 'DELNEIGH', neighbourMessage(neighbour, {}));
  }

  /** Neighbours on a link that have a link layer address. */
  async neighbours(link: number): Promise<Neighbour[]> {
    const asked = { kind: 'neighbor', data: { family: AF_INET6 }, attrs: {} } as const;
    const found = await this.#dump('neighbours', 'GETNEIGH', asked);
    return found.flatMap((message) => {
      if (message.kind !== 'neighbor' || message.data.ifindex !== link) return [];
      const { dst, lladdr } = message.attrs;
      return dst && lladdr && !message.data.state?.failed ? [{ link, octets: dst }] : [];
    });
  }

  /** MTU, queue length, and up. */
  async setLink(index: number, mtu: number, queueLength: number): Promise<void> {
    const data = { index, flags: { up: true as const }, change: { up: true as const } };
    const message = { kind: 'link', data, attrs: { mtu, txqlen: queueLength } } as const;
    await this.#change([], `set up link ${index}`, 'NEWLINK', message);
  }

  /** IPv6 neighbours that the kernel has a packet for and gets no answer from. */
  async unresolved(): Promise<Neighbour[]> {
    const asked = { kind: 'neighbor', data: { family: AF_INET6 }, attrs: {} } as const;
    const found = await this.#dump('neighbours', 'GETNEIGH', asked);
    return found.flatMap((message) => {
      if (message.kind !== 'neighbor') return [];
      const { data, attrs } = message;
      const isUnresolved = data.state?.failed || data.state?.incomplete;
      return attrs.dst && isUnresolved ? [{ link: data.ifindex ?? 0, octets: attrs.dst }] : [];
    });
  }

  async removeLink(index: number): Promise<void> {
    await this.#change(GONE, `remove link ${index}`, 'DELLINK', { kind: 'link', data: { index }, attrs: {} });
  }

  /** Where packets to an address of either family go. */
  async wayTo(octets: Uint8Array): Promise<Way> {
    const data = { family: octets.length === 4 ? AF_INET : AF_INET6, dstLen: octets.length * 8 };
    const body = bodyOf({ kind: 'route', data, attrs: { dst: Buffer.from(octets) } });
    try {
      const [answer] = await this.#socket.ask('look up a route', MessageType.GETROUTE, body);
      const { data: route, attrs } = rt.parseRouteMessage(answer ?? Buffer.alloc(0));
      const kind = route.type === 'UNICAST' ? 'link' : route.type === 'LOCAL' ? 'local' : 'none';
      return { kind, link: attrs.oif ?? 0, via: attrs.gateway };
    } catch (error) {
      if (error instanceof NetlinkError) return { kind: 'none', link: 0 };
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }

  async #dump(what: string, type: keyof typeof MessageType, asked: messages.Message): Promise<messages.Message[]> {
    const answers = await this.#socket.dump(`list ${what}`, MessageType[type], bodyOf(asked));
    // The answer to GET is a NEW message, whose number is two less.
    return answers.map((answer) => rt.parseMessage(MessageType[type] - 2, answer));
  }

  /** Whether it was changed; false for a fault that is tolerated. */
  async #change(
    tolerated: readonly string[],
    what: string,
    type: keyof typeof MessageType,
    message: messages.Message,
    flags = 0,
  ): Promise<boolean> {
    try {
      await this.#socket.ask(what, MessageType[type], bodyOf(message), flags);
      return true;
    } catch (error) {
      if (!(error instanceof NetlinkError) || !tolerated.includes(error.code)) throw error;
      return false;
    }
  }
}

function bodyOf(message: messages.Message): Body {
  const out = new AttrStream();
  switch (message.kind) {
    case 'link':
      rt.formatLinkMessage(message, out);
      break;
    case 'address':
      rt.formatAddressMessage(message, out);
      break;
    case 'route':
      rt.formatRouteMessage(message, out);
      break;
    case 'rule':
      rt.formatRuleMessage(message, out);
      break;
    case 'neighbor':
      rt.formatNeighborMessage(message, out);
      break;
    default:
      throw new Error(`a netlink message of kind ${message.kind} is not in use here`);
  }
  return out.bufs;
}

function familyOf(family: number | undefined): Family | undefined {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : undefined;
}

function numberOfFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** One text for routes that are the same, whoever set them. */
export function routeText({ family, table, octets, length, kind, link, metric }: Route): string {
  return [family, table, Buffer.from(octets).toString('hex'), length, kind, link, metric].join();
}

function isSameRoute(a: Route, b: Route): boolean {
  return a.protocol === b.protocol && routeText(a) === routeText(b);
}

function describeRoute({ family, octets, length, kind, table }: Route): string {
  const address = family === 4 ? formatIpv4(Buffer.from(octets).readUInt32BE(0)) : formatIpv6(octets);
  return `the ${kind} route to ${address}/${length} in table ${table}`;
}

function routeOf(family: Family, { data, attrs }: messages.RouteMessage): Route {
  const kind = data.type === 'UNICAST' ? 'unicast' : data.type === 'BLACKHOLE' ? 'blackhole' : 'other';
  return {
    family,
    table: attrs.table ?? data.table ?? 0,
    octets: attrs.dst ?? new Uint8Array(family === 4 ? 4 : 16),
    length: data.dstLen ?? 0,
    kind,
    // IPv6 shows blackholes on the loopback link.
    link: kind === 'blackhole' ? 0 : (attrs.oif ?? 0),
    metric: attrs.priority ?? 0,
    protocol: typeof data.protocol === 'string' ? rt.RouteProtocol[data.protocol] : (data.protocol ?? 0),
    tos: data.tos ?? 0,
    gateway: attrs.gateway,
  };
}

/** What the kernel remembers of the way to one address, such as its path MTU, comes with the routes: it is none. */
function routesIn(family: Family, answer: Buffer): Route[] {
  const message = rt.parseRouteMessage(answer);
  if (message.data.flags?.cloned) return [];
  return familyOf(message.data.family) === family ? [routeOf(family, message)] : [];
}

/** What a message tells of IPv4 routes; `all` where it may concern any of them, undefined for nothing. */
export function ipv4News({ type, flags, data }: NetlinkMessage): RouteNews | 'all' | undefined {
  if (SILENT_ENDS.has(type)) return 'all';
  if (type !== MessageType.NEWROUTE && type !== MessageType.DELROUTE) return undefined;
  const [route] = routesIn(4, data);
  if (!route) return undefined;
  if (type === MessageType.DELROUTE) return { route, how: 'gone' };
  if (flags & FlagsNew.REPLACE) return { route, how: 'instead' };
  if (flags & FlagsNew.APPEND) return { route, how: 'behind' };
  if (!(flags & FlagsNew.CREATE)) return { route, how: 'again' };
  return { route, how: flags & FlagsNew.EXCL ? 'alone' : 'before' };
}

function routeMessage({ family, table, octets, length, kind, link, metric }: Route): messages.RouteMessage {
  return {
    kind: 'route',
    data: {
      family: numberOfFamily(family),
      dstLen: length,
      table: table < 256 ? table : 0,
      protocol: PROTOCOL,
      scope: kind === 'unicast' && family === 4 ? 'LINK' : 'UNIVERSE',
      type: kind === 'blackhole' ? 'BLACKHOLE' : 'UNICAST',
    },
    attrs: {
      ...(length > 0 && { dst: Buffer.from(octets) }),
      ...(link !== 0 && { oif: link }),
      priority: metric,
      table,
    },
  };
}

function ruleOf({ data, attrs }: messages.RuleMessage): Rule {
  const suppress = attrs.suppressPrefixlen ? readInt32(attrs.suppressPrefixlen) : -1;
  return {
    priority: attrs.priority ?? 0,
    octets: attrs.src ?? new Uint8Array(4),
    length: data.srcLen ?? 0,
    mark: attrs.fwmark ?? 0,
    table: attrs.table ?? data.table ?? 0,
    suppress: suppress < 0 ? undefined : suppress,
  };
}

function ruleMessage({ priority, octets, length, mark, table, suppress }: Rule): messages.RuleMessage {
  return {
    kind: 'rule',
    data: { family: AF_INET, srcLen: length, table: table < 256 ? table : 0, action: 'toTbl' },
    attrs: {
      priority,
      table,
      protocol: PROTOCOL,
      ...(length > 0 && { src: Buffer.from(octets) }),
      ...(mark !== 0 && { fwmark: mark, fwmask: mark }),
      ...(suppress !== undefined && { suppressPrefixlen: int32(suppress) }),
    },
  };
}

function neighbourMessage({ link, octets }: Neighbour, flags: messages.NeighborFlags): messages.NeighborMessage {
  const attrs = { dst: Buffer.from(octets), ...(flags.proxy && { protocol: Buffer.of(PROTOCOL) }) };
  return { kind: 'neighbor', data: { family: AF_INET6, ifindex: link, flags }, attrs };
}

/** Netlink numbers are in the order of the host. */
function int32(value: number): Buffer {
  return Buffer.from(Int32Array.of(value).buffer);
}

function readInt32(octets: Buffer): number {
  return new Int32Array(Uint8Array.from(octets).buffer)[0] ?? 0;
}

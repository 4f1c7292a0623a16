/**
 * The kernel's links, addresses, routes, rules and proxied neighbours through netlink (npm `netlink`), in the few forms
 * that this program needs. Everything it adds carries PROTOCOL, so that it knows its own again.
 */

import { createRtNetlink } from 'netlink';

/** Routing protocol number of our own (rtnetlink(7): above 245 nobody has one). */
export const PROTOCOL = 246;
export const MAIN_TABLE = 254;
const AF_INET = 2;
const AF_INET6 = 10;
/** NLM_F_CREATE and NLM_F_EXCL. */
const CREATE = 0x400 | 0x200;
const EXISTS: readonly string[] = ['EEXIST'];
const GONE: readonly string[] = ['ENOENT', 'ESRCH', 'ENODEV'];

export type Family = 4 | 6;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly isUp: boolean;
}

export interface Address {
  readonly family: Family;
  readonly link: number;
  /** 4 or 16 octets. */
  readonly octets: Uint8Array;
  readonly length: number;
}

/** A route of ours or of others. `link` 0 for a blackhole. */
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
  /** Next hop, when there is one. */
  readonly gateway: Uint8Array | undefined;
}

/** An IPv4 rule: packets from a prefix or with a mark look into a table. */
export interface Rule {
  readonly priority: number;
  readonly octets: Uint8Array;
  readonly length: number;
  readonly mark: number;
  readonly table: number;
  /** Routes of at most this length in the table are passed over; undefined for none. */
  readonly suppress: number | undefined;
}

export interface ProxiedNeighbour {
  readonly link: number;
  readonly octets: Uint8Array;
}

type Socket = ReturnType<typeof createRtNetlink>;

export class Netlink {
  readonly #socket: Socket = createRtNetlink();
  #last: Promise<unknown> = Promise.resolve();

  /** One request at a time: the library mixes up the parts of two dumps on one socket. */
  #ask<Result>(request: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(request);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async links(): Promise<Link[]> {
    const links = await this.#ask(() => this.#socket.getLinks());
    return links.map(({ data, attrs }) => ({
      index: data.index ?? 0,
      name: attrs.ifname ?? '',
      mtu: attrs.mtu ?? 0,
      isUp: data.flags?.up === true,
    }));
  }

  async addresses(): Promise<Address[]> {
    const addresses = await this.#ask(() => this.#socket.getAddresses());
    return addresses.flatMap(({ data, attrs }) => {
      const octets = attrs.local ?? attrs.address;
      const family = familyOf(data.family);
      return octets && family ? [{ family, link: data.index ?? 0, octets, length: data.prefixlen ?? 0 }] : [];
    });
  }

  async routes(family: Family): Promise<Route[]> {
    const routes = await this.#ask(() => this.#socket.getRoutes({ family: family === 4 ? AF_INET : AF_INET6 }));
    return routes
      .filter(({ data }) => familyOf(data.family) === family)
      .map(({ data, attrs }) => ({
        family,
        table: attrs.table ?? data.table ?? 0,
        octets: attrs.dst ?? new Uint8Array(family === 4 ? 4 : 16),
        length: data.dstLen ?? 0,
        kind: data.type === 'UNICAST' ? 'unicast' : data.type === 'BLACKHOLE' ? 'blackhole' : 'other',
        // IPv6 shows blackholes on the loopback link.
        link: data.type === 'BLACKHOLE' ? 0 : (attrs.oif ?? 0),
        metric: attrs.priority ?? 0,
        protocol: typeof data.protocol === 'number' ? data.protocol : 0,
        gateway: attrs.gateway,
      }));
  }

  async addRoute(route: Route): Promise<void> {
    await tolerate(
      EXISTS,
      this.#ask(() => this.#socket.newRoute(...routeMessage(route), { flags: CREATE })),
    );
  }

  async removeRoute(route: Route): Promise<void> {
    await tolerate(
      GONE,
      this.#ask(() => this.#socket.delRoute(...routeMessage(route))),
    );
  }

  /** IPv4 rules that carry our protocol number. */
  async ownRules(): Promise<Rule[]> {
    const rules = await this.#ask(() => this.#socket.getRules({ family: AF_INET }));
    return rules
      .filter(({ attrs }) => attrs.protocol === PROTOCOL)
      .map(({ data, attrs }) => ({
        priority: attrs.priority ?? 0,
        octets: attrs.src ?? new Uint8Array(4),
        length: data.srcLen ?? 0,
        mark: attrs.fwmark ?? 0,
        table: attrs.table ?? data.table ?? 0,
        suppress: suppressOf(attrs.suppressPrefixlen),
      }));
  }

  async addRule(rule: Rule): Promise<void> {
    await tolerate(
      EXISTS,
      this.#ask(() => this.#socket.newRule(...ruleMessage(rule), { flags: CREATE })),
    );
  }

  async removeRule(rule: Rule): Promise<void> {
    await tolerate(
      GONE,
      this.#ask(() => this.#socket.delRule(...ruleMessage(rule))),
    );
  }

  async proxies(): Promise<ProxiedNeighbour[]> {
    const entries = await this.#ask(() => this.#socket.getNeighbors({ family: AF_INET6, flags: { proxy: true } }));
    return entries.flatMap(({ data, attrs }) =>
      attrs.dst && data.flags?.proxy ? [{ link: data.ifindex ?? 0, octets: attrs.dst }] : [],
    );
  }

  async addProxy({ link, octets }: ProxiedNeighbour): Promise<void> {
    const data = { family: AF_INET6, ifindex: link, flags: { proxy: true as const } };
    await tolerate(
      EXISTS,
      this.#ask(() => this.#socket.newNeighbor(data, { dst: Buffer.from(octets) }, { flags: CREATE })),
    );
  }

  async removeProxy({ link, octets }: ProxiedNeighbour): Promise<void> {
    const data = { family: AF_INET6, ifindex: link, flags: { proxy: true as const } };
    await tolerate(
      GONE,
      this.#ask(() => this.#socket.delNeighbor(data, { dst: Buffer.from(octets) })),
    );
  }

  /** MTU, queue length, and up. */
  async setLink(index: number, mtu: number, queueLength: number): Promise<void> {
    await this.#ask(() =>
      this.#socket.setLink({ index, flags: { up: true }, change: { up: true } }, { mtu, txqlen: queueLength }),
    );
  }

  async removeLink(index: number): Promise<void> {
    await tolerate(
      GONE,
      this.#ask(() => this.#socket.delLink({ index })),
    );
  }

  /** The link that leads to an IPv6 address; undefined when no route does. */
  async linkTowards(octets: Uint8Array): Promise<number | undefined> {
    const data = { family: AF_INET6, dstLen: 128 };
    const found = await this.#ask(() => this.#socket.getRoute(data, { dst: Buffer.from(octets) }).catch(() => []));
    const [route] = found;
    return route?.data.type === 'UNICAST' ? route.attrs.oif : undefined;
  }

  close(): void {
    this.#socket.socket.close();
  }
}

function familyOf(family: number | undefined): Family | undefined {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : undefined;
}

type RouteMessage = Parameters<Socket['newRoute']>;

function routeMessage(route: Route): [RouteMessage[0], NonNullable<RouteMessage[1]>] {
  const { family, table, octets, length, kind, link, metric } = route;
  const data = {
    family: family === 4 ? AF_INET : AF_INET6,
    dstLen: length,
    table: table < 256 ? table : 0,
    protocol: PROTOCOL,
    scope: kind === 'unicast' && family === 4 ? ('LINK' as const) : ('UNIVERSE' as const),
    type: kind === 'blackhole' ? ('BLACKHOLE' as const) : ('UNICAST' as const),
  };
  const attrs = {
    ...(length > 0 && { dst: Buffer.from(octets) }),
    ...(link !== 0 && { oif: link }),
    priority: metric,
    table,
  };
  return [data, attrs];
}

type RuleMessage = Parameters<Socket['newRule']>;

function ruleMessage(rule: Rule): [RuleMessage[0], NonNullable<RuleMessage[1]>] {
  const { priority, octets, length, mark, table, suppress } = rule;
  const data = { family: AF_INET, srcLen: length, table: table < 256 ? table : 0, action: 'toTbl' as const };
  const attrs = {
    priority,
    table,
    protocol: PROTOCOL,
    ...(length > 0 && { src: Buffer.from(octets) }),
    ...(mark !== 0 && { fwmark: mark }),
    ...(suppress !== undefined && { suppressPrefixlen: uint32(suppress) }),
  };
  return [data, attrs];
}

function suppressOf(octets: Buffer | undefined): number | undefined {
  const value = octets?.readInt32LE(0) ?? -1;
  return value < 0 ? undefined : value;
}

function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(value);
  return octets;
}

/** Waits for a request; errors of the list are none. The library tells the error's name in the message alone. */
async function tolerate(errors: readonly string[], request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    const code = error instanceof Error ? /\b(E[A-Z0-9]+)$/.exec(error.message)?.[1] : undefined;
    if (code === undefined || !errors.includes(code)) throw error;
  }
}

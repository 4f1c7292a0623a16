/**
 * What the model asks beyond types and XPath (design: the rules of the model): what spans entries, checked by index. Of
 * the binding table only the changed rows are looked at, unless pools or addresses changed under the others.
 */

import type { Ipv4Prefix } from '../address.ts';
import {
  formatIpv4,
  formatIpv4Prefix,
  formatIpv6,
  inIpv4Prefix,
  isMartianIpv4,
  isMartianPrefix,
  isUnusableIpv6,
  liesIn,
  overlapIpv4,
  sameIpv6,
} from '../address.ts';
import type { Binding } from './binding.generated.ts';
import type { ErrorTag } from './errors.ts';
import { ManagementError } from './errors.ts';
import { checkBgp } from './learned/bgp-rules.ts';
import { checkRouteSources } from './learned/route-source-rules.ts';
import { checkLimits, countPortSets } from './limits.ts';
import type { Aftr, Gateway, Softwire } from './model.generated.ts';
import type { RowChange } from './request.ts';
import { inSlices } from './row-changes.ts';
import type { RowSource } from './rows.ts';
import type { FaultSink } from './shared-address-rules.ts';
import { checkSharedAddresses } from './shared-address-rules.ts';

const MAX_FAULTS = 20;
const ROOT = '/gi-4over6:softwire';

export interface RuleInput {
  readonly before: Softwire;
  readonly after: Softwire;
  /** The tables as they would be. */
  readonly rows: Pick<RowSource, 'binding' | 'bindings'>;
  readonly changes: Iterable<RowChange>;
  /** Sizes of the tables as they would be, by AFTR. */
  readonly counts: ReadonlyMap<string, number>;
}

/** @throws ManagementError with every fault found, at most 20; each with an app-tag and the path of its entry */
export async function checkRules(input: RuleInput): Promise<void> {
  const checker = new RuleChecker(input);
  await checker.run();
  const [first, ...others] = checker.faults;
  if (first) throw new ManagementError(first.tag, first, others);
}

class RuleChecker {
  readonly faults: ManagementError[] = [];
  readonly #input: RuleInput;
  /** Own tunnel addresses by `octetsKey`, with the path of who has them. */
  readonly #tunnels = new Map<string, string>();
  readonly #tunnelList: Uint8Array[] = [];

  constructor(input: RuleInput) {
    this.#input = input;
  }

  async run(): Promise<void> {
    const { gateway, aftr } = this.#input.after;
    const bindings = [...this.#input.counts.values()].reduce((sum, count) => sum + count, 0);
    for (const { path = ROOT, appTag = '', message } of checkLimits(this.#input.after, bindings)) {
      this.#fault(path, appTag, message, 'resource-denied');
    }
    for (const item of gateway) this.#tunnelAddresses(gatewayPath(item), item.ipv6Address ? [item.ipv6Address] : []);
    for (const item of aftr) this.#tunnelAddresses(aftrPath(item), aftrAddresses(item));
    for (const item of gateway) this.#icmpSource(gatewayPath(item), item.ipv4Address);
    for (const item of aftr) this.#icmpSource(aftrPath(item), item.ipv4Address);
    for (const item of gateway) this.#gateway(item);
    for (const item of aftr) this.#aftr(item);
    this.#apart(
      gateway.flatMap((item) => item.servedPrefix.map(({ ipv4Prefix }) => servedPrefix(item, ipv4Prefix))),
      'overlapping-served-prefix',
    );
    this.#apart(
      aftr.flatMap((item) => item.ipv4Pool.map((pool) => poolOf(item, pool))),
      'overlapping-pool',
    );
    await this.#rows();
    for (const item of aftr) this.#sharedAddresses(item);
    checkBgp(this.#input.after, { fault: (path, appTag, message) => this.#fault(path, appTag, message) });
    checkRouteSources(aftr, aftrPath, {
      fault: (path, appTag, message) => this.#fault(path, appTag, message),
      farEnd: (path, address) => this.#farEnd(path, address),
    });
  }

  #fault(path: string, appTag: string, message: string, tag: ErrorTag = 'operation-failed'): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(new ManagementError(tag, { path, appTag, message }));
  }

  #tunnelAddresses(path: string, addresses: readonly Uint8Array[]): void {
    for (const address of addresses) {
      const text = formatIpv6(address);
      const owner = this.#tunnels.get(octetsKey(address));
      if (isUnusableIpv6(address)) {
        this.#fault(
          path,
          'unusable-tunnel-address',
          `${text} cannot be a tunnel address: expected a unicast address that is not link-local`,
        );
      } else if (owner !== undefined) {
        this.#fault(path, 'duplicate-tunnel-address', `${text} is the tunnel address of ${owner} already`);
      } else {
        this.#tunnels.set(octetsKey(address), path);
        this.#tunnelList.push(address);
      }
    }
  }

  /** The source of ICMP messages must be an address that somebody can answer to (RFC 1812 §4.3.2.4). */
  #icmpSource(path: string, address: number | undefined): void {
    if (address === undefined || !isMartianIpv4(address)) return;
    const message = `${formatIpv4(address)} cannot be the source of packets: expected a unicast address`;
    this.#fault(`${path}/ipv4-address`, 'unusable-ipv4-address', message);
  }

  #gateway(gateway: Gateway): void {
    const path = gatewayPath(gateway);
    if (gateway.enabled && !gateway.ipv6Address) {
      this.#fault(path, 'missing-tunnel-address', `gateway ${gateway.name} is enabled but has no ipv6-address`);
    }
    this.#aftrOf(gateway, path);
    if (gateway.aftrIpv6Address) this.#farEnd(`${path}/aftr-ipv6-address`, gateway.aftrIpv6Address);
    for (const { ipv4Prefix } of gateway.servedPrefix) this.#notMartian(servedPrefix(gateway, ipv4Prefix));
  }

  /** Exactly one way to know the AFTR; none is needed as long as the gateway is off. */
  #aftrOf({ name, enabled, aftrIpv6Address, aftrFromDhcpv6 }: Gateway, path: string): void {
    if (aftrIpv6Address && aftrFromDhcpv6 !== undefined) {
      const message = `gateway ${name} has both aftr-ipv6-address and aftr-from-dhcpv6: expected one of them`;
      this.#fault(`${path}/aftr-from-dhcpv6`, 'two-aftr-addresses', message);
    } else if (enabled && !aftrIpv6Address && aftrFromDhcpv6 === undefined) {
      const message = `gateway ${name} is enabled but has neither aftr-ipv6-address nor aftr-from-dhcpv6`;
      this.#fault(path, 'missing-aftr-address', message);
    }
  }

  #aftr(aftr: Aftr): void {
    const path = aftrPath(aftr);
    if (aftr.enabled && !aftr.ipv6Address) {
      this.#fault(path, 'missing-tunnel-address', `AFTR ${aftr.name} is enabled but has no ipv6-address`);
    }
    if (aftr.enabled && aftr.ipv4Pool.length === 0) {
      this.#fault(path, 'missing-pool', `AFTR ${aftr.name} is enabled but has no ipv4-pool: it answers for no address`);
    }
    for (const pool of aftr.ipv4Pool) this.#notMartian(poolOf(aftr, pool));
    const count = (this.#input.counts.get(aftr.name) ?? 0) + countPortSets(aftr);
    if (aftr.softwireNumMax !== undefined && count > aftr.softwireNumMax) {
      this.#fault(
        `${path}/softwire-num-max`,
        'too-many-bindings',
        `AFTR ${aftr.name} would have ${count} bindings and port sets, softwire-num-max is ${aftr.softwireNumMax}`,
      );
    }
  }

  /** The far end of a tunnel: usable, and not this device itself (RFC 2473 §4.1.2). */
  #farEnd(path: string, address: Uint8Array): void {
    const text = formatIpv6(address);
    const owner = this.#tunnels.get(octetsKey(address));
    if (isUnusableIpv6(address)) {
      this.#fault(
        path,
        'unusable-tunnel-address',
        `${text} cannot be a tunnel endpoint: expected a unicast address that is not link-local`,
      );
    } else if (owner !== undefined) {
      this.#fault(
        path,
        'both-ends-local',
        `${text} is the tunnel address of ${owner} on this device: the tunnel would end where it begins`,
      );
    }
  }

  #notMartian({ path, prefix }: Owned): void {
    const text = formatIpv4Prefix(prefix.address, prefix.length);
    if (isMartianPrefix(prefix)) {
      this.#fault(
        path,
        'martian-prefix',
        `${text} holds addresses that no host can have: expected public or private unicast space`,
      );
    }
  }

  /** Prefixes of different owners must not overlap. */
  #apart(items: readonly Owned[], appTag: string): void {
    const sorted = [...items].sort((a, b) => a.prefix.address - b.prefix.address || a.prefix.length - b.prefix.length);
    let widest: Owned | undefined;
    for (const item of sorted) {
      if (widest && widest.owner !== item.owner && overlapIpv4(widest.prefix, item.prefix)) {
        const [a, b] = [item, widest].map(({ prefix }) => formatIpv4Prefix(prefix.address, prefix.length));
        this.#fault(item.path, appTag, `${a} of ${item.owner} overlaps ${b} of ${widest.owner}`);
      }
      if (!widest || !overlapIpv4(widest.prefix, item.prefix)) widest = item;
    }
  }

  /** The changed rows, and of the others those whose ground moved: a pool or AFTR address that went, a tunnel address that came. */
  async #rows(): Promise<void> {
    const { before, after, rows, changes } = this.#input;
    const known = new Set(tunnelTexts(before));
    const hasNewTunnel = tunnelTexts(after).some((text) => !known.has(text));
    for (const aftr of after.aftr) {
      const own = aftrAddresses(aftr).map(octetsKey);
      const old = before.aftr.find(({ name }) => name === aftr.name);
      if (!old || hasNewTunnel || !aftrAddresses(old).every((address) => own.includes(octetsKey(address)))) {
        await inSlices(rows.bindings(aftr.name), (binding) => this.#binding(aftr, own, binding));
        continue;
      }
      const lost = old.ipv4Pool.filter((pool) => !aftr.ipv4Pool.some((other) => liesIn(pool, other)));
      for (const pool of lost) this.#range(aftr, own, pool);
      await inSlices(changes, (change) => {
        const binding = change.instance === aftr.name ? change.after : undefined;
        if (!binding || lost.some((pool) => inIpv4Prefix(binding.address, pool))) return;
        this.#binding(aftr, own, binding);
      });
    }
  }

  #sharedAddresses(aftr: Aftr): void {
    const { before, after, rows, changes } = this.#input;
    const { faults } = this;
    const sink: FaultSink = {
      get isFull() {
        return faults.length >= MAX_FAULTS;
      },
      fault: (path, appTag, message) => this.#fault(path, appTag, message),
      farEnd: (path, address) => this.#farEnd(path, address),
      notMartian: (path, prefix) => this.#notMartian({ path, owner: aftr.name, prefix }),
    };
    const old = before.aftr.find(({ name }) => name === aftr.name);
    const input = { aftr, before: old, path: aftrPath(aftr), own: aftrAddresses(aftr), rows, changes };
    checkSharedAddresses(input, before !== after, sink);
  }

  /** Devices have few tunnel addresses, mostly one: looking at each is quicker than a key. */
  #isTunnel(address: Uint8Array): boolean {
    if (this.#tunnelList.length > 8) return this.#tunnels.has(octetsKey(address));
    for (const tunnel of this.#tunnelList) if (sameIpv6(tunnel, address)) return true;
    return false;
  }

  /** All rows in a prefix. */
  #range(aftr: Aftr, own: readonly string[], prefix: Ipv4Prefix): void {
    for (const binding of this.#input.rows.bindings(aftr.name, { address: prefix.address, length: 0 })) {
      if (!inIpv4Prefix(binding.address, prefix)) break;
      this.#binding(aftr, own, binding);
    }
  }

  /** Runs once a row of a bulk load: text is made only for a fault. `own` are the AFTR's addresses by `octetsKey`. */
  #binding(aftr: Aftr, own: readonly string[], binding: Binding): void {
    if (this.faults.length >= MAX_FAULTS) return;
    const { gatewayIpv6Address: gateway, aftrIpv6Address: chosen } = binding;
    const path = () => bindingPath(aftr, binding);
    if (isMartianPrefix(binding)) this.#notMartian({ path: path(), owner: aftr.name, prefix: binding });
    if (!aftr.ipv4Pool.some((pool) => liesIn(binding, pool))) {
      const [text = '', ...pools] = [binding, ...aftr.ipv4Pool].map((item) =>
        formatIpv4Prefix(item.address, item.length),
      );
      const message = `binding ${text} lies in no ipv4-pool of AFTR ${aftr.name} (pools: ${pools.join(', ') || 'none'})`;
      this.#fault(path(), 'outside-pool', message);
    }
    if (isUnusableIpv6(gateway) || this.#isTunnel(gateway)) {
      this.#farEnd(`${path()}/gateway-ipv6-address`, gateway);
    }
    if (chosen && !own.includes(octetsKey(chosen))) {
      const has = aftrAddresses(aftr).map((address) => formatIpv6(address));
      const message = `${formatIpv6(chosen)} is no tunnel address of AFTR ${aftr.name} (it has ${has.join(', ') || 'none'})`;
      this.#fault(`${path()}/aftr-ipv6-address`, 'unknown-aftr-address', message);
    }
  }
}

interface Owned {
  readonly path: string;
  readonly owner: string;
  readonly prefix: Ipv4Prefix;
}

function gatewayPath({ name }: Gateway): string {
  return `${ROOT}/gateway[name='${name}']`;
}

function aftrPath({ name }: Aftr): string {
  return `${ROOT}/aftr[name='${name}']`;
}

function bindingPath(aftr: Aftr, { address, length }: Ipv4Prefix): string {
  return `${aftrPath(aftr)}/binding-table/binding[ipv4-prefix='${formatIpv4Prefix(address, length)}']`;
}

function servedPrefix(gateway: Gateway, prefix: Ipv4Prefix): Owned {
  const text = formatIpv4Prefix(prefix.address, prefix.length);
  return {
    path: `${gatewayPath(gateway)}/served-prefix[ipv4-prefix='${text}']`,
    owner: `gateway ${gateway.name}`,
    prefix,
  };
}

function poolOf(aftr: Aftr, prefix: Ipv4Prefix): Owned {
  const text = formatIpv4Prefix(prefix.address, prefix.length);
  return { path: `${aftrPath(aftr)}/ipv4-pool[.='${text}']`, owner: `AFTR ${aftr.name}`, prefix };
}

/** All tunnel addresses of an AFTR, the main one first. */
export function aftrAddresses(aftr: Aftr): Uint8Array[] {
  return [...(aftr.ipv6Address ? [aftr.ipv6Address] : []), ...aftr.additionalIpv6Address];
}

function tunnelTexts({ gateway, aftr }: Softwire): string[] {
  return [...gateway.flatMap(({ ipv6Address }) => ipv6Address ?? []), ...aftr.flatMap(aftrAddresses)].map(octetsKey);
}

/** An address as a key of maps, cheaper than its text. */
function octetsKey(address: Uint8Array): string {
  return Buffer.from(address.buffer, address.byteOffset, address.byteLength).toString('latin1');
}

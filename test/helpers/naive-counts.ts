/**
 * What an AFTR counts, in maps: traffic of each binding and each gateway, and who sends what is not his (RFC 7596 §6.2). A binding
 * begins anew with another gateway; a gateway keeps what its lost bindings had, and is gone with the last row that leads to it.
 */

import { formatIpv4Prefix } from '../../src/address.ts';
import type {
  Amount,
  NaiveAnswer,
  NaiveDecision,
  NaiveInstance,
  NaiveLead,
  NaivePortSet,
  NaiveRow,
  NaiveShared,
  NaiveTable,
} from './naive-model.ts';

export interface NaiveTraffic {
  readonly to: Amount;
  readonly from: Amount;
}

export interface NaiveGateway extends NaiveTraffic {
  /** What leads to it. */
  readonly rows: Set<string>;
  readonly violations: Amount;
}

/** A row that comes or goes by itself. */
export interface RowStep {
  readonly kind: 'put' | 'remove';
  readonly row: NaiveRow;
}

type Ends = Record<NaiveAnswer['end'], Amount>;

export class NaiveCounts {
  /** By name of the AFTR and prefix. */
  readonly bindings = new Map<string, NaiveTraffic>();
  /** By name of the AFTR and address. */
  readonly gateways = new Map<string, NaiveGateway>();
  /** Violations that each AFTR has seen. */
  readonly violations = new Map<string, number>();
  /** The same by name of the AFTR and outer source, since it was cleared. */
  readonly violators = new Map<string, number>();
  /** What left HELD is counted at its end; what waits now is not here. */
  readonly ends: Readonly<Record<4 | 6, Ends>> = { 4: newEnds(), 6: newEnds() };
  /** Bindings by prefix. */
  readonly #rows = new Map<string, NaiveRow>();
  readonly #shared = new Map<number, NaiveShared>();
  #counting = new Set<string>();

  /** Makes everything that of a table: what is new first, then what goes. */
  follow({ instances, rows, shared }: NaiveTable): void {
    const counting = instances.filter(({ isCounting }) => isCounting).map(({ name }) => name);
    for (const name of counting) if (!this.#counting.has(name)) this.clear(name);
    this.#counting = new Set(counting);
    for (const one of shared) this.#putShared(one);
    for (const row of rows) this.#put(row);
    const wanted = new Set(rows.map(prefixOf));
    for (const [prefix, row] of this.#rows) if (!wanted.has(prefix)) this.#remove(row);
    for (const [address, one] of this.#shared) {
      if (shared.some((other) => other.address === address)) continue;
      this.#shared.delete(address);
      for (const portSet of one.portSets) this.#leave(portSet, keyOfPortSet(one, portSet));
    }
  }

  /** Changes single bindings, in this order; what they led to before goes when all that comes is there. */
  step(steps: readonly RowStep[]): void {
    const gone = steps.flatMap(({ kind, row }) => (kind === 'put' ? this.#replaced(row) : this.#removed(row)) ?? []);
    for (const row of gone) {
      const now = this.#rows.get(prefixOf(row));
      if (!now || keyOfRow(now) !== keyOfRow(row)) this.#leave(row, keyOfRow(row));
    }
  }

  /** An AFTR counts from zero again. */
  clear(name: string): void {
    const isOwn = ([key]: readonly [string, NaiveTraffic]): boolean => key.startsWith(`${name} `);
    for (const [, traffic] of [...this.bindings].filter(isOwn)) reset(traffic.to, traffic.from);
    for (const [, gateway] of [...this.gateways].filter(isOwn)) reset(gateway.to, gateway.from, gateway.violations);
  }

  /** A packet has ended, with what waited for it. */
  add({ side, end, from, to, violated, amount, source }: NaiveDecision): void {
    increase(this.ends[side][end], amount);
    const isForwarded = end === 'forwarded' || end === 'hairpinned';
    if (from && isForwarded) this.#count(from, 'from', amount);
    if (to && isForwarded) this.#count(to, 'to', amount);
    if (!violated || !source) return;
    this.violations.set(violated.name, (this.violations.get(violated.name) ?? 0) + amount.packets);
    const violator = gatewayKey(violated, source);
    this.violators.set(violator, (this.violators.get(violator) ?? 0) + amount.packets);
    const gateway = this.gateways.get(violator);
    if (gateway && violated.isCounting) increase(gateway.violations, amount);
  }

  #count(lead: NaiveLead, direction: 'to' | 'from', amount: Readonly<Amount>): void {
    if (!lead.instance.isCounting) return;
    const gateway = this.gateways.get(gatewayKey(lead.instance, lead.remote));
    if (!gateway) throw new Error(`no gateway ${gatewayKey(lead.instance, lead.remote)}`);
    increase(gateway[direction], amount);
    if (!('prefix' in lead)) return;
    const binding = this.bindings.get(bindingKey(lead as NaiveRow));
    if (!binding) throw new Error(`no binding ${bindingKey(lead as NaiveRow)}`);
    increase(binding[direction], amount);
  }

  #put(row: NaiveRow): void {
    const old = this.#replaced(row);
    if (old) this.#leave(old, keyOfRow(old));
  }

  #remove(row: NaiveRow): void {
    const old = this.#removed(row);
    if (old) this.#leave(old, keyOfRow(old));
  }

  /** Puts a row; the one that it takes the place of, which still leads to its gateway. */
  #replaced(row: NaiveRow): NaiveRow | undefined {
    const prefix = prefixOf(row);
    const old = this.#rows.get(prefix);
    this.#rows.set(prefix, row);
    if (old && keyOfRow(old) === keyOfRow(row)) return undefined;
    this.#enter(row, keyOfRow(row));
    const goesOn = old?.instance.name === row.instance.name && old.remote.equals(row.remote);
    if (old && !goesOn) this.bindings.delete(bindingKey(old));
    if (!goesOn) this.bindings.set(bindingKey(row), { to: newAmount(), from: newAmount() });
    return old;
  }

  /** Takes a row out, which still leads to its gateway. */
  #removed(row: NaiveRow): NaiveRow | undefined {
    const old = this.#rows.get(prefixOf(row));
    if (!old) return undefined;
    this.#rows.delete(prefixOf(row));
    this.bindings.delete(bindingKey(old));
    return old;
  }

  #putShared(shared: NaiveShared): void {
    const old = this.#shared.get(shared.address);
    this.#shared.set(shared.address, shared);
    const isKept = old?.psidOffset === shared.psidOffset && old.psidLength === shared.psidLength;
    const oldSets = new Map(old?.portSets.map((portSet) => [portSet.psid, portSet]));
    const gone = new Set(oldSets.values());
    for (const portSet of shared.portSets) {
      const before = isKept ? oldSets.get(portSet.psid) : undefined;
      if (before && old) gone.delete(before);
      if (before && old && keyOfPortSet(old, before) === keyOfPortSet(shared, portSet)) continue;
      this.#enter(portSet, keyOfPortSet(shared, portSet));
      if (before && old) this.#leave(before, keyOfPortSet(old, before));
    }
    const bound = this.#rows.get(formatIpv4Prefix(shared.address, 32));
    if (bound) this.#remove(bound);
    for (const portSet of gone) if (old) this.#leave(portSet, keyOfPortSet(old, portSet));
  }

  #enter({ instance, remote }: NaiveLead, key: string): void {
    const name = gatewayKey(instance, remote);
    const known = this.gateways.get(name);
    if (known) known.rows.add(key);
    else {
      const figures = { to: newAmount(), from: newAmount(), violations: newAmount() };
      this.gateways.set(name, { rows: new Set([key]), ...figures });
    }
  }

  #leave({ instance, remote }: NaiveLead, key: string): void {
    const name = gatewayKey(instance, remote);
    const gateway = this.gateways.get(name);
    gateway?.rows.delete(key);
    if (gateway?.rows.size === 0) this.gateways.delete(name);
  }
}

export function bindingKey({ instance, prefix }: NaiveRow): string {
  return `${instance.name} ${formatIpv4Prefix(prefix.address, prefix.length)}`;
}

export function gatewayKey({ name }: NaiveInstance, remote: Buffer): string {
  return `${name} ${remote.toString('hex')}`;
}

function prefixOf({ prefix }: NaiveRow): string {
  return formatIpv4Prefix(prefix.address, prefix.length);
}

function keyOfRow(row: NaiveRow): string {
  return `${bindingKey(row)} ${row.local.toString('hex')} ${row.remote.toString('hex')}`;
}

function keyOfPortSet(shared: NaiveShared, { psid, instance, local, remote }: NaivePortSet): string {
  const { address, psidOffset, psidLength } = shared;
  return [instance.name, address, psidOffset, psidLength, psid, local.toString('hex'), remote.toString('hex')].join();
}

function newAmount(): Amount {
  return { packets: 0, octets: 0 };
}

function newEnds(): Ends {
  return {
    forwarded: newAmount(),
    hairpinned: newAmount(),
    replied: newAmount(),
    held: newAmount(),
    dropped: newAmount(),
  };
}

function increase(amount: Amount, by: Readonly<Amount>): void {
  amount.packets += by.packets;
  amount.octets += by.octets;
}

function reset(...amounts: readonly Amount[]): void {
  for (const amount of amounts) {
    amount.packets = 0;
    amount.octets = 0;
  }
}

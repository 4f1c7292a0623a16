/** Random tables of a role, and random changes of them: rows that come, go, and move, port sets, addresses and modes. */

import type { Ipv4Prefix } from '../../src/address.ts';
import { formatIpv4Prefix, ipv4Mask } from '../../src/address.ts';
import type { Role } from '../../src/datapath/engine.ts';
import type { RowStep } from './naive-counts.ts';
import type { NaiveInstance, NaivePortSet, NaiveRow, NaiveShared, NaiveTable } from './naive-model.ts';

export type Next = () => number;

/** IPv6 addresses that tables choose from: two near ends for each instance, far ends. */
const LOCALS = Array.from({ length: 6 }, (_, i) => address6(0xb, i));
export const REMOTES = Array.from({ length: 12 }, (_, i) => address6(0xa, i));
/** Each instance has one /16 from here on for bindings, and another one for shared addresses. */
export const FIRST_NET = 0xc6330000;
export const SHARED_NET = 0xc8000000;
/** The first four octets of tunnel addresses: no part of a packet may be taken for what it is not. */
const TUNNEL_NET = { address: 0x20010000, length: 16 };
export const BROADCAST = FIRST_NET + 0x3ff;
/** An address of the device itself. */
export const HOST = FIRST_NET + 0x101;
/** Rows of an instance at most, or so. */
const MOST_ROWS = 40;

function address6(net: number, host: number): Buffer {
  const last = (host + 1).toString(16).padStart(3, '0');
  return Buffer.from(`20010db8000${net.toString(16)}00000000000000000${last}`, 'hex');
}

export function pick<Item>(list: readonly Item[], next: Next): Item {
  const item = list[next() % list.length];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** True once in `n` times. */
export function chance(n: number, next: Next): boolean {
  return next() % n === 0;
}

export function randomTable(role: Role, next: Next): NaiveTable {
  // Half the tables have nothing that asks more of each packet.
  const isPlain = chance(2, next);
  const count = 1 + (next() % 3);
  const instances = Array.from({ length: count }, (_, i) => randomInstance(role, i, isPlain, next));
  let table: NaiveTable = {
    instances,
    rows: [],
    shared: [],
    broadcasts: chance(3, next) ? [BROADCAST] : [],
    hosts: chance(3, next) ? [HOST] : [],
  };
  for (const instance of instances) {
    for (let n = next() % MOST_ROWS; n >= 0; n--) table = withRow(table, randomRow(role, instance, next));
    if (role === 'aftr') for (let n = next() % 4; n > 0; n--) table = withShared(table, randomShared(instance, next));
  }
  return table;
}

function numberOf({ name }: NaiveInstance): number {
  return Number(name.slice(1));
}

function randomInstance(role: Role, i: number, isPlain: boolean, next: Next): NaiveInstance {
  const both = LOCALS.slice(2 * i, 2 * i + 2);
  const locals = role === 'aftr' ? both.slice(0, 1 + (next() % 2)) : [pick(both, next)];
  const isSpecial = (n: number): boolean => !isPlain && chance(n, next);
  const pools = [FIRST_NET, SHARED_NET].map((net) => ({ address: net + (i << 16), length: 16 }));
  return {
    name: `i${i}`,
    locals,
    remote: role === 'gateway' ? pick(REMOTES, next) : undefined,
    ipv4Address: chance(4, next) ? 0 : 0xcb007100 + i + 1,
    isPipe: chance(3, next),
    pipeDscp: next() & 63,
    isEcnCompatible: chance(3, next),
    hasFlowLabel: chance(2, next),
    hopLimit: 1 + (next() % 255),
    payloadMtu: pick([1_240, 1_280, 1_400, 1_460], next),
    isHairpinning: !chance(3, next),
    passesSourceRoutes: chance(3, next),
    deniesIcmp: isSpecial(3),
    cutsOuter: !chance(4, next),
    encapsulationLimit: isSpecial(3) ? next() & 255 : undefined,
    mssClamp: isSpecial(3) ? 536 + (next() % 1_000) : undefined,
    egressMtu: chance(4, next) ? 600 : 65_535,
    isCounting: role === 'aftr' && !chance(3, next),
    isEnabled: true,
    mostFragments: pick([64, 64, 5], next),
    mostOfSource: pick([1_000_000, 12], next),
    pools: role === 'gateway' ? [] : i === 0 ? [...pools, TUNNEL_NET] : pools,
  };
}

function randomRow(role: Role, instance: NaiveInstance, next: Next): NaiveRow {
  const local = pick(role === 'aftr' ? instance.locals : instance.locals.slice(0, 1), next);
  const remote = instance.remote ?? pick(REMOTES, next);
  return { prefix: randomPrefix(role, instance, next), instance, local, remote };
}

function randomPrefix(role: Role, instance: NaiveInstance, next: Next): Ipv4Prefix {
  if (instance.pools.includes(TUNNEL_NET) && chance(8, next)) return TUNNEL_NET;
  // A shared address may become one man's.
  if (role === 'aftr' && chance(8, next)) return { address: sharedAddress(instance, next), length: 32 };
  const length = pick([16, 20, 24, 24, 27, 28, 30, 32, 32, 32], next);
  // Few third octets, so that prefixes lie in each other.
  // What several gateways learned, each serves.
  const net = role === 'gateway' && chance(3, next) ? next() % 3 : numberOf(instance);
  const address = FIRST_NET + (net << 16) + ((next() % 4) << 8) + (next() & 255);
  return { address: (address & ipv4Mask(length)) >>> 0, length };
}

function sharedAddress(instance: NaiveInstance, next: Next): number {
  return SHARED_NET + (numberOf(instance) << 16) + 1 + (next() % 4);
}

function randomShared(instance: NaiveInstance, next: Next): NaiveShared {
  const psidLength = chance(4, next) ? pick([0, 16], next) : next() % 17;
  const psidOffset = next() % (17 - psidLength);
  const shared = { instance, address: sharedAddress(instance, next), psidOffset, psidLength, portSets: [] };
  return withPortSets(shared, next() % 12, next);
}

function withPortSets(shared: NaiveShared, count: number, next: Next): NaiveShared {
  const { instance, psidLength } = shared;
  const portSets = new Map<number, NaivePortSet>(shared.portSets.map((portSet) => [portSet.psid, portSet]));
  for (let n = count; n >= 0; n--) {
    const psid = next() % 2 ** psidLength;
    portSets.set(psid, { psid, instance, local: pick(instance.locals, next), remote: pick(REMOTES, next) });
  }
  return { ...shared, portSets: [...portSets.values()] };
}

/** With a binding in the place of what has its prefix, or its address. */
function withRow(table: NaiveTable, row: NaiveRow): NaiveTable {
  // An AFTR has a prefix once.
  const keyOf = (one: NaiveRow) => (one.instance.remote ? `${one.instance.name} ${prefixOf(one)}` : prefixOf(one));
  const rows = new Map(table.rows.map((one) => [keyOf(one), one]));
  rows.set(keyOf(row), row);
  const shared = table.shared.filter(({ address }) => row.prefix.length < 32 || address !== row.prefix.address);
  return { ...table, rows: [...rows.values()], shared };
}

function withoutRow(table: NaiveTable, row: NaiveRow): NaiveTable {
  return { ...table, rows: table.rows.filter((one) => one !== row) };
}

function withShared(table: NaiveTable, shared: NaiveShared): NaiveTable {
  const rows = table.rows.filter(({ prefix }) => prefix.length < 32 || prefix.address !== shared.address);
  const others = table.shared.filter(({ address }) => address !== shared.address);
  // In the order of their instances, as a configuration has them.
  const all = [...others, shared].toSorted((a, b) => numberOf(a.instance) - numberOf(b.instance));
  return { ...table, rows, shared: all };
}

/**
 * With an instance in the place of the one that has its name; what named a tunnel address of an AFTR that is gone is gone, and
 * served prefixes follow their gateway.
 */
export function withInstance(table: NaiveTable, instance: NaiveInstance): NaiveTable {
  const isOwn = (one: { readonly instance: NaiveInstance }): boolean => one.instance.name === instance.name;
  const { locals, remote } = instance;
  const isLeft = (one: { readonly local: Buffer }): boolean => locals.some((local) => local.equals(one.local));
  const follows = (row: NaiveRow): NaiveRow =>
    remote ? { ...row, instance, remote, local: pick(locals, () => 0) } : { ...row, instance };
  return {
    ...table,
    instances: table.instances.map((one) => (one.name === instance.name ? instance : one)),
    rows: table.rows
      .filter((row) => !isOwn(row) || remote || isLeft(row))
      .map((row) => (isOwn(row) ? follows(row) : row)),
    shared: table.shared.map((shared) => {
      if (!isOwn(shared)) return shared;
      const portSets = shared.portSets.filter(isLeft).map((portSet) => ({ ...portSet, instance }));
      return { ...shared, instance, portSets };
    }),
  };
}

function prefixOf({ prefix }: NaiveRow): string {
  return formatIpv4Prefix(prefix.address, prefix.length);
}

export interface TableChange {
  readonly table: NaiveTable;
  /** Row by row, in this order; otherwise all in one moment. */
  readonly steps?: readonly RowStep[];
}

/** A change under traffic: of no more than a few rows, an address or an instance. */
export function changeTable(role: Role, table: NaiveTable, next: Next): TableChange {
  const kind = next() % 8;
  if (role === 'gateway' || kind < 4) {
    if (role === 'aftr' && kind < 2) return changeRows(table, next);
    let after = table;
    for (let n = next() % 6; n >= 0; n--) after = changeOneRow(role, after, next);
    return kind < 5 ? { table: after } : { table: changeInstance(role, after, next) };
  }
  return { table: kind < 6 ? changeShared(table, next) : changeInstance(role, table, next) };
}

function changeOneRow(role: Role, table: NaiveTable, next: Next): NaiveTable {
  const instance = pick(table.instances, next);
  if (table.rows.length === 0 || (chance(2, next) && table.rows.length < 3 * MOST_ROWS)) {
    return withRow(table, randomRow(role, instance, next));
  }
  const row = pick(table.rows, next);
  if (chance(3, next)) return withoutRow(table, row);
  return withRow(table, movedRow(role, row, next));
}

/** To another gateway, to another address of the AFTR, or both; a served prefix moves to another gateway's. */
function movedRow(role: Role, row: NaiveRow, next: Next): NaiveRow {
  if (role === 'gateway') return row;
  const local = chance(2, next) ? row.local : pick(row.instance.locals, next);
  return { ...row, local, remote: chance(2, next) ? row.remote : pick(REMOTES, next) };
}

/** As records of changes are followed: single bindings, one after the other. */
function changeRows(before: NaiveTable, next: Next): TableChange {
  let table = before;
  const steps: RowStep[] = [];
  for (let n = next() % 6; n >= 0; n--) {
    const after = changeOneRow('aftr', table, next);
    // What takes the place of a shared address changes more than a row.
    if (after.shared.length !== table.shared.length) continue;
    for (const row of table.rows) {
      if (!after.rows.some((one) => prefixOf(one) === prefixOf(row))) steps.push({ kind: 'remove', row });
    }
    for (const row of after.rows) if (!table.rows.includes(row)) steps.push({ kind: 'put', row });
    table = after;
  }
  return { table, steps };
}

function changeShared(table: NaiveTable, next: Next): NaiveTable {
  const known = table.shared.length === 0 ? undefined : pick(table.shared, next);
  switch (known ? next() % 6 : 0) {
    case 0:
    case 1:
      return withShared(table, randomShared(pick(table.instances, next), next));
    case 2:
      return { ...table, shared: table.shared.filter((one) => one !== known) };
    case 3:
      return known ? withShared(table, withPortSets({ ...known, portSets: [] }, next() % 4, next)) : table;
    case 4:
      return known ? withShared(table, { ...known, portSets: known.portSets.filter(() => !chance(3, next)) }) : table;
    default:
      return known ? withShared(table, withPortSets(known, next() % 6, next)) : table;
  }
}

/** A second tunnel address of one AFTR becomes another's. */
function withAddressOf(table: NaiveTable, to: NaiveInstance, from: NaiveInstance): NaiveTable {
  const [first, second] = from.locals;
  if (to === from || !first || !second || to.locals.length > 2) return table;
  return withInstance(withInstance(table, { ...from, locals: [first] }), { ...to, locals: [...to.locals, second] });
}

/** Other modes, other addresses, another far end; or addresses of links come and go. */
function changeInstance(role: Role, table: NaiveTable, next: Next): NaiveTable {
  if (chance(12, next)) return { ...table, broadcasts: table.broadcasts.length > 0 ? [] : [BROADCAST] };
  if (chance(12, next)) return { ...table, hosts: table.hosts.length > 0 ? [] : [HOST] };
  const instance = pick(table.instances, next);
  if (!instance.isEnabled) return withInstance(table, { ...instance, isEnabled: true });
  const other = randomInstance(role, numberOf(instance), chance(2, next), next);
  // Of a source with more than it may have, more than one packet would have to go at a time.
  const { locals, remote, mostOfSource } = instance;
  switch (next() % 6) {
    case 0:
      return withInstance(table, { ...instance, isCounting: other.isCounting });
    case 1: {
      const taken = table.instances.filter((one) => one !== instance).flatMap((one) => one.locals);
      const free = other.locals.filter((local) => !taken.includes(local));
      return free.length > 0 ? withInstance(table, { ...instance, locals: free, remote: other.remote }) : table;
    }
    case 2:
      return withInstance(table, { ...instance, isEnabled: false });
    case 3:
      return role === 'aftr' ? withAddressOf(table, instance, pick(table.instances, next)) : table;
    default:
      return withInstance(table, { ...other, locals, remote, mostOfSource });
  }
}

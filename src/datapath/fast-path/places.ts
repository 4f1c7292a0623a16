/**
 * Where things lie in the memory, in octets from its beginning, and what else stays the same for an engine: set by fast-path.ts. It is
 * no part of the memory, so nothing that packets make the module write can change it.
 */

import { FLAG_DENY_ICMPV4, FLAG_ENCAPSULATION_LIMIT, FLAG_MSS_CLAMP } from '../layout.ts';
import { DESTINATION, OUTER_LEN, SOURCE } from './headers.ts';

/** The table: first level, blocks, rows. */
export let first: usize = 0;
export let blocks: usize = 0;
export let tableRows: usize = 0;
export let templates: usize = 0;
/** Own addresses: the filter, which stands first. */
export let ownFilter: usize = 0;

/** Key of the hash of flow labels. */
export let flowKey: u32 = 0;
/** What ECN field leaves a tunnel, or 15 for the slow path: four bits for each pair of inner and outer field. */
export let leavingEcn: u64 = 0;

/** Where a packet has the address that the table is asked for, and the other one: from IPv4, and from IPv6. */
export let keyOfIpv4: usize = 0;
export let keyOfIpv6: usize = 0;
export let otherOfIpv4: usize = 0;
export let otherOfIpv6: usize = 0;
/** 0 where the other address of a packet from IPv4 is not asked for, else all ones. */
export let otherMask: u32 = 0;
/** Flags of a softwire by which a packet may need more than is done here: going in, coming out. */
export let rareIn: u32 = 0;
export let rareOut: u32 = 0;

/** The batch: packets, then an entry for each packet, then one for each output. */
export let slab: usize = 0;
export let at: usize = 0;
export let lengths: usize = 0;
export let sides: usize = 0;
export let verdicts: usize = 0;
export let instances: usize = 0;
export let rows: usize = 0;
export let otherRows: usize = 0;
export let keys: usize = 0;
export let otherKeys: usize = 0;
export let softwires: usize = 0;
export let output: usize = 0;
export let owners: usize = 0;

export function setTables(
  firstAt: usize,
  blocksAt: usize,
  rowsAt: usize,
  softwiresAt: usize,
  ownAddressesAt: usize,
): void {
  first = firstAt;
  blocks = blocksAt;
  tableRows = rowsAt;
  templates = softwiresAt;
  ownFilter = ownAddressesAt;
}

/** The role of the engine; an AFTR does not ask where a packet from the IPv4 Internet comes from. */
export function setRole(isGateway: bool, key: u32, ecnLow: u32, ecnHigh: u32): void {
  const address = isGateway ? SOURCE : DESTINATION;
  const other = isGateway ? DESTINATION : SOURCE;
  keyOfIpv4 = address;
  keyOfIpv6 = <usize>OUTER_LEN + other;
  otherOfIpv4 = other;
  otherOfIpv6 = <usize>OUTER_LEN + address;
  otherMask = isGateway ? 0xffffffff : 0;
  rareIn = FLAG_ENCAPSULATION_LIMIT | FLAG_MSS_CLAMP | (isGateway ? 0 : FLAG_DENY_ICMPV4);
  rareOut = FLAG_MSS_CLAMP | (isGateway ? FLAG_DENY_ICMPV4 : 0);
  flowKey = key;
  leavingEcn = ((<u64>ecnHigh) << 32) | ecnLow;
}

export function setPackets(slabAt: usize, atAt: usize, lengthsAt: usize, sidesAt: usize): void {
  slab = slabAt;
  at = atAt;
  lengths = lengthsAt;
  sides = sidesAt;
}

export function setLookups(
  keysAt: usize,
  otherKeysAt: usize,
  rowsAt: usize,
  otherRowsAt: usize,
  softwiresAt: usize,
): void {
  keys = keysAt;
  otherKeys = otherKeysAt;
  rows = rowsAt;
  otherRows = otherRowsAt;
  softwires = softwiresAt;
}

export function setEnds(verdictsAt: usize, instancesAt: usize, outputAt: usize, ownersAt: usize): void {
  verdicts = verdictsAt;
  instances = instancesAt;
  output = outputAt;
  owners = ownersAt;
}

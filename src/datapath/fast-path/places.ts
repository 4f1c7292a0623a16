/**
 * Where things lie in the memory, in octets from its beginning, and what else stays the same for an engine: set by fast-path.ts. It is
 * no part of the memory, so nothing that packets make the module write can change it.
 */

import { AT } from '../batch-layout.ts';
import { FLAG_DENY_ICMPV4, FLAG_ENCAPSULATION_LIMIT, FLAG_MSS_CLAMP } from '../layout.ts';
import { DESTINATION, OUTER_LEN, SOURCE } from './headers.ts';

/** The table: first level, blocks, rows. */
export let first: usize = 0;
export let blocks: usize = 0;
export let tableRows: usize = 0;
export let templates: usize = 0;
/** Own addresses: the filter, which stands first. */
export let ownFilter: usize = 0;
/** Of the softwires besides: how many there are at most, pools with their number, which softwire has a tunnel address, a filter of these. */
export let highestSoftwire: usize = 0;
export let poolCount: usize = 0;
export let pools: usize = 0;
export let byLocal: usize = 0;
export let byLocalMask: u32 = 0;
export let localFilter: usize = 0;

/** Key of hashes: of flow labels, and of where a packet comes from. */
export let flowKey: u32 = 0;
/** What ECN field leaves a tunnel, or 15 for the slow path: four bits for each pair of inner and outer field. */
export let leavingEcn: u64 = 0;

export let isGatewayRole: bool = false;
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

/** The batch: packets, then what is known of each, then what is to be sent (batch-layout.ts). */
export let slab: usize = 0;
export let entries: usize = 0;
export let outputs: usize = 0;

/** Counters of the worker: sequence word, first cell, octets of the cells of a side (counters.ts). */
export let sequence: usize = 0;
export let cells: usize = 0;
export let sideOctets: u32 = 0;
/** Of the worker: when junk of each slot of sources was looked at in full. */
export let admissions: usize = 0;
/**
 * Counters of rows (row-counters.ts): which instances have some that are counted, 0 where none ever has; the two halves of counts; refused
 * packets; and whether this worker alone writes them. Chains of the rows of gateways (gateway-index.ts), and how far a hash is shifted
 * to name one.
 */
export let counting: usize = 0;
export let low: usize = 0;
export let high: usize = 0;
export let refused: usize = 0;
export let isAlone: bool = false;
export let gatewayHeads: usize = 0;
export let gatewayShift: u32 = 0;

/** The last verdict of what is sent; then those of junk. */
export let hairpinned: u32 = 0;
export let noBinding: u32 = 0;
export let noInstance: u32 = 0;
export let outsideServedPrefix: u32 = 0;
export let unboundSource: u32 = 0;
export let sourceMismatch: u32 = 0;
export let wrongAftr: u32 = 0;

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

export function setSoftwires(
  highestAt: usize,
  poolCountAt: usize,
  poolsAt: usize,
  byLocalAt: usize,
  byLocalWords: u32,
  localFilterAt: usize,
): void {
  highestSoftwire = highestAt;
  poolCount = poolCountAt;
  pools = poolsAt;
  byLocal = byLocalAt;
  byLocalMask = byLocalWords - 1;
  localFilter = localFilterAt;
}

export function setAdmissions(admissionsAt: usize): void {
  admissions = admissionsAt;
}

export function setRowCounters(
  countingAt: usize,
  lowAt: usize,
  highAt: usize,
  refusedAt: usize,
  isOneWorker: bool,
  gatewayHeadsAt: usize,
  gatewayHeadsShift: u32,
): void {
  counting = countingAt;
  low = lowAt;
  high = highAt;
  refused = refusedAt;
  isAlone = isOneWorker;
  gatewayHeads = gatewayHeadsAt;
  gatewayShift = gatewayHeadsShift;
}

export function setVerdicts(
  turned: u32,
  binding: u32,
  instance: u32,
  servedPrefix: u32,
  source: u32,
  mismatch: u32,
  aftr: u32,
): void {
  hairpinned = turned;
  noBinding = binding;
  noInstance = instance;
  outsideServedPrefix = servedPrefix;
  unboundSource = source;
  sourceMismatch = mismatch;
  wrongAftr = aftr;
}

export function setCounters(sequenceAt: usize, cellsAt: usize, octets: u32): void {
  sequence = sequenceAt;
  cells = cellsAt;
  sideOctets = octets;
}

/** The role of the engine; an AFTR does not ask where a packet from the IPv4 Internet comes from. */
export function setRole(isGateway: bool, key: u32, ecnLow: u32, ecnHigh: u32): void {
  isGatewayRole = isGateway;
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

export function setBatch(slabAt: usize, entriesAt: usize, outputsAt: usize): void {
  slab = slabAt;
  entries = entriesAt;
  outputs = outputsAt;
}

/** Where the packet of an entry lies. */
export function packetAt(e: usize): usize {
  return slab + load<u32>(e, AT);
}

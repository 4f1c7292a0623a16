/**
 * What the model asks of shared addresses beyond types: each lies in a pool and in no binding, its port sets fit 16 bits
 * (RFC 7597 §5.1), and each port set leads to a usable tunnel. One psid-offset and psid-length for all port sets of an
 * address is the shape of the list itself.
 */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4, formatIpv4Prefix, formatIpv6, inIpv4Prefix, sameIpv6 } from '../address.ts';
import type { Aftr, PortSet, SharedAddress } from './model.generated.ts';
import type { RowChange } from './request.ts';
import type { RowSource } from './rows.ts';
import { longestMatch } from './rows.ts';

/** Bits of a port: those of the offset, of the PSID and of the ports of a set together. */
const PORT_BITS = 16;

/** What is asked about one AFTR. */
export interface SharedAddressInput {
  readonly aftr: Aftr;
  /** The AFTR as it was; undefined for a new one. */
  readonly before: Aftr | undefined;
  /** Its path. */
  readonly path: string;
  /** All its tunnel addresses. */
  readonly own: readonly Uint8Array[];
  /** The table as it would be. */
  readonly rows: Pick<RowSource, 'binding'>;
  readonly changes: Iterable<RowChange>;
}

/** Where faults go. */
export interface FaultSink {
  readonly isFull: boolean;
  fault(path: string, appTag: string, message: string): void;
  /** Checks the far end of a tunnel. */
  farEnd(path: string, address: Uint8Array): void;
  /** Checks that hosts can have these addresses. */
  notMartian(path: string, prefix: Ipv4Prefix): void;
}

/** Checks the shared addresses of an AFTR; `treeChanged` false leaves out what only the small tree can have changed. */
export function checkSharedAddresses(input: SharedAddressInput, treeChanged: boolean, sink: FaultSink): void {
  const { sharedAddress } = input.aftr.bindingTable;
  if (sharedAddress.length === 0) return;
  const bound = new Set<number>();
  if (treeChanged) {
    const known = new Set(input.before?.bindingTable.sharedAddress.map(({ ipv4Address }) => ipv4Address));
    for (const shared of sharedAddress) {
      if (sink.isFull) return;
      checkSharedAddress(input, shared, sink);
      // A binding that holds an address which was shared before is a change of rows.
      if (!known.has(shared.ipv4Address)) checkNotBound(input, shared.ipv4Address, bound, sink);
    }
  }
  checkChangedBindings(input, bound, sink);
}

function checkSharedAddress(input: SharedAddressInput, shared: SharedAddress, sink: FaultSink): void {
  const { aftr } = input;
  const { ipv4Address, psidOffset, psidLength } = shared;
  const text = formatIpv4(ipv4Address);
  const path = sharedAddressPath(input.path, ipv4Address);
  sink.notMartian(path, { address: ipv4Address, length: 32 });
  if (!aftr.ipv4Pool.some((pool) => inIpv4Prefix(ipv4Address, pool))) {
    const pools = aftr.ipv4Pool.map(({ address, length }) => formatIpv4Prefix(address, length)).join(', ') || 'none';
    sink.fault(
      path,
      'outside-pool',
      `shared address ${text} lies in no ipv4-pool of AFTR ${aftr.name} (pools: ${pools})`,
    );
  }
  if (psidOffset + psidLength > PORT_BITS) {
    const sum = `psid-offset ${psidOffset} and psid-length ${psidLength} take ${psidOffset + psidLength} bits of a port`;
    sink.fault(`${path}/psid-length`, 'psid-too-long', `${sum}: expected at most ${PORT_BITS} together`);
  }
  for (const portSet of shared.portSet) {
    if (sink.isFull) return;
    checkPortSet(input, shared, portSet, path, sink);
  }
}

function checkPortSet(
  { aftr, own }: SharedAddressInput,
  { psidLength }: SharedAddress,
  { psid, b4Ipv6Address, aftrIpv6Address }: PortSet,
  sharedPath: string,
  sink: FaultSink,
): void {
  const path = `${sharedPath}/port-set[psid='${psid}']`;
  if (psid >= 2 ** psidLength) {
    const message = `psid ${psid} does not fit psid-length ${psidLength}: expected less than ${2 ** psidLength}`;
    sink.fault(`${path}/psid`, 'psid-out-of-range', message);
  }
  sink.farEnd(`${path}/b4-ipv6-address`, b4Ipv6Address);
  if (aftrIpv6Address && !own.some((address) => sameIpv6(address, aftrIpv6Address))) {
    const has = own.map((address) => formatIpv6(address)).join(', ') || 'none';
    const message = `${formatIpv6(aftrIpv6Address)} is no tunnel address of AFTR ${aftr.name} (it has ${has})`;
    sink.fault(`${path}/aftr-ipv6-address`, 'unknown-aftr-address', message);
  }
}

/** `bound` takes the addresses about which a fault was found. */
function checkNotBound({ aftr, path, rows }: SharedAddressInput, address: number, bound: Set<number>, sink: FaultSink) {
  const binding = longestMatch(rows, aftr.name, address);
  if (!binding) return;
  bound.add(address);
  sink.fault(sharedAddressPath(path, address), 'shared-address-bound', boundMessage(address, binding));
}

/** A binding that comes must not hold an address that is shared. */
function checkChangedBindings(input: SharedAddressInput, bound: Set<number>, sink: FaultSink): void {
  const { aftr, path, changes } = input;
  const addresses = Float64Array.from(aftr.bindingTable.sharedAddress, ({ ipv4Address }) => ipv4Address).sort();
  for (const { instance, after } of changes) {
    if (sink.isFull) return;
    if (!after || instance !== aftr.name) continue;
    const shared = addresses[lowerBound(addresses, after.address)];
    if (shared === undefined || !inIpv4Prefix(shared, after) || bound.has(shared)) continue;
    bound.add(shared);
    sink.fault(sharedAddressPath(path, shared), 'shared-address-bound', boundMessage(shared, after));
  }
}

/** Place of the first number that is not below `least`. */
function lowerBound(numbers: Float64Array, least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sharedAddressPath(aftrPath: string, address: number): string {
  return `${aftrPath}/binding-table/shared-address[ipv4-address='${formatIpv4(address)}']`;
}

function boundMessage(shared: number, { address, length }: Ipv4Prefix): string {
  const [text, prefix] = [formatIpv4(shared), formatIpv4Prefix(address, length)];
  return `${text} lies in binding ${prefix}: an address is either bound with all ports or shared`;
}

/** What a row says of itself in a trace: the binding, port set or served prefix that it is, and where it leads. */

import { formatIpv4Prefix, formatIpv6 } from '../address.ts';
import type { TraceRow } from '../control.ts';
import { ROW_WORDS } from './layout.ts';
import type { SharedAddresses } from './shared-addresses.ts';
import type { Table } from './table.ts';

const ADDRESS_BITS = 32;

/** Empty for row 0. The row of a port set has the shared address as its prefix. */
export function rowAnswer(table: Table, shared: SharedAddresses, row: number): TraceRow {
  if (row === 0) return {};
  const remote = formatIpv6(table.octets, row * ROW_WORDS * 4);
  const portSet = shared.portSetOf(row);
  if (portSet) return { prefix: formatIpv4Prefix(portSet.address, ADDRESS_BITS), psid: portSet.psid, remote };
  const { address, length } = table.prefixOf(row);
  return { prefix: formatIpv4Prefix(address, length), remote };
}

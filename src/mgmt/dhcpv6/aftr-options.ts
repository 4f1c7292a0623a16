/**
 * The DHCPv6 options that tell a gateway its AFTR, from octets of the network to a candidate:
 *
 *   1. OPTION_S46_CONT_LW (96) with OPTION_S46_BR (90) in it                    RFC 7598 §5.3, §4.2
 *   2. OPTION_S46_BR (90) by itself                                             RFC 8539
 *   3. OPTION_AFTR_NAME (64): a name, whose addresses are still to be asked for RFC 6334 §3
 *
 * In this order, the first that is there: a server that speaks of lightweight 4over6 means this kind of softwire, and the name is that
 * of DS-Lite. RFC 8026 leaves the order to the client where the server gives none; its OPTION_S46_PRIORITY is not asked for.
 * One malformed option spoils the whole answer: what a server means that cannot write its options is not to be guessed.
 */

import { formatIpv4, formatIpv6, IPV6_LENGTH, isUnusableIpv6 } from '../../address.ts';

const OPTION_S46_BR = 90;
const OPTION_S46_V4V6BIND = 92;
const OPTION_S46_PORTPARAMS = 93;
/** Code and length. */
const OPTION_HEADER = 4;
/** RFC 1035 §2.3.4. */
const MAX_NAME_OCTETS = 255;
const MAX_LABEL_OCTETS = 63;
/** RFC 1123 §2.1: letters, digits and inner hyphens. */
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Contents of the options of one answer, without code and length; absent where the server did not send one. */
export interface AftrOptions {
  readonly aftrName?: Uint8Array;
  readonly s46Br?: Uint8Array;
  readonly s46ContLw?: Uint8Array;
}

export type ToldBy = 's46-container' | 's46-br' | 'aftr-name';

/** What an answer says of the AFTR. */
export type AftrNews =
  | {
      readonly kind: 'addresses';
      readonly toldBy: Exclude<ToldBy, 'aftr-name'>;
      /** At least one, in the order of the server. */
      readonly addresses: readonly Uint8Array[];
      /** What else it says that is not used, as a sentence; '' for nothing. */
      readonly unused: string;
    }
  | { readonly kind: 'name'; readonly toldBy: 'aftr-name'; readonly name: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'malformed'; readonly problem: string };

class OptionFault extends Error {}

/** What an answer says of the AFTR; each option that is there is looked at, also those behind the one that counts. */
export function aftrNewsOf({ aftrName, s46Br, s46ContLw }: AftrOptions): AftrNews {
  try {
    const container = s46ContLw && readContainer(s46ContLw);
    const single = s46Br && readBr(s46Br);
    const name = aftrName && readAftrName(aftrName);
    if (container) return { kind: 'addresses', toldBy: 's46-container', ...container };
    if (single) return { kind: 'addresses', toldBy: 's46-br', addresses: [single], unused: '' };
    if (name !== undefined) return { kind: 'name', toldBy: 'aftr-name', name };
    return { kind: 'nothing' };
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    return { kind: 'malformed', problem: error.message };
  }
}

/** OPTION_S46_CONT_LW: options one after the other, unknown ones passed over. */
function readContainer(octets: Uint8Array): { addresses: Uint8Array[]; unused: string } {
  const addresses: Uint8Array[] = [];
  let unused = '';
  for (const [code, content] of readOptions(octets, 'OPTION_S46_CONT_LW')) {
    if (code === OPTION_S46_BR) addresses.push(readBr(content));
    if (code === OPTION_S46_V4V6BIND) unused = readBinding(content);
  }
  if (addresses.length === 0) throw new OptionFault('OPTION_S46_CONT_LW has no OPTION_S46_BR: expected at least one');
  return { addresses, unused };
}

function* readOptions(octets: Uint8Array, holder: string): Generator<readonly [code: number, content: Uint8Array]> {
  for (let at = 0; at < octets.length; ) {
    const left = octets.length - at;
    if (left < OPTION_HEADER) throw new OptionFault(`${holder} ends inside the header of an option`);
    const code = u16(octets, at);
    const length = u16(octets, at + 2);
    if (length > left - OPTION_HEADER) {
      throw new OptionFault(`option ${code} in ${holder} has length ${length}, and ${left - OPTION_HEADER} are left`);
    }
    yield [code, octets.subarray(at + OPTION_HEADER, at + OPTION_HEADER + length)];
    at += OPTION_HEADER + length;
  }
}

/** OPTION_S46_BR (RFC 7598 §4.2): one IPv6 address. */
function readBr(octets: Uint8Array): Uint8Array {
  if (octets.length !== IPV6_LENGTH) {
    throw new OptionFault(`OPTION_S46_BR has ${octets.length} octets: expected ${IPV6_LENGTH}, an IPv6 address`);
  }
  if (isUnusableIpv6(octets)) {
    throw new OptionFault(`OPTION_S46_BR has ${formatIpv6(octets)}: expected a unicast address that is not link-local`);
  }
  return octets.slice();
}

/**
 * OPTION_S46_V4V6BIND (RFC 7598 §4.4), as a sentence: the prefixes behind this gateway are whole and configured or routed, so that an
 * address or a port set from here has no use.
 *
 *     | IPv4 address: 4 | prefix length: 1 | IPv6 prefix: (length + 7) / 8 | options |
 */
function readBinding(octets: Uint8Array): string {
  const prefixOctets = Math.ceil((octets[4] ?? 0) / 8);
  if (octets.length < 5 || prefixOctets > IPV6_LENGTH || octets.length < 5 + prefixOctets) {
    throw new OptionFault('OPTION_S46_V4V6BIND ends inside its IPv4 address or its IPv6 prefix');
  }
  const options = [...readOptions(octets.subarray(5 + prefixOctets), 'OPTION_S46_V4V6BIND')];
  const hasPorts = options.some(([code]) => code === OPTION_S46_PORTPARAMS);
  const address = formatIpv4(((u16(octets, 0) << 16) | u16(octets, 2)) >>> 0);
  return `OPTION_S46_V4V6BIND gives ${address}${hasPorts ? ' with a port set' : ''}: not used, this gateway has whole addresses of its own`;
}

/**
 * OPTION_AFTR_NAME (RFC 6334 §3): one fully qualified domain name in the form of RFC 8415 §10, without compression, in lower case
 * and without the dot at its end.
 */
function readAftrName(octets: Uint8Array): string {
  if (octets.length > MAX_NAME_OCTETS) {
    throw new OptionFault(`OPTION_AFTR_NAME has ${octets.length} octets: a name has ${MAX_NAME_OCTETS} at most`);
  }
  const labels: string[] = [];
  let at = 0;
  for (; octets[at] !== 0; at += 1 + (octets[at] ?? 0)) {
    const length = octets[at];
    if (length === undefined) throw new OptionFault('OPTION_AFTR_NAME ends without the empty label of the root');
    if (length > MAX_LABEL_OCTETS) {
      throw new OptionFault(`OPTION_AFTR_NAME has a label of type or length ${length}: expected no compression`);
    }
    if (at + 1 + length > octets.length) throw new OptionFault('OPTION_AFTR_NAME ends inside a label');
    labels.push(readLabel(octets.subarray(at + 1, at + 1 + length)));
  }
  if (labels.length === 0) throw new OptionFault('OPTION_AFTR_NAME is the root: expected the name of a host');
  if (at + 1 !== octets.length) throw new OptionFault('OPTION_AFTR_NAME has octets behind its name: expected one name');
  return labels.join('.');
}

function readLabel(octets: Uint8Array): string {
  const text = String.fromCharCode(...octets).toLowerCase();
  if (!HOST_LABEL.test(text)) {
    throw new OptionFault(
      `OPTION_AFTR_NAME has label ${JSON.stringify(text)}: expected letters, digits and inner hyphens`,
    );
  }
  return text;
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

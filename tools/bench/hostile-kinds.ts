/**
 * Hostile packets of the bench, by kind: everything that can reach the TUN device of an AFTR through the kernel and takes more
 * than a look at a few words, or memory. Packets on links of 1,500 octets.
 */

import { formatIpv4 } from '../../src/address.ts';
import { fragmentHeader, hex8, hex16, icmpv4, icmpv6, ipv4, ipv6, udp } from '../../test/helpers/packets.ts';

export const AFTR = '2001:db8:b::1';
export const BINDINGS = 1_000;
export const SHARED = '10.1.0.1';
/** Its one subscriber: ports with PSID 0x34 of RFC 7597 §5.1 with a = 6, k = 8. */
export const SUBSCRIBER = '2001:db8:a:ffff::1';
const INTERNET = '198.18.0.1';
/** A destination of the IPv4 side that leads out again. */
const FAR = '198.19.0.1';
const LARGE = 1_400;
const VARIANTS = 1_024;
const PROTOCOL_ICMP = 1;
const NEXT_FRAGMENT = 44;
const NEXT_DESTINATION = 60;
const NEXT_ICMPV6 = 58;
const IDENTIFICATION_AT = 44;

/** The AFTR that they come to, in RFC 7951 JSON; its bindings are those of `boundAddress` and `gatewayOf`. */
export const CONFIGURATION = {
  name: 'edge',
  'ipv6-address': AFTR,
  'ipv4-address': '203.0.113.1',
  'softwire-payload-mtu': 1_460,
  'ipv4-pool': ['10.0.0.0/8'],
  'binding-table': {
    'shared-address': [
      {
        'ipv4-address': SHARED,
        'psid-offset': 6,
        'psid-length': 8,
        'port-set': [{ psid: 0x34, 'b4-ipv6-address': SUBSCRIBER }],
      },
    ],
  },
};

export interface HostileKind {
  readonly name: string;
  /** Side it arrives on; the good packets beside it arrive there too. */
  readonly side: 4 | 6;
  /** Packet number `i`, hexadecimal. */
  readonly build: (i: number) => string;
  /** Offset of 32 bits that are another number in every packet that is sent; undefined when nothing else varies than `build` says. */
  readonly numberAt?: number;
  /** So many packets in a row have the same number. */
  readonly perNumber?: number;
  /** The engine forwards it or answers it, as it has to: it is dear all the same. */
  readonly isServed?: boolean;
  /** Packets are counted for bindings and gateways meanwhile, the good ones too. */
  readonly isCounted?: boolean;
}

/** Address `index` of the bindings, and the gateway that it is bound to. */
export function boundAddress(index: number): string {
  return formatIpv4(0x0a_00_00_00 + index);
}

export function gatewayOf(index: number): string {
  return `2001:db8:a::${(index + 1).toString(16)}`;
}

function stranger(index: number): string {
  return `2001:db8:dead:${((index * 40_503) & 0xffff).toString(16)}::${(index + 1).toString(16)}`;
}

function pick(i: number): number {
  return (i * 7_919) % BINDINGS;
}

/** Packets that vary, an even number of them. */
export function packetsOf({ build }: Pick<HostileKind, 'build'>): Buffer[] {
  return Array.from({ length: VARIANTS }, (_, i) => Buffer.from(build(i), 'hex'));
}

export function goodPackets(side: 4 | 6): Buffer[] {
  const payload = udp(36);
  const build = (i: number): string => {
    const bound = boundAddress(pick(i));
    if (side === 4) return ipv4({ src: INTERNET, dst: bound, payload });
    return ipv6({ src: gatewayOf(pick(i)), dst: AFTR, payload: ipv4({ src: bound, dst: FAR, payload }) });
  };
  return packetsOf({ build });
}

/** A tunnel packet of a gateway of bindings, with `headers` behind the outer one. */
function fromGateway(i: number, nextHeader: number, payload: string, src = gatewayOf(pick(i))): string {
  return ipv6({ src, dst: AFTR, nextHeader, payload });
}

function innerOf(i: number, more: Parameters<typeof ipv4>[0] = {}): string {
  return ipv4({ src: boundAddress(pick(i)), dst: FAR, payload: udp(36), ...more });
}

/** A destination options header full of `options`, before IPv4. */
function options(octets: number, fill: string, next = 4): string {
  const units = Math.min(255, Math.floor(octets / 8) - 1);
  const room = (units + 1) * 8 - 2;
  const count = Math.floor(room / (fill.length / 2));
  return hex8(next) + hex8(units) + fill.repeat(count) + '00'.repeat(room - (count * fill.length) / 2);
}

/** So many octets of destination options headers, each with nothing but padding. */
function chain(octets: number): string {
  const count = Math.floor(octets / 8);
  const padding = '00010400000000';
  return hex8(NEXT_DESTINATION)
    .concat(padding)
    .repeat(count - 1)
    .concat('04', padding);
}

/** A fragment of a tunnel packet, whose identification the sender fills in. */
function fragment(i: number, data: string, src = gatewayOf(pick(i)), next = 4): string {
  return fromGateway(i, NEXT_FRAGMENT, fragmentHeader(next, 0, 1) + data, src);
}

/** The two fragments of a packet whose inner source is bound to another gateway. */
function halves(i: number): string {
  const whole = innerOf((i >> 1) + 1, { payload: udp(LARGE) });
  const [at, more] = (i & 1) === 0 ? [0, 1] : [704, 0];
  const data = more === 1 ? whole.slice(0, 1_408) : whole.slice(1_408);
  return fromGateway(i, NEXT_FRAGMENT, fragmentHeader(4, at / 8, more) + data, gatewayOf(pick(i >> 1)));
}

const NEW = { numberAt: IDENTIFICATION_AT };

function kind(
  name: string,
  side: 4 | 6,
  build: (i: number) => string,
  more: Omit<HostileKind, 'name' | 'side' | 'build'> = {},
): HostileKind {
  return { name, side, build, ...more };
}

function fromIpv4(): HostileKind[] {
  const large = 'ab'.repeat(LARGE);
  const base = { src: INTERNET, payload: udp(36) };
  const toShared = { src: INTERNET, dst: SHARED };
  const icmp = (payload: string) => ipv4({ ...toShared, protocol: PROTOCOL_ICMP, payload });
  const unbound = (i: number) => formatIpv4(0x0a_f0_00_00 + i);
  return [
    kind('unbound', 4, (i) => ipv4({ ...base, dst: unbound(i) })),
    kind('unbound-options', 4, (i) => ipv4({ ...base, dst: unbound(i), options: '01'.repeat(40) })),
    kind('too-big', 4, (i) => ipv4({ ...base, dst: boundAddress(pick(i)), df: true, payload: udp(1_472) })),
    kind('shared-no-port', 4, () => ipv4({ ...toShared, protocol: 47 })),
    kind('shared-nobodys-port', 4, (i) => ipv4({ ...toShared, payload: udp(36, 1_000, i) })),
    kind('shared-icmp-echo', 4, (i) => icmp(icmpv4(8, 0, `${hex16(i)}0001${large}`))),
    kind('shared-icmp-error', 4, () => icmp(icmpv4(3, 1, `00000000${ipv4({ src: FAR, payload: udp(500) })}`))),
    kind('shared-fragment', 4, (i) => ipv4({ ...toShared, id: i, offset: 1 })),
    kind('shared-fragment-large', 4, (i) =>
      ipv4({ src: formatIpv4(0xc6_12_00_01 + i), dst: SHARED, id: i, offset: 1, payload: large }),
    ),
    kind('shared-first-fragment', 4, (i) => ipv4({ ...toShared, id: i, mf: true, payload: udp(56, 1_000, 1_000) })),
  ];
}

function fromTunnel(): HostileKind[] {
  const large = 'ab'.repeat(LARGE);
  const behind = (i: number, header: string) => fromGateway(i, NEXT_DESTINATION, header + innerOf(i + 1));
  const padded = (fill: string) => (i: number) => behind(i, options(LARGE, fill));
  const icmp = (i: number, type: number, rest: string) =>
    fromGateway(i, NEXT_ICMPV6, icmpv6(gatewayOf(pick(i)), AFTR, type, 0, rest));
  const subscriber = (fields: Parameters<typeof ipv4>[0]) =>
    ipv6({ src: SUBSCRIBER, dst: AFTR, payload: ipv4({ src: SHARED, dst: FAR, ...fields }) });
  return [
    kind('unbound-source', 6, (i) => fromGateway(i, 4, innerOf(i, { src: formatIpv4(0x0a_f0_00_00 + i) }))),
    kind('wrong-gateway', 6, (i) => fromGateway(i, 4, innerOf(i + 1))),
    kind('unbound-source-counted', 6, (i) => fromGateway(i, 4, innerOf(i, { src: formatIpv4(0x0a_f0_00_00 + i) })), {
      isCounted: true,
    }),
    kind('wrong-gateway-counted', 6, (i) => fromGateway(i, 4, innerOf(i + 1)), { isCounted: true }),
    kind('wrong-gateway-stranger', 6, (i) => fromGateway(i, 4, innerOf(i), stranger(i))),
    kind('wrong-gateway-large', 6, (i) => fromGateway(i, 4, innerOf(i + 1, { payload: udp(LARGE) }))),
    kind('ttl-1', 6, (i) => fromGateway(i, 4, innerOf(i, { ttl: 1 }))),
    kind('inner-checksum', 6, (i) => fromGateway(i, 4, innerOf(i, { checksum: 1 }))),
    kind('inner-martian', 6, (i) => fromGateway(i, 4, innerOf(i, { dst: '127.0.0.1' }))),
    kind('same-gateway', 6, (i) => fromGateway(i, 4, innerOf(i, { dst: boundAddress(pick(i)) }))),
    kind('next-header', 6, (i) => fromGateway(i, 41, large)),
    kind('pad1', 6, padded('00')),
    kind('pad1-7-padn', 6, padded(`${'00'.repeat(7)}0100`)),
    kind('padn-0', 6, padded('0100')),
    kind('options-unknown', 6, padded('1e00')),
    kind('header-chain', 6, (i) => behind(i, chain(LARGE))),
    kind('icmpv6-forged', 6, (i) => icmp(i, 2, `00000500${fromGateway(i, 4, innerOf(i))}${'00'.repeat(1_080)}`)),
    kind('icmpv6-echo', 6, (i) => icmp(i, 128, `${hex16(i)}0001${large}`), { isServed: true }),
    kind('fragment', 6, (i) => fragment(i, innerOf(i)), NEW),
    kind('fragment-stranger', 6, (i) => fragment(i, innerOf(i), stranger(i)), NEW),
    kind('fragment-large', 6, (i) => fragment(i, innerOf(i, { payload: udp(LARGE - 28) })), NEW),
    kind('fragment-large-stranger', 6, (i) => fragment(i, innerOf(i, { payload: udp(LARGE - 28) }), stranger(i)), NEW),
    kind(
      'fragment-options',
      6,
      (i) => fragment(i, options(LARGE - 64, '00') + innerOf(i), undefined, NEXT_DESTINATION),
      NEW,
    ),
    kind('fragment-malformed', 6, (i) => fragment(i, 'ab'.repeat(15)), NEW),
    kind('fragment-duplicate', 6, () => fragment(0, innerOf(0, { payload: udp(LARGE - 28) }))),
    kind('fragment-pair', 6, halves, { ...NEW, perNumber: 2 }),
    kind('shared-fragment-inner', 6, (i) => subscriber({ id: i, offset: 1, payload: large })),
    kind('shared-icmp-inner', 6, (i) =>
      subscriber({ protocol: PROTOCOL_ICMP, payload: icmpv4(8, 0, `${hex16(i)}0001${large}`) }),
    ),
  ];
}

export function hostileKinds(): HostileKind[] {
  return [...fromIpv4(), ...fromTunnel()];
}

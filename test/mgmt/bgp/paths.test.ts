/** Paths of GoBGP as routes: which tunnel address a route leads to (RFC 8950 section 3, RFC 9012 section 3.1), and which has none. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../../src/address.ts';
import type { AnyMessage, Path } from '../../../src/mgmt/bgp/engine-messages.ts';
import { anyOf, decode, encode } from '../../../src/mgmt/bgp/engine-messages.ts';
import { announcementOf, gatewayPath, pathOf } from '../../../src/mgmt/bgp/paths.ts';
import { prefixNumber } from '../../../src/state/rows.ts';

const test = suite('paths');

const LOCAL_AS = 65_000;
const NLRI = anyOf('IPAddressPrefix', { prefixLen: 24, prefix: '192.0.2.0' });
const reach = (...nextHops: readonly string[]) => anyOf('MpReachNLRIAttribute', { nextHops });
const endpoint = (address: string) => anyOf('TunnelEncapSubTLVEgressEndpoint', { address });
const tunnel = (...tlvs: readonly (readonly [type: number, ...tlvs: readonly AnyMessage[]])[]) =>
  anyOf('TunnelEncapAttribute', { tlvs: tlvs.map(([type, ...subs]) => ({ type, tlvs: subs })) });
const asPath = (...numbers: readonly number[]) => anyOf('AsPathAttribute', { segments: [{ type: 2, numbers }] });

function path(pattrs: readonly AnyMessage[], more: Partial<Path> = {}): Path {
  return { nlri: NLRI, pattrs, isWithdraw: false, stale: false, neighborIp: '2001:db8::1', identifier: 0, ...more };
}

const cases: readonly (readonly [string, readonly AnyMessage[], string | undefined])[] = [
  ['a next hop of 16 octets', [reach('2001:db8:a::1')], '2001:db8:a::1'],
  ['one of 32 octets: the global one', [reach('2001:db8:a::1', 'fe80::1')], '2001:db8:a::1'],
  ['another text of the same address', [reach('2001:DB8:a:0:0:0:0:1')], '2001:db8:a::1'],
  ['an IPv4 next hop', [{ typeUrl: 'type.googleapis.com/apipb.NextHopAttribute', value: new Uint8Array() }], undefined],
  ['an IPv4 next hop in an IPv6 attribute', [reach('192.0.2.1')], undefined],
  ['no next hop', [], undefined],
  ['an egress endpoint goes before', [reach('2001:db8::9'), tunnel([7, endpoint('2001:db8:a::1')])], '2001:db8:a::1'],
  ['as IPv6 tunnel too', [reach('2001:db8::9'), tunnel([14, endpoint('2001:db8:a::1')])], '2001:db8:a::1'],
  ['the first of two', [tunnel([7, endpoint('2001:db8:a::1')], [7, endpoint('2001:db8:a::2')])], '2001:db8:a::1'],
  [
    'one of a tunnel that is none of ours',
    [reach('2001:db8::9'), tunnel([8, endpoint('2001:db8:a::1')])],
    '2001:db8::9',
  ],
  ['none in it', [reach('2001:db8::9'), tunnel([7])], '2001:db8::9'],
  ['an empty one: the next hop', [reach('2001:db8::9'), tunnel([7, endpoint('')])], '2001:db8::9'],
  ['an IPv4 one is as if absent', [reach('2001:db8::9'), tunnel([7, endpoint('192.0.2.1')])], '2001:db8::9'],
  ['an AS path of others', [reach('2001:db8:a::1'), asPath(65_001, 65_002)], '2001:db8:a::1'],
  ['one that holds the own AS', [reach('2001:db8:a::1'), asPath(65_001, LOCAL_AS)], undefined],
];
for (const [what, attributes, expected] of cases) {
  test(what, () => {
    const found = announcementOf(path(attributes), LOCAL_AS);
    assert.is(found?.endpoint, expected);
    assert.is(found?.fault === '', expected !== undefined);
    assert.is(found?.number, prefixNumber(0xc0000200, 24));
  });
}

test('a withdrawal, and what is no IPv4 prefix', () => {
  assert.equal(announcementOf(path([], { isWithdraw: true }), LOCAL_AS)?.isWithdrawn, true);
  const { nlri: _, ...rest } = path([]);
  assert.is(announcementOf({ ...rest, nlri: anyOf('OriginAttribute', { origin: 1 }) }, LOCAL_AS), undefined);
  assert.is(announcementOf({ ...rest, nlri: null }, LOCAL_AS), undefined);
});

test('what is announced is read back as it was', () => {
  const prefix = parseIpv4Prefix('198.51.100.128/25');
  const number = prefix ? prefixNumber(prefix.address, prefix.length) : 0;
  const own = gatewayPath(number, 3, '2001:db8:a::1');
  const back = (isWithdraw: boolean) =>
    announcementOf(decode('Path', encode('Path', pathOf(own, isWithdraw))) as Path, LOCAL_AS);
  assert.equal(back(false), { number, pathId: 3, endpoint: '2001:db8:a::1', isWithdrawn: false, fault: '' });
  assert.equal([back(true)?.isWithdrawn, back(true)?.pathId], [true, 3]);
});

test.run();

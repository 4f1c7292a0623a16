import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_PORT_SETS } from '../../src/state/limits.ts';
import { faults } from '../helpers/rules.ts';
import { binding } from '../helpers/state.ts';

/** Rules of shared addresses (RFC 7597 §5.1): each case is a configuration and what is found in it. */
const test = suite('shared-address-rules');

type Json = Readonly<Record<string, unknown>>;
const OWN = '2001:db8:b::1';
const B4 = '2001:db8:c::1';
const PATH = "aftr[name='a']/binding-table/shared-address";

const portSet = (psid: number, more: Json = {}): Json => ({ psid, 'b4-ipv6-address': B4, ...more });
const shared = (more: Json, ...portSets: readonly Json[]): Json => ({
  'ipv4-address': '192.0.2.9',
  'psid-length': 8,
  'port-set': portSets,
  ...more,
});
const at = (address = '192.0.2.9') => `${PATH}[ipv4-address='${address}']`;
const table = (sharedAddresses: readonly Json[], bindings: readonly Json[] = [], more: Json = {}): Json => ({
  'gi-4over6:softwire': {
    aftr: [
      {
        name: 'a',
        'ipv6-address': OWN,
        'ipv4-pool': ['192.0.2.0/24'],
        'binding-table': { 'shared-address': sharedAddresses, binding: bindings },
        ...more,
      },
    ],
  },
});

const cases: readonly (readonly [string, Json, readonly string[]])[] = [
  ['two subscribers', table([shared({}, portSet(0), portSet(255))]), []],
  ['an address without port sets', table([shared({})]), []],
  [
    'the first psid that does not fit',
    table([shared({}, portSet(256))]),
    [`psid-out-of-range ${at()}/port-set[psid='256']/psid`],
  ],
  [
    'psid-length 0 has psid 0 only',
    table([shared({ 'psid-length': 0 }, portSet(0), portSet(1))]),
    [`psid-out-of-range ${at()}/port-set[psid='1']/psid`],
  ],
  [
    'psid-length 16, the last psid (D113)',
    table([shared({ 'psid-offset': 0, 'psid-length': 16 }, portSet(65_535))]),
    [],
  ],
  ['offset and length of 16 bits', table([shared({ 'psid-offset': 6, 'psid-length': 10 }, portSet(1023))]), []],
  [
    'offset and length of 17 bits',
    table([shared({ 'psid-offset': 7, 'psid-length': 10 })]),
    [`psid-too-long ${at()}/psid-length`],
  ],
  ['the default offset counts', table([shared({ 'psid-length': 11 })]), [`psid-too-long ${at()}/psid-length`]],
  [
    'outside every pool',
    table([shared({ 'ipv4-address': '192.0.3.9' }, portSet(1))]),
    [`outside-pool ${at('192.0.3.9')}`],
  ],
  [
    'an address no host can have',
    table([shared({ 'ipv4-address': '127.0.0.9' })], [], { 'ipv4-pool': ['192.0.2.0/24'] }),
    [`martian-prefix ${at('127.0.0.9')}`, `outside-pool ${at('127.0.0.9')}`],
  ],
  [
    'a multicast B4',
    table([shared({}, portSet(1, { 'b4-ipv6-address': 'ff02::1' }))]),
    [`unusable-tunnel-address ${at()}/port-set[psid='1']/b4-ipv6-address`],
  ],
  [
    'our own address as B4 (D53)',
    table([shared({}, portSet(1, { 'b4-ipv6-address': OWN }))]),
    [`both-ends-local ${at()}/port-set[psid='1']/b4-ipv6-address`],
  ],
  ['the AFTR address named', table([shared({}, portSet(1, { 'aftr-ipv6-address': OWN }))]), []],
  [
    'an AFTR address that is not listed',
    table([shared({}, portSet(1, { 'aftr-ipv6-address': '2001:db8:b::2' }))]),
    [`unknown-aftr-address ${at()}/port-set[psid='1']/aftr-ipv6-address`],
  ],
  [
    'inside a bound prefix',
    table([shared({}, portSet(1))], [binding('192.0.2.8/29', B4)]),
    [`shared-address-bound ${at()}`],
  ],
  ['bound itself', table([shared({}, portSet(1))], [binding('192.0.2.9/32', B4)]), [`shared-address-bound ${at()}`]],
  [
    'beside a bound prefix',
    table([shared({}, portSet(1))], [binding('192.0.2.0/29', B4), binding('192.0.2.10/32', B4)]),
    [],
  ],
  [
    'port sets count for softwire-num-max',
    table([shared({}, portSet(1), portSet(2))], [binding('192.0.2.1/32', B4)], { 'softwire-num-max': 2 }),
    ["too-many-bindings aftr[name='a']/softwire-num-max"],
  ],
];
for (const [why, edit, expected] of cases) test(why, async () => assert.equal(await faults(edit), expected));

const ONE = table([shared({}, portSet(200))], [binding('192.0.2.1/32', B4)]);
const changes: readonly (readonly [string, Json, readonly string[]])[] = [
  [
    'a binding comes over a shared address',
    table([shared({}, portSet(200))], [binding('192.0.2.0/28', B4)]),
    [`shared-address-bound ${at()}`],
  ],
  [
    'a shared address comes under a binding',
    table([shared({ 'ipv4-address': '192.0.2.1' })], [binding('192.0.2.1/32', B4)]),
    [`shared-address-bound ${at('192.0.2.1')}`],
  ],
  ['a shared address becomes a binding', table([], [binding('192.0.2.9/32', B4)]), []],
  ['a binding becomes a shared address', table([shared({ 'ipv4-address': '192.0.2.1' })]), []],
  [
    'a shorter psid-length leaves a psid behind (D112)',
    table([shared({ 'psid-length': 7 }, portSet(200))]),
    [`psid-out-of-range ${at()}/port-set[psid='200']/psid`],
  ],
  [
    'the pool goes',
    table([shared({}, portSet(200))], [], { 'ipv4-pool': ['198.51.100.0/24'] }),
    [`outside-pool ${at()}`],
  ],
  [
    'its B4 becomes our own',
    table([shared({}, portSet(200))], [], { 'additional-ipv6-address': [B4] }),
    [`both-ends-local ${at()}/port-set[psid='200']/b4-ipv6-address`],
  ],
];
for (const [why, edit, expected] of changes) {
  test(`change: ${why}`, async () => assert.equal(await faults(edit, ONE), expected));
}

test('as many port sets as allowed, and one more', async () => {
  const sets = (count: number) =>
    Array.from({ length: count / 100 }, (_, i) =>
      shared({ 'ipv4-address': `192.0.2.${i}` }, ...Array.from({ length: 100 }, (_, psid) => portSet(psid))),
    );
  assert.equal(await faults(table(sets(MAX_PORT_SETS))), []);
  const more = sets(MAX_PORT_SETS);
  more.push(shared({ 'ipv4-address': '192.0.2.254' }, portSet(1)));
  assert.equal(await faults(table(more)), ['datapath-limit aftr']);
});

test.run();

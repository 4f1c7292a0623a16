/** The options that tell an AFTR: what is read of them, and each way in which octets can be wrong. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6, parseIpv6 } from '../../../src/address.ts';
import type { AftrOptions } from '../../../src/mgmt/dhcpv6/aftr-options.ts';
import { aftrNewsOf } from '../../../src/mgmt/dhcpv6/aftr-options.ts';

const test = suite('aftr-options');

const octets = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const u16 = (value: number) => value.toString(16).padStart(4, '0');
const address = (text: string) => Buffer.from(parseIpv6(text) ?? []).toString('hex');
const option = (code: number, content: string) => u16(code) + u16(content.length / 2) + content;
const br = (text: string) => option(90, address(text));
const name = (...labels: readonly string[]) =>
  labels.map((label) => label.length.toString(16).padStart(2, '0') + Buffer.from(label).toString('hex')).join('');

/** In a few words: what an answer of these options, in hexadecimal digits, says. */
function said(hex: { readonly [Name in keyof AftrOptions]: string }): string {
  const options = Object.fromEntries(Object.entries(hex).map(([key, text]) => [key, octets(text)]));
  const news = aftrNewsOf(options);
  switch (news.kind) {
    case 'addresses': {
      const addresses = news.addresses.map((one) => formatIpv6(one)).join(' ');
      return `${news.toldBy} ${addresses}${news.unused && ` (${news.unused})`}`;
    }
    case 'name':
      return `${news.toldBy} ${news.name}`;
    case 'nothing':
      return 'nothing';
    case 'malformed':
      return news.problem;
  }
}

const B1 = '2001:db8:b::1';
const B2 = '2001:db8:b::2';
const L63 = 'x'.repeat(63);
const BIND = 'c0000201 40 20010db800010000';
const NOT_USED = 'not used, this gateway has whole addresses of its own';

const good: readonly (readonly [why: string, hex: Parameters<typeof said>[0], expected: string])[] = [
  ['no option', {}, 'nothing'],
  ['an address in the container', { s46ContLw: br(B1) }, `s46-container ${B1}`],
  ['two, in the order of the server', { s46ContLw: br(B2) + br(B1) }, `s46-container ${B2} ${B1}`],
  ['behind an option that is not known', { s46ContLw: option(999, 'ff') + br(B1) }, `s46-container ${B1}`],
  ['behind an empty option', { s46ContLw: option(999, '') + br(B1) }, `s46-container ${B1}`],
  [
    'beside a whole IPv4 address',
    { s46ContLw: option(92, BIND.replaceAll(' ', '')) + br(B1) },
    `s46-container ${B1} (OPTION_S46_V4V6BIND gives 192.0.2.1: ${NOT_USED})`,
  ],
  [
    'beside a shared IPv4 address',
    { s46ContLw: br(B1) + option(92, BIND.replaceAll(' ', '') + option(93, '06083400')) },
    `s46-container ${B1} (OPTION_S46_V4V6BIND gives 192.0.2.1 with a port set: ${NOT_USED})`,
  ],
  [
    'beside an IPv4 address without an IPv6 prefix',
    { s46ContLw: br(B1) + option(92, 'fffffffe00') },
    `s46-container ${B1} (OPTION_S46_V4V6BIND gives 255.255.255.254: ${NOT_USED})`,
  ],
  [
    'beside an IPv4 address with an IPv6 prefix of 128 bits',
    { s46ContLw: br(B1) + option(92, `c000020180${address(B2)}`) },
    `s46-container ${B1} (OPTION_S46_V4V6BIND gives 192.0.2.1: ${NOT_USED})`,
  ],
  ['an empty option at the end', { s46ContLw: br(B1) + option(999, '') }, `s46-container ${B1}`],
  ['an address by itself', { s46Br: address(B1) }, `s46-br ${B1}`],
  ['a name', { aftrName: `${name('aftr', 'example', 'net')}00` }, 'aftr-name aftr.example.net'],
  ['a name of one label', { aftrName: `${name('aftr')}00` }, 'aftr-name aftr'],
  ['a name in capitals', { aftrName: `${name('AFTR', 'Example')}00` }, 'aftr-name aftr.example'],
  ['inner hyphens and digits', { aftrName: `${name('a--1', '4over6')}00` }, 'aftr-name a--1.4over6'],
  ['a label of 63 octets', { aftrName: `${name(L63)}00` }, `aftr-name ${L63}`],
  [
    'a name of 255 octets',
    { aftrName: `${name(L63, L63, L63, 'x'.repeat(61))}00` },
    `aftr-name ${L63}.${L63}.${L63}.${'x'.repeat(61)}`,
  ],
  ['container before address', { s46ContLw: br(B1), s46Br: address(B2) }, `s46-container ${B1}`],
  ['container before name', { s46ContLw: br(B1), aftrName: `${name('a')}00` }, `s46-container ${B1}`],
  ['address before name', { s46Br: address(B2), aftrName: `${name('a')}00` }, `s46-br ${B2}`],
];

for (const [why, hex, expected] of good) test(`good: ${why}`, () => assert.is(said(hex), expected));

const UNUSABLE = 'expected a unicast address that is not link-local';
const bad: readonly (readonly [why: string, hex: Parameters<typeof said>[0], problem: string])[] = [
  ['an empty container', { s46ContLw: '' }, 'OPTION_S46_CONT_LW has no OPTION_S46_BR: expected at least one'],
  [
    'a container without an address',
    { s46ContLw: option(92, 'c000020100') },
    'OPTION_S46_CONT_LW has no OPTION_S46_BR: expected at least one',
  ],
  ['one octet of a header', { s46ContLw: `${br(B1)}00` }, 'OPTION_S46_CONT_LW ends inside the header of an option'],
  ['three octets of a header', { s46ContLw: '005a00' }, 'OPTION_S46_CONT_LW ends inside the header of an option'],
  [
    'a length that is one too long',
    { s46ContLw: `005a0011${address(B1)}` },
    'option 90 in OPTION_S46_CONT_LW has length 17, and 16 are left',
  ],
  [
    'a length beyond everything',
    { s46ContLw: `${br(B1)}03e7ffff00` },
    'option 999 in OPTION_S46_CONT_LW has length 65535, and 1 are left',
  ],
  [
    'a truncated address in the container',
    { s46ContLw: option(90, address(B1).slice(2)) },
    'OPTION_S46_BR has 15 octets: expected 16, an IPv6 address',
  ],
  ['an IPv4 address', { s46Br: 'c0000201' }, 'OPTION_S46_BR has 4 octets: expected 16, an IPv6 address'],
  ['17 octets', { s46Br: `${address(B1)}00` }, 'OPTION_S46_BR has 17 octets: expected 16, an IPv6 address'],
  ['no octet', { s46Br: '' }, 'OPTION_S46_BR has 0 octets: expected 16, an IPv6 address'],
  ...['::', '::1', 'fe80::1', 'febf::1', 'ff0e::1', '::ffff:192.0.2.1'].map(
    (text) => [`address ${text}`, { s46Br: address(text) }, `OPTION_S46_BR has ${text}: ${UNUSABLE}`] as const,
  ),
  [
    'one bad address beside a good one',
    { s46ContLw: br(B1) + br('ff02::1') },
    `OPTION_S46_BR has ff02::1: ${UNUSABLE}`,
  ],
  [
    'a binding of four octets',
    { s46ContLw: br(B1) + option(92, 'c0000201') },
    'OPTION_S46_V4V6BIND ends inside its IPv4 address or its IPv6 prefix',
  ],
  [
    'a binding with a truncated prefix',
    { s46ContLw: br(B1) + option(92, 'c000020140 20010db8000100'.replace(' ', '')) },
    'OPTION_S46_V4V6BIND ends inside its IPv4 address or its IPv6 prefix',
  ],
  [
    'a binding with a prefix of 129 bits',
    { s46ContLw: br(B1) + option(92, `c000020181${'00'.repeat(17)}`) },
    'OPTION_S46_V4V6BIND ends inside its IPv4 address or its IPv6 prefix',
  ],
  [
    'a binding with a truncated option',
    { s46ContLw: br(B1) + option(92, 'c000020100005d') },
    'OPTION_S46_V4V6BIND ends inside the header of an option',
  ],
  ['an empty name', { aftrName: '' }, 'OPTION_AFTR_NAME ends without the empty label of the root'],
  ['the root', { aftrName: '00' }, 'OPTION_AFTR_NAME is the root: expected the name of a host'],
  ['no root at the end', { aftrName: name('aftr') }, 'OPTION_AFTR_NAME ends without the empty label of the root'],
  ['a label that is cut', { aftrName: name('aftr').slice(0, -2) }, 'OPTION_AFTR_NAME ends inside a label'],
  [
    'a pointer',
    { aftrName: `${name('aftr')}c000` },
    'OPTION_AFTR_NAME has a label of type or length 192: expected no compression',
  ],
  [
    'a label of 64 octets',
    { aftrName: `${name('x'.repeat(64))}00` },
    'OPTION_AFTR_NAME has a label of type or length 64: expected no compression',
  ],
  [
    'a second name',
    { aftrName: `${name('a')}00${name('b')}00` },
    'OPTION_AFTR_NAME has octets behind its name: expected one name',
  ],
  [
    'an empty label in between',
    { aftrName: `${name('a')}00${name('b')}` },
    'OPTION_AFTR_NAME has octets behind its name: expected one name',
  ],
  [
    '256 octets',
    { aftrName: `${name(L63, L63, L63, 'x'.repeat(62))}00` },
    'OPTION_AFTR_NAME has 256 octets: a name has 255 at most',
  ],
  ...['a b', 'a.b', '-a', 'a-', 'a_b', 'ä', '\0', 'a\n'].map((label) => {
    const text = Buffer.from(label).toString('latin1').toLowerCase();
    const problem = `OPTION_AFTR_NAME has label ${JSON.stringify(text)}: expected letters, digits and inner hyphens`;
    const length = Buffer.from(label).length.toString(16).padStart(2, '0');
    return [
      `label ${JSON.stringify(label)}`,
      { aftrName: `${length}${Buffer.from(label).toString('hex')}00` },
      problem,
    ] as const;
  }),
  [
    'a bad name behind a good address',
    { s46Br: address(B1), aftrName: '00' },
    'OPTION_AFTR_NAME is the root: expected the name of a host',
  ],
  [
    'a bad address behind a good container',
    { s46ContLw: br(B1), s46Br: '' },
    'OPTION_S46_BR has 0 octets: expected 16, an IPv6 address',
  ],
];

for (const [why, hex, problem] of bad) test(`bad: ${why}`, () => assert.is(said(hex), problem));

test('an address is of the answer that told it, and not of a buffer that is used again', () => {
  const s46Br = octets(address(B1));
  const news = aftrNewsOf({ s46Br });
  s46Br.fill(0);
  assert.equal(news.kind === 'addresses' && news.addresses.map((one) => formatIpv6(one)), [B1]);
});

test('octets at random: an answer or a sentence, never anything else', () => {
  let state = 0x9e3779b9;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
  for (let round = 0; round < 20_000; round++) {
    const some = Uint8Array.from({ length: next() % 60 }, (_, at) =>
      next() % 3 === 0 ? next() : ([0, 90, 0, 16][at % 4] ?? 0),
    );
    for (const key of ['aftrName', 's46Br', 's46ContLw'] as const) {
      assert.ok(['addresses', 'name', 'malformed'].includes(aftrNewsOf({ [key]: some }).kind));
    }
  }
});

test.run();

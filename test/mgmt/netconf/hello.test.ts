import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { capabilitiesOf, checkHello, HelloError, sessionIdOf } from '../../../src/mgmt/netconf/hello.ts';
import { parseXml } from '../../../src/mgmt/xml.ts';

const test = suite('hello');

const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const V10 = 'urn:ietf:params:netconf:base:1.0';
const V11 = 'urn:ietf:params:netconf:base:1.1';

const hello = (inside: string) => `<hello xmlns="${BASE}">${inside}</hello>`;
const capabilities = (...uris: string[]) =>
  `<capabilities>${uris.map((uri) => `<capability>${uri}</capability>`).join('')}</capabilities>`;

/** [hello, framing or 'refused', why]. */
const cases = [
  [hello(capabilities(V10, V11)), 'chunked', 'both versions'],
  [hello(capabilities(V11)), 'chunked', 'base:1.1 alone'],
  [hello(capabilities(V10)), 'end-of-message', 'base:1.0 alone'],
  [hello(capabilities(V10, `\n   ${V11}\t `)), 'chunked', 'white space around a capability'],
  [hello(capabilities(V10, 'urn:x', 'urn:x')), 'end-of-message', 'others, twice'],
  [
    `<n:hello xmlns:n="${BASE}"><n:capabilities><n:capability>${V11}</n:capability></n:capabilities></n:hello>`,
    'chunked',
    'prefixes',
  ],
  [hello(`${capabilities(V11)}<session-id>4</session-id>`), 'refused', 'a session-id'],
  [hello(capabilities('urn:ietf:params:netconf:base:9.9')), 'refused', 'no common version'],
  [hello(capabilities('urn:ietf')), 'refused', 'a prefix of base:1.0'],
  [hello(capabilities(`${V11}x`)), 'refused', 'more than base:1.1'],
  [hello(capabilities(`${V11}?x=y`)), 'refused', 'base:1.1 with a parameter'],
  [hello(capabilities()), 'refused', 'no capability'],
  [hello(''), 'refused', 'no capabilities'],
  [hello(`<capability>${V11}</capability>`), 'refused', 'a capability outside capabilities'],
  [
    hello(`<capabilities xmlns="urn:x"><capability>${V11}</capability></capabilities>`),
    'refused',
    'capabilities in a wrong namespace',
  ],
  [
    hello(`<capabilities><capability xmlns="urn:x">${V11}</capability></capabilities>`),
    'refused',
    'a capability in a wrong namespace',
  ],
  [`<hello>${capabilities(V11)}</hello>`, 'refused', 'no namespace'],
  [`<hello xmlns="urn:x">${capabilities(V11)}</hello>`, 'refused', 'a wrong namespace'],
  [`<rpc xmlns="${BASE}">${capabilities(V11)}</rpc>`, 'refused', 'a wrong root'],
  [`<softwire xmlns="urn:gi-4over6"/>`, 'refused', 'a root of our own model'],
] as const;

function verdict(text: string): string {
  try {
    return checkHello(parseXml(text));
  } catch (error) {
    if (error instanceof HelloError) return 'refused';
    throw error;
  }
}

for (const [text, expected, why] of cases) test(`${why}: ${expected}`, () => assert.is(verdict(text), expected));

test('the session-id and the capabilities of the library', () => {
  const text = hello(`${capabilities(V10, 'urn:a?b=c&amp;d=e')}<session-id>17</session-id>`);
  assert.is(sessionIdOf(text), 17);
  assert.equal(capabilitiesOf(text), [V10, 'urn:a?b=c&d=e']);
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ruleset } from '../../src/kernel/nftables.ts';
import { forwardBlocks, marksText } from '../../src/kernel/nftables.ts';
import { sysctlName } from '../../src/kernel/settings.ts';

const test = suite('nftables');

const chain = { family: 'ip', table: 'filter', name: 'FORWARD' };
const forward = (policy: string) => ({ chain: { ...chain, hook: 'forward', policy } });
const rule = (...expr: readonly Record<string, unknown>[]) => ({
  rule: { family: 'ip', table: 'filter', chain: 'FORWARD', expr },
});
const accept = (device: string) =>
  rule({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: device } }, { accept: null });

const cases: readonly (readonly [what: string, nftables: Ruleset['nftables'], drops: boolean])[] = [
  ['nothing', [], false],
  ['policy accept', [forward('accept')], false],
  ['policy drop', [forward('drop')], true],
  ['policy drop, our device accepted', [forward('drop'), accept('gi-gw')], false],
  ['policy drop, another device accepted', [forward('drop'), accept('gi-gw0')], true],
  ['a last rule that rejects all', [forward('accept'), rule({ reject: { type: 'icmpx' } })], true],
  ['a last rule that counts and drops all', [forward('accept'), rule({ counter: {} }, { drop: null })], true],
  ['a rule that drops some', [forward('accept'), rule({ match: {} }, { drop: null })], false],
  ['policy drop at another hook', [{ chain: { ...chain, hook: 'input', policy: 'drop' } }], false],
];
for (const [what, nftables, drops] of cases) {
  test(`forwarded packets: ${what}`, () => {
    const blocks = forwardBlocks({ nftables }, ['gi-gw']);
    assert.is(blocks.length, drops ? 1 : 0);
    for (const sentence of blocks)
      assert.match(sentence, /^chain FORWARD of nftables table ip filter may drop forwarded/);
  });
}

test('the text of marks names links and prefixes, and replaces what was there', () => {
  const text = marksText({
    devices: ['gi-gw'],
    routes: [],
    rules: [],
    tunnelAddresses: [],
    marked: { prefixes: [{ address: 0xc0000200, length: 24 }], links: ['left', 'eth0.5'] },
  });
  assert.match(text, /^table inet gi4over6\ndelete table inet gi4over6\ntable inet gi4over6 \{/);
  assert.match(text, /elements = \{ 192\.0\.2\.0\/24 \}/);
  assert.match(text, /iifname \{ "left", "eth0\.5" \} ip saddr @served meta mark set meta mark \| 67108864\n/);
  assert.is(marksText({ devices: [], routes: [], rules: [], tunnelAddresses: [], marked: undefined }), '');
});

test('settings are named as sysctl(8) reads them', () => {
  assert.is(sysctlName('ipv4/ip_forward'), 'net.ipv4.ip_forward');
  assert.is(sysctlName('ipv4/conf/eth0.5/rp_filter'), 'net.ipv4.conf.eth0/5.rp_filter');
});

test.run();

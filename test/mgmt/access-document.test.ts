// needs: addon
/** The example of docs/access.md, and what its table says of it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { shaCrypt } from '../../src/sha-crypt.ts';
import { outcome, RawClient } from '../helpers/netconf-client.ts';
import { copy, edit, GI, NC_PREFIX, systemUser } from '../helpers/netconf-requests.ts';
import { startProgram } from '../helpers/restconf-program.ts';

const test = suite('docs/access.md');

const page = readFileSync('docs/access.md', 'utf8');
const [, example = ''] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
const [, method = '', type = '', path = ''] =
  /`curl [^`]* -X (\w+) -H '([^']*)' --data-binary @desk\.json\nhttps:[^`]*?:8443([^`]*)`/.exec(page) ?? [];
const PASSWORD = 'a word of olga';
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-access-page-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
const program = await startProgram(['--startup', '--url-dir', dir]);

const softwire = (content: string, operation = '') => `<softwire ${GI} ${NC_PREFIX}${operation}>${content}</softwire>`;
const entry = (name: string, content: string) => `<aftr><name>${name}</name>${content}</aftr>`;
const aftr = (name: string, content: string, operation = '') =>
  softwire(entry(name, content).replace('<aftr', `<aftr${operation}`));
const binding = (prefix: string, gateway: string, operation = '') =>
  `<binding${operation}><ipv4-prefix>${prefix}</ipv4-prefix>${gateway && `<gateway-ipv6-address>${gateway}</gateway-ipv6-address>`}</binding>`;
const rows = (name: string, content: string, operation = '') =>
  edit(aftr(name, `<binding-table${operation}>${content}</binding-table>`));
const DELETE = ' nc:operation="delete"';
const REPLACE = ' nc:operation="replace"';
const own = binding('192.0.2.7/32', '2001:db8:a::7');
const LAB = entry(
  'lab',
  `<ipv6-address>2001:db8:b::9</ipv6-address><ipv4-pool>203.0.113.0/24</ipv4-pool><binding-table>${binding('203.0.113.1/32', '2001:db8:a::9')}</binding-table>`,
);
const EDGE = entry(
  'edge',
  `<ipv6-address>2001:db8:b::8</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool><binding-table>${binding('192.0.2.1/32', '2001:db8:a::1')}</binding-table>`,
);
const SAVE = copy('<running/>', 'startup');
const gi = (name: string, content = '') => `<${name} ${GI}>${content}</${name}>`;

/** [what, what olga asks, how it ends], in turn; with and without the AFTR that she may not read. */
const requests: readonly (readonly [what: string, operation: string, outcome: string])[] = [
  ['a binding comes', rows('edge', own), 'ok'],
  ['a binding changes', rows('edge', binding('192.0.2.7/32', '2001:db8:a::8')), 'ok'],
  ['a binding goes', rows('edge', binding('192.0.2.7/32', '', DELETE)), 'ok'],
  ['the table is replaced', rows('edge', own, REPLACE), 'ok'],
  ['a binding of the other', rows('lab', binding('203.0.113.7/32', '2001:db8:a::7')), 'access-denied'],
  ['the other goes', edit(aftr('lab', '', DELETE)), 'access-denied'],
  ['a leaf of her AFTR', edit(aftr('edge', '<hop-limit>9</hop-limit>')), 'access-denied'],
  ['softwire goes', edit(softwire('', DELETE)), 'access-denied'],
  ['softwire is replaced', edit(softwire('', REPLACE)), 'access-denied'],
  ['all is replaced', edit(softwire(EDGE), '<default-operation>replace</default-operation>'), 'access-denied'],
  ['a whole configuration', copy(`<config>${softwire(EDGE)}</config>`, 'running'), 'access-denied'],
  ['startup is saved', SAVE, 'ok'],
  ['startup goes', '<delete-config><target><startup/></target></delete-config>', 'access-denied'],
  ['an edit of the candidate', rows('edge', own).replace('<running/>', '<candidate/>'), 'ok'],
  ['a commit', '<commit/>', 'ok'],
  ['a trace', gi('trace', '<packet>RQAAFA==</packet>'), 'access-denied'],
  [
    'a file',
    '<copy-config><target><url>file:///x.xml</url></target><source><running/></source></copy-config>',
    'access-denied',
  ],
];

for (const there of [true, false]) {
  test(`the table, ${there ? 'with' : 'without'} what olga may not read`, () =>
    program.run(async ({ management, done, curl }) => {
      const made = await curl(path, { method, headers: [type], body: example });
      assert.is(made.status, 204, made.body);
      await done(
        edit(
          softwire(EDGE + (there ? LAB : ''), REPLACE) +
            systemUser('olga', shaCrypt(PASSWORD, '$6$rounds=1000$salt') ?? ''),
        ),
      );
      await done(SAVE);
      const olga = (await RawClient.ssh(management.netconfPort, 'olga', { password: PASSWORD })).greet('1.1');
      for (const [what, operation, expected] of requests) {
        const reply = await olga.rpc(operation);
        assert.is(outcome(reply), expected, `${what}: ${reply}`);
      }
      const shown = await olga.rpc(`<get><filter><softwire ${GI}/></filter></get>`);
      assert.match(shown, /<name>edge<\/name>/);
      assert.match(shown, /<bindings>1<\/bindings>/);
      for (const hidden of [/lab/, /203\.0\.113/, /content-hash/]) assert.not.match(shown, hidden);
      const versions = await olga.rpc(gi('list-versions'));
      assert.match(versions, /<user>olga<\/user>/);
      assert.not.match(versions, /<added>/);
      const rules = await olga.rpc('<get-config><source><running/></source></get-config>');
      assert.not.match(rules, /nacm|password|olga/);
      olga.end();
    }));
}

test('the end', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

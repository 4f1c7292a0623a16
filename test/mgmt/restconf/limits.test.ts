// needs: addon
/** What docs/limits.md says of RESTCONF is what is enforced. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hyphenated } from '../../../src/limit-settings.ts';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { RESTCONF_LIMIT_TABLE, RESTCONF_SETTINGS } from '../../../src/restconf-limits.ts';

const test = suite('restconf: limits');

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

const ROWS: readonly (readonly [limit: keyof typeof LIMITS, what: string])[] = [
  ['urlOctets', 'octets of path and query'],
  ['headerOctets', 'octets of names and values of the header fields'],
  ['bodyOctets', 'octets of a body'],
  ['patchOctets', 'octets of a YANG Patch, or of a message of a route source'],
  ['jsonDepth', 'levels of objects and arrays in a JSON body'],
  ['streams', 'streams of an HTTP/2 connection'],
  ['eventStreams', 'event streams'],
  ['eventStreamsPerUser', 'event streams of one user'],
  ['headerMs', 'milliseconds for the TLS handshake, and for a whole header over HTTP/1.1'],
  ['unreadMs', 'milliseconds that a client may leave an answer or events unread'],
  ['unreadOctets', 'octets of what a subscription tells of itself that a client may leave unread'],
];

const [, SECTION = ''] = readFileSync('docs/limits.md', 'utf8').split('## RESTCONF');

test('docs/limits.md has each fixed limit as it is', () => {
  const rows = SECTION.split('\n').flatMap((line) => /^\| (.+?) \| (\d+) \|/.exec(line)?.slice(1, 3).join(' = ') ?? []);
  assert.equal(
    rows.filter((row) => !row.startsWith('`')),
    ROWS.map(([limit, what]) => `${what} = ${LIMITS[limit]}`),
  );
});

test('docs/limits.md has each limit that can be set as it is', () => {
  const rows = SECTION.split('\n').filter((line) => line.startsWith('| `') && line.split('|').length === 7);
  const expected = RESTCONF_SETTINGS.names.map((name) => {
    const { standard, range, what } = RESTCONF_LIMIT_TABLE[name];
    return `| \`${hyphenated(name)}\` | ${standard} | ${range[0]} | ${range[1]} | ${what} |`;
  });
  assert.equal(rows, expected);
});

test('a setting is a name and a number within its range', () => {
  for (const name of RESTCONF_SETTINGS.names) {
    const [min, max] = RESTCONF_LIMIT_TABLE[name].range;
    for (const value of [min, max]) {
      assert.equal(RESTCONF_SETTINGS.read(`${hyphenated(name)}=${value}`), { name, value });
      assert.equal(RESTCONF_SETTINGS.words({ [name]: value }), ['--restconf-limit', `${hyphenated(name)}=${value}`]);
    }
    for (const value of [min - 1, max + 1, 'x', '']) {
      assert.type(RESTCONF_SETTINGS.read(`${hyphenated(name)}=${value}`), 'string', `${name}=${value}`);
    }
  }
  assert.match(String(RESTCONF_SETTINGS.read('depth=50')), 'expected NAME=VALUE with NAME of connections, ');
});

for (const command of ['run', 'management']) {
  test(`gi4over6 ${command} refuses a limit that there is not, in a sentence`, () => {
    const words = [MAIN, command, '--restconf-limit', 'idle-ms=0'];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 120_000 });
    assert.is.not(status, 0);
    assert.match(stderr, "idle-ms: expected a whole number from 10 to 2147483647, found '0'.");
  });
}

test.run();

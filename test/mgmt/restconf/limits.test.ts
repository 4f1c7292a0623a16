/** What docs/limits.md says of RESTCONF is what is enforced. */

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';

const test = suite('restconf: limits');

const ROWS: readonly (readonly [limit: keyof typeof LIMITS, what: string])[] = [
  ['urlOctets', 'octets of path and query'],
  ['headerOctets', 'octets of request line and header fields over HTTP/1.1'],
  ['bodyOctets', 'octets of a body'],
  ['patchOctets', 'octets of a YANG Patch, or of a message of a route source'],
  ['jsonDepth', 'levels of objects and arrays in a JSON body'],
  ['connections', 'connections'],
  ['streams', 'streams of an HTTP/2 connection'],
  ['eventStreams', 'event streams'],
  ['eventStreamsPerUser', 'event streams of one user'],
  ['headerMs', 'milliseconds for the TLS handshake, and for a whole header over HTTP/1.1'],
  ['requestMs', 'milliseconds for a whole request over HTTP/1.1'],
  ['idleMs', 'milliseconds that a connection may be silent'],
  ['unreadMs', 'milliseconds that a client may leave an answer or events unread'],
];

test('docs/limits.md has each limit as it is', () => {
  const [, section = ''] = readFileSync('docs/limits.md', 'utf8').split('## RESTCONF');
  const rows = section.split('\n').flatMap((line) => /^\| (.+?) \| (\d+) \|/.exec(line)?.slice(1, 3).join(' = ') ?? []);
  assert.equal(
    rows,
    ROWS.map(([limit, what]) => `${what} = ${LIMITS[limit]}`),
  );
});

test.run();

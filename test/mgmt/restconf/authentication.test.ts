/** R67: logins that are not judged, since too many of their address wait. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { firstOf, unauthorized } from '../../../src/mgmt/restconf/authentication.ts';
import { RestconfFault } from '../../../src/mgmt/restconf/fault.ts';
import type { HttpConnection } from '../../helpers/http-connections.ts';
import { errorIn, openTls, until } from '../../helpers/http-connections.ts';
import { GUEST, withRestconf } from '../../helpers/restconf.ts';

const test = suite('restconf: authentication');

async function login(port: number, credentials: string): Promise<HttpConnection> {
  const connection = await openTls(port);
  const basic = Buffer.from(credentials).toString('base64');
  connection.write(`GET /restconf HTTP/1.1\r\nHost: a\r\nAuthorization: Basic ${basic}\r\n\r\n`);
  return connection;
}

const statusOf = ({ received }: HttpConnection) => Number(received.slice(9, 12));

test('R67: behind too many guesses a right password is 503, not 401: the queue has no room for it', () =>
  withRestconf(async ({ port, curl }) => {
    const { paths } = JSON.parse((await curl('/restconf/openapi.json', { headers: ['Accept: */*'] })).body);
    assert.ok(paths['/restconf'].get.responses['503'], 'it is described');
    const guesses = await Promise.all(Array.from({ length: 10 }, (_, at) => login(port, `user${at}:x`)));
    await until(() => guesses.every((guess) => statusOf(guess) === 401));
    // Each waits 10 s longer than the one before.
    const right = await Promise.all(Array.from({ length: 6 }, () => login(port, GUEST)));
    await until(() => right.filter((one) => statusOf(one) > 0).length >= 2);
    for (const { received } of right.filter((one) => statusOf(one) > 0)) {
      assert.match(received, /^HTTP\/1.1 503 /);
      assert.match(received, /\r\nretry-after: 10\r\n/i);
      assert.not.match(received, /\r\nwww-authenticate:/i);
      assert.is(errorIn(received.split('\r\n\r\n')[1] ?? '')['error-tag'], 'resource-denied');
    }
    for (const connection of [...guesses, ...right]) connection.end();
  }));

const BUSY = new RestconfFault(503, 'resource-denied', { message: 'busy' });
const WRONG = unauthorized('wrong');
for (const [first, second, expected] of [
  [WRONG, BUSY, BUSY],
  [BUSY, WRONG, BUSY],
  [WRONG, unauthorized('also wrong'), WRONG],
] as const) {
  test(`of two ways, ${first.message} and ${second.message}: ${expected.message}`, async () => {
    const refusal = (fault: RestconfFault) => () => Promise.reject(fault);
    const thrown = await firstOf(refusal(first), refusal(second)).catch((error: unknown) => error);
    assert.is(thrown, expected);
  });
}

test.run();

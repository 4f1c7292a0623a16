// needs: addon
/** The end of the program after a client that asked for much at once, read nothing and went away. */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASIC } from '../../helpers/http-connections.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf pipeline, end');
const program = await startProgram();
const TABLE = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
const REQUESTS = 400;

test('answers that nobody will read do not keep the program from ending', async () => {
  await program.run(async ({ port, addBindings }) => {
    const bindings = Array.from({ length: 256 }, (_, host) => ({
      'ipv4-prefix': `198.51.100.${host}/32`,
      'gateway-ipv6-address': '2001:db8::1',
      description: 'x'.repeat(60),
    }));
    await addBindings(bindings);
    const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    client.on('error', () => undefined);
    await once(client, 'secureConnect');
    const request = `GET ${TABLE} HTTP/1.1\r\nHost: a\r\nAuthorization: ${BASIC}\r\n\r\n`;
    client.write(request.repeat(REQUESTS));
    // The first answer fills the connection; meanwhile the others are begun.
    await once(client, 'readable');
    await sleep(1_000);
    client.destroy();
  });
  assert.is(await program.stop(), 0);
});

test.run();

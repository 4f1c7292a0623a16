// needs: addon
/** Dynamic subscriptions with Debian's ncclient over SSH. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('ncclient subscriptions');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();
const words = ['127.0.0.1', String(management.netconfPort), 'admin', management.password];
// Debian's python3 has ncclient; another may stand first in PATH.
const session = await promisify(execFile)('/usr/bin/python3', ['test/helpers/ncclient-subscriptions.py', ...words], {
  timeout: 60_000,
}).finally(() => management.stop());

test('N95, N96: events, changes of a datastore, resync, kill', () => {
  const lines = session.stdout.trimEnd().split('\n');
  assert.equal(
    lines.map((line) => JSON.parse(line)),
    [
      ['establish', true],
      ['event', 'binding-table-changed'],
      ['beside it', true],
      ['delete', true],
      ['whole', ['push-update', '2001:db8::1']],
      ['change', ['push-change-update', 'replace', '2001:db8::2']],
      ['resync', true],
      ['whole again', 'push-update'],
      ['refused', ['invalid-value', 'ietf-subscribed-notifications:no-such-subscription']],
      ['kill', true],
      ['killed', 'subscription-terminated'],
    ],
  );
});

test.run();

// needs: addon
/** ncclient as a subscriber of the running program: create_subscription and take_notification. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('ncclient notifications');

const management = await startManagement();
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();
const words = ['127.0.0.1', String(management.netconfPort), 'admin', management.password];
// Debian's python3 has ncclient; another may stand first in PATH.
const session = await promisify(execFile)('/usr/bin/python3', ['test/helpers/ncclient-notifications.py', ...words], {
  timeout: 60_000,
}).finally(() => management.stop());

test('subscribe, take an event, ask meanwhile, be refused a second one, replay', () => {
  const lines = session.stdout.trimEnd().split('\n');
  assert.equal(
    lines.map((line) => JSON.parse(line)),
    [
      ['subscribe', 1],
      ['event', 'binding-table-changed'],
      ['beside it', true],
      ['second', 'in-use'],
      ['replay', ['binding-table-changed', 'replayComplete', 'notificationComplete']],
    ],
  );
});

test.run();

// needs: addon
/** ncclient as a subscriber of the running program: create_subscription and take_notification. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { runNcclient } from '../../helpers/ncclient.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('ncclient notifications');

const management = await startManagement();
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();
const steps = await runNcclient('notifications', management).finally(() => management.stop());

test('subscribe, take an event, ask meanwhile, be refused a second one, replay', () => {
  assert.equal(steps, [
    ['subscribe', 1],
    ['event', 'binding-table-changed'],
    ['beside it', true],
    ['second', 'in-use'],
    ['replay', ['binding-table-changed', 'replayComplete', 'notificationComplete']],
  ]);
});

test.run();

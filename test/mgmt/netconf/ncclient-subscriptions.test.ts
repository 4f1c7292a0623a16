// needs: addon
/** Dynamic subscriptions with Debian's ncclient over SSH. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { runNcclient } from '../../helpers/ncclient.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('ncclient subscriptions');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();
const steps = await runNcclient('subscriptions', management).finally(() => management.stop());

test('N95, N96: events, changes of a datastore, resync, kill', () => {
  assert.equal(steps, [
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
  ]);
});

test.run();

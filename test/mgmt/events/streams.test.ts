/** What of an event a user sees through a filter. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../../src/mgmt/access.ts';
import { EventLog } from '../../../src/mgmt/events/event-log.ts';
import { textFilter } from '../../../src/mgmt/events/filter.ts';
import { EventStreams } from '../../../src/mgmt/events/streams.ts';
import { treeFromJson } from '../../../src/state/json.ts';
import { CONFIGURATION } from '../../helpers/restconf.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

const test = suite('events of a user');
const CHANGE = 'ietf-netconf-notifications:netconf-config-change';
const edit = (list: string) => ({ target: `/gi-4over6:softwire/${list}[name='x']`, operation: 'create' });

for (const [user, list, passes] of [
  ['admin', 'gateway', true],
  ['guest', 'gateway', false],
  ['guest', 'aftr', true],
] as const) {
  test(`a filter for an edit of a ${list} ${passes ? 'holds' : 'does not hold'} for ${user}`, () => {
    const log = EventLog.inMemory();
    const configuration = treeFromJson(schema, CONFIGURATION);
    const streams = new EventStreams(log, schema, new AccessControl(() => configuration));
    log.add({ [CHANGE]: { datastore: 'running', edit: [edit('gateway'), edit('aftr')] } });
    const record = log.at(1);
    if (!record) throw new Error('no event');
    const filter = textFilter(
      schema,
      plainCheck,
      `contains(/${CHANGE}/edit[${list === 'aftr' ? 'last()' : '1'}]/target, '${list}')`,
    );
    const caller = { user, session: 0, face: 'restconf' } as const;
    assert.is(streams.view(caller, filter, 1, record) !== undefined, passes);
    assert.ok(streams.view(caller, undefined, 1, record));
  });
}

test.run();

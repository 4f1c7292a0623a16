import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AlarmControl } from '../../../src/mgmt/alarms/alarm-data.ts';
import { alarmState, isNotified } from '../../../src/mgmt/alarms/alarm-data.ts';
import type { AlarmChange, Condition } from '../../../src/mgmt/alarms/alarm-list.ts';
import { AlarmList, changedMs } from '../../../src/mgmt/alarms/alarm-list.ts';
import type { Severity } from '../../../src/mgmt/alarms/alarm-types.ts';
import { treeFromJson } from '../../../src/state/json.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('alarm list');

const TYPE = 'not-forwarding';
const is = (resource: string, severity: Severity = 'major', text = 't'): Condition => ({ resource, severity, text });
const told = (changes: readonly AlarmChange[]) =>
  changes.map(({ kind, resource, severity, timeMs }) => `${timeMs} ${kind} ${resource} ${severity}`);

/** [what, [time, conditions that hold, what is told][], the list at the end: resource, cleared, created, raised, changed]. */
type Step = readonly [number, readonly Condition[], readonly string[]];
type Entry = readonly [string, boolean, number, number, number];
const cases: readonly (readonly [string, readonly Step[], readonly Entry[]])[] = [
  ['nothing', [[10, [], []]], []],
  ['raised', [[10, [is('a')], ['10 raise a major']]], [['a', false, 10, 10, 10]]],
  [
    'raised once, however often it is seen',
    [
      [10, [is('a')], ['10 raise a major']],
      [20, [is('a')], []],
    ],
    [['a', false, 10, 10, 10]],
  ],
  [
    'cleared when it is not seen any more, and once',
    [
      [10, [is('a')], ['10 raise a major']],
      [20, [], ['20 clear a cleared']],
      [30, [], []],
    ],
    [['a', true, 10, 10, 20]],
  ],
  [
    'raised again: the entry stays',
    [
      [10, [is('a')], ['10 raise a major']],
      [20, [], ['20 clear a cleared']],
      [30, [is('a', 'minor')], ['30 raise a minor']],
    ],
    [['a', false, 10, 30, 30]],
  ],
  [
    'another severity, another text',
    [
      [10, [is('a', 'warning')], ['10 raise a warning']],
      [20, [is('a', 'critical')], ['20 severity a critical']],
      [30, [is('a', 'critical', 'u')], ['30 text a critical']],
    ],
    [['a', false, 10, 10, 30]],
  ],
  [
    'two resources are two alarms',
    [
      [10, [is('a'), is('b')], ['10 raise a major', '10 raise b major']],
      [20, [is('b')], ['20 clear a cleared']],
    ],
    [
      ['a', true, 10, 10, 20],
      ['b', false, 10, 10, 10],
    ],
  ],
  [
    'within one millisecond, or while the clock goes back, times still grow',
    [
      [10, [is('a')], ['10 raise a major']],
      [10, [], ['11 clear a cleared']],
      [5, [is('a')], ['12 raise a major']],
    ],
    [['a', false, 10, 12, 12]],
  ],
];
for (const [what, steps, expected] of cases) {
  test(what, () => {
    const list = new AlarmList(() => 32);
    for (const [time, conditions, changes] of steps) assert.equal(told(list.observe(TYPE, conditions, time)), changes);
    assert.equal(
      list.alarms.map((alarm) => [alarm.resource, alarm.isCleared, alarm.createdMs, alarm.raisedMs, changedMs(alarm)]),
      expected,
    );
    // RFC 8632: the newest entry corresponds to the alarm.
    for (const { changes, isCleared, severity, text } of list.alarms) {
      assert.equal([changes[0]?.severity, changes[0]?.text], [isCleared ? 'cleared' : severity, text]);
    }
  });
}

test('other types are left alone', () => {
  const list = new AlarmList(() => 32);
  list.observe(TYPE, [is('a')], 1);
  assert.equal(list.observe('datapath-down', [], 2), []);
  assert.equal(
    list.alarms.map(({ isCleared }) => isCleared),
    [false],
  );
});

test('status changes are kept newest first, as many as are configured; fewer at once', () => {
  let most = 3;
  const list = new AlarmList(() => most);
  for (let i = 0; i < 10; i++) list.observe(TYPE, [is('a', i % 2 === 0 ? 'minor' : 'major')], i);
  assert.equal(
    list.alarms[0]?.changes.map(({ timeMs }) => timeMs),
    [9, 8, 7],
  );
  most = 2;
  list.trim();
  assert.equal(
    list.alarms[0]?.changes.map(({ timeMs }) => timeMs),
    [9, 8],
  );
});

test('compress leaves the newest status change', () => {
  const list = new AlarmList(() => 32);
  for (let i = 0; i < 4; i++) list.observe(TYPE, [is('a', 'minor', `${i}`), is('b', 'minor', `${i}`)], i);
  assert.is(
    list.compress(({ resource }) => resource === 'a'),
    1,
  );
  assert.equal(
    list.alarms.map(({ changes }) => changes.map(({ timeMs }) => timeMs)),
    [[3], [3, 2, 1, 0]],
  );
});

test('purged and still so: it comes back with its next change, and its end is told', () => {
  const list = new AlarmList(() => 32);
  list.observe(TYPE, [is('a'), is('b')], 1);
  assert.is(
    list.purge(() => true, 2),
    2,
  );
  assert.is(list.changedMs, 2);
  assert.equal([list.alarms, list.observe(TYPE, [is('a'), is('b')], 3)], [[], []]);
  assert.ok(list.conditionOf(TYPE, 'a'), 'it holds');
  assert.equal(told(list.observe(TYPE, [is('a', 'critical')], 4)), ['4 severity a critical', '4 clear b cleared']);
  assert.equal(
    list.alarms.map(({ resource, createdMs, raisedMs, changes }) => [resource, createdMs, raisedMs, changes.length]),
    [['a', 4, 1, 1]],
  );
  assert.equal(told(list.observe(TYPE, [], 5)), ['5 clear a cleared']);
  list.purge(() => true, 6);
  assert.equal(told(list.observe(TYPE, [is('a')], 7)), ['7 raise a major'], 'a cleared one comes back as new');
});

test('the list is bounded: of alarms that are cleared the oldest goes', () => {
  const list = new AlarmList(() => 1);
  for (let i = 0; i < 2_100; i++) list.observe(TYPE, [is('stays'), is(`${i}`)], i);
  assert.is(list.alarms.length, 2_000);
  assert.is(list.alarms[0]?.resource, 'stays');
  assert.not.ok(list.alarms.some(({ resource }) => resource === '0'));
  assert.ok(list.alarms.some(({ resource, isCleared }) => resource === '2099' && !isCleared));
});

/** RFC 8632, leaf notify-status-changes: the example of severity-level major, and the two others. */
const STEPS: readonly (readonly [Severity | 'clear', string])[] = [
  ['major', 'sent'],
  ['minor', 'sent'],
  ['warning', ''],
  ['minor', ''],
  ['major', 'sent'],
  ['critical', 'sent'],
  ['major', 'sent'],
  ['clear', 'sent'],
];
test('severity-level: the example of RFC 8632', () => {
  const control: AlarmControl = { maxChanges: 32, notify: 'severity-level', level: 'major' };
  const list = new AlarmList(() => 32);
  for (const [time, [severity, expected]] of STEPS.entries()) {
    const [change] = list.observe(TYPE, severity === 'clear' ? [] : [is('a', severity)], time);
    assert.is(change && isNotified(change, control) ? 'sent' : '', expected, `T${time + 1}`);
  }
});

const controls: readonly (readonly [string, Severity, readonly string[]])[] = [
  ['all-state-changes', 'indeterminate', ['raise', 'severity', 'text', 'clear']],
  ['raise-and-clear', 'indeterminate', ['raise', 'clear']],
  ['severity-level', 'critical', ['clear']],
  ['severity-level', 'minor', ['raise', 'severity', 'text', 'clear']],
  ['severity-level', 'major', ['severity', 'text', 'clear']],
];
for (const [notify, level, expected] of controls) {
  test(`${notify} ${level}: ${expected.join(', ')}`, () => {
    const list = new AlarmList(() => 32);
    const steps = [[is('a', 'minor')], [is('a', 'major')], [is('a', 'major', 'u')], []];
    const changes = steps.flatMap((conditions, time) => list.observe(TYPE, conditions, time));
    const control = { maxChanges: 32, notify, level };
    assert.equal(
      changes.filter((change) => isNotified(change, control)).map(({ kind }) => kind),
      expected,
    );
  });
}

test('the state is of the schema, with every severity in the summary', () => {
  const list = new AlarmList(() => 32);
  list.observe(TYPE, [is("/gi-4over6:softwire/aftr[name='a']", 'critical')], 0);
  list.observe('datapath-behind', [is('/gi-4over6:softwire/state')], 1);
  list.observe('datapath-behind', [], 2);
  const alarms = treeFromJson(schema, alarmState(list)).child('alarms', 'ietf-alarms');
  assert.is(alarms?.child('alarm-inventory')?.entries('alarm-type').length, 14);
  assert.equal(
    alarms
      ?.child('summary')
      ?.entries('alarm-summary')
      .map((entry) => entry.childMap.size && [...entry.childMap.values()].map(({ value }) => value).join()),
    ['critical,1,1,0', 'major,1,0,1', 'minor,0,0,0', 'warning,0,0,0', 'indeterminate,0,0,0'],
  );
  const entries = alarms?.child('alarm-list')?.entries('alarm') ?? [];
  assert.equal(
    entries.map((entry) => entry.path.replace('/ietf-alarms:alarms/alarm-list/alarm', '')),
    [
      "[resource=\"/gi-4over6:softwire/aftr[name='a']\"][alarm-type-id='gi-4over6-alarms:not-forwarding'][alarm-type-qualifier='']",
      "[resource='/gi-4over6:softwire/state'][alarm-type-id='gi-4over6-alarms:datapath-behind'][alarm-type-qualifier='']",
    ],
  );
  assert.is(alarms?.child('alarm-list')?.leaf('last-changed'), '1970-01-01T00:00:00.002Z');
});

test.run();

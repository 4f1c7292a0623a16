import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DatapathObservation, InstanceState } from '../../../src/control.ts';
import { AlarmList } from '../../../src/mgmt/alarms/alarm-list.ts';
import type { ConfiguredInstance } from '../../../src/mgmt/alarms/instances.ts';
import { instancePath } from '../../../src/mgmt/alarms/instances.ts';
import type { DatapathLink } from '../../../src/mgmt/alarms/monitor.ts';
import { AlarmMonitor } from '../../../src/mgmt/alarms/monitor.ts';
import { SourceViolations } from '../../../src/mgmt/alarms/source-violations.ts';
import { treeFromJson } from '../../../src/state/json.ts';
import { schema } from '../../helpers/state.ts';

/** From observations to alarms and notifications, by tables and without a clock. */
const test = suite('alarm monitor');

const seconds = (time: number) => ({ wallMs: time * 1_000, steadyMs: time * 1_000 });

/** A monitor that was started at 0 s, and what it tells, in short. */
class Told {
  readonly list = new AlarmList(() => 32);
  readonly monitor: AlarmMonitor;
  #events: string[] = [];

  constructor(list?: AlarmList) {
    if (list) this.list = list;
    const control = () => ({ maxChanges: 32, notify: 'all-state-changes', level: 'indeterminate' }) as const;
    this.monitor = new AlarmMonitor({ list: this.list, control, tell: (event) => this.#tell(event) }, seconds(0));
  }

  /** What was told since the last call. */
  take(): string[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #tell(event: Readonly<Record<string, unknown>>): void {
    // Throws when the model has no such notification.
    treeFromJson(schema, event);
    const [[name, content] = ['', {}]] = Object.entries(event);
    const leaves = content as Readonly<Record<string, unknown>>;
    if (name === 'ietf-alarms:alarm-notification') {
      const type = String(leaves['alarm-type-id']).replace('gi-4over6-alarms:', '');
      const resource = String(leaves.resource)
        .replace(/.*\[name='(.*)'\]/, '$1')
        .replace(/.*:/, '');
      this.#events.push(`${type} ${resource} ${leaves['perceived-severity']}`);
    } else this.#events.push(`${name.replace('gi-4over6:', '')} ${JSON.stringify(leaves)}`);
  }
}

const UP: DatapathLink = { isConnected: true, hasAnswered: true, behind: undefined };
const SILENT: DatapathLink = { ...UP, hasAnswered: false };
const GONE: DatapathLink = { ...SILENT, isConnected: false };
const BEHIND: DatapathLink = { ...UP, behind: { version: 7 } };

const DOWN = 'datapath-down softwire/state critical';
const BACK = 'datapath-down softwire/state cleared';
const links: readonly (readonly [string, readonly (readonly [number, DatapathLink, string])[]])[] = [
  [
    'there from the start',
    [
      [1, UP, ''],
      [2, UP, ''],
    ],
  ],
  [
    'late at the start',
    [
      [1, GONE, ''],
      [9, GONE, ''],
      [9.5, UP, ''],
    ],
  ],
  [
    'never there',
    [
      [1, GONE, ''],
      [9.9, GONE, ''],
      [10, GONE, DOWN],
      [11, GONE, ''],
      [12, UP, BACK],
    ],
  ],
  [
    'gone',
    [
      [4.9, UP, ''],
      [5, GONE, ''],
      [5.2, GONE, ''],
      [5.3, GONE, DOWN],
      [6, GONE, ''],
      [7, UP, BACK],
    ],
  ],
  [
    'gone for a moment',
    [
      [4.9, UP, ''],
      [5, GONE, ''],
      [5.2, UP, ''],
      [5.4, GONE, ''],
    ],
  ],
  [
    'silent',
    [
      [1, UP, ''],
      [2, SILENT, ''],
      [3.9, SILENT, ''],
      [4, SILENT, DOWN],
      [5, UP, BACK],
    ],
  ],
  [
    'there and silent after it was gone',
    [
      [1, UP, ''],
      [2, GONE, ''],
      [2.3, GONE, DOWN],
      [2.5, SILENT, ''],
      [3, UP, BACK],
    ],
  ],
  [
    'behind',
    [
      [1, BEHIND, 'datapath-behind softwire/state major'],
      [2, BEHIND, ''],
      [3, UP, 'datapath-behind softwire/state cleared'],
    ],
  ],
];
for (const [what, steps] of links) {
  test(`datapath ${what}`, () => {
    const told = new Told();
    for (const [time, link, expected] of steps) {
      told.monitor.datapath(seconds(time), link);
      assert.is(told.take().join(), expected, `${time} s`);
    }
  });
}

const A: ConfiguredInstance = { role: 'aftr', name: 'a', enabled: true };
const G: ConfiguredInstance = { role: 'gateway', name: 'g', enabled: true };
const well = (instance: ConfiguredInstance): InstanceState => instance;
const ill = (instance: ConfiguredInstance): InstanceState => ({ ...instance, problem: 'why' });
const off = (instance: ConfiguredInstance): ConfiguredInstance => ({ ...instance, enabled: false });
const changed = (instance: string, forwards: boolean, problem?: string) =>
  `softwire-state-change ${JSON.stringify({ instance, forwards, problem })}`;

type InstanceStep = readonly [readonly ConfiguredInstance[], readonly InstanceState[] | undefined, readonly string[]];
const instances: readonly (readonly [string, readonly InstanceStep[]])[] = [
  ['forwarding from the start: nothing to tell', [[[A, G], [well(A), well(G)], []]]],
  [
    'not forwarding from the start, and then',
    [
      [[A], [ill(A)], ['not-forwarding a critical', changed('a', false, 'why')]],
      [[A], [ill(A)], []],
      [[A], [well(A)], ['not-forwarding a cleared', changed('a', true)]],
      [[A], [well(A)], []],
    ],
  ],
  [
    'one of two',
    [
      [[A, G], [well(A), well(G)], []],
      [
        [A, G],
        [well(A), ill(G)],
        ['not-forwarding g critical', changed('g', false, 'why')],
      ],
    ],
  ],
  [
    'nobody knows: as it was',
    [
      [[A], undefined, []],
      [[A], [ill(A)], ['not-forwarding a critical', changed('a', false, 'why')]],
      [[A], undefined, []],
      [[A], [], []],
      [[A], [off(A)], []],
      [[A], [well(A)], ['not-forwarding a cleared', changed('a', true)]],
    ],
  ],
  [
    'configured, disabled, enabled, removed',
    [
      [[G], [well(G)], []],
      [[A, G], [well(G)], []],
      [[A, G], [well(A), well(G)], [changed('a', true)]],
      [[off(A), G], [well(A), well(G)], [changed('a', false, 'it is disabled')]],
      [[off(A), G], [off(A), well(G)], []],
      [[A, G], [off(A), well(G)], []],
      [[A, G], [well(A), well(G)], [changed('a', true)]],
      [[G], [well(G)], [changed('a', false, 'it is not configured any more')]],
    ],
  ],
  [
    'disabled and removed while it does not forward: the alarm ends',
    [
      [
        [A, G],
        [ill(A), ill(G)],
        [
          'not-forwarding a critical',
          'not-forwarding g critical',
          changed('a', false, 'why'),
          changed('g', false, 'why'),
        ],
      ],
      [[off(A)], [], ['not-forwarding a cleared', 'not-forwarding g cleared']],
    ],
  ],
];
for (const [what, steps] of instances) {
  test(`instances: ${what}`, () => {
    const told = new Told();
    for (const [step, [configured, states, expected]] of steps.entries()) {
      told.monitor.instances(seconds(step), configured, states);
      assert.equal(told.take(), expected, `step ${step}`);
    }
  });
}

test('while the datapath is down no instance forwards; when it is back, what it says counts', () => {
  const told = new Told();
  const { monitor } = told;
  monitor.datapath(seconds(1), UP);
  monitor.instances(seconds(1), [A, off(G)], [well(A), off(G)]);
  monitor.datapath(seconds(2), GONE);
  monitor.datapath(seconds(3), GONE);
  monitor.instances(seconds(3), [A, off(G)], undefined);
  const sentence =
    'the datapath does not answer: nothing is forwarded; it is started anew, see its log when this lasts';
  assert.equal(told.take(), [DOWN, 'not-forwarding a critical', changed('a', false, sentence)]);
  monitor.datapath(seconds(4), UP);
  monitor.instances(seconds(4), [A, off(G)], undefined);
  assert.equal(told.take(), [BACK]);
  monitor.instances(seconds(5), [A, off(G)], [well(A), off(G)]);
  assert.equal(told.take(), ['not-forwarding a cleared', changed('a', true)]);
});

test('an alarm of an earlier run is none any more: its end is told', () => {
  const list = new AlarmList(() => 32);
  list.observe('not-forwarding', [{ resource: instancePath('aftr', 'a'), severity: 'critical', text: 'why' }], 0);
  list.observe('datapath-down', [{ resource: '/gi-4over6:softwire/state', severity: 'critical', text: 'why' }], 0);
  const told = new Told(new AlarmList(() => 32, list.alarms));
  told.monitor.instances(seconds(1), [A], undefined);
  assert.equal(told.take(), []);
  told.monitor.datapath(seconds(2), UP);
  told.monitor.instances(seconds(2), [A], [well(A)]);
  assert.equal(told.take(), [BACK, 'not-forwarding a cleared', changed('a', true)]);
});

const seen = (
  more: Partial<DatapathObservation['instances'][number]>,
  memory = 0,
  violations = [],
): DatapathObservation => ({
  instances: [
    { role: 'aftr', name: 'a', reassembly: 0, reassemblyThreshold: 80, violations: 0, ...more },
    { role: 'gateway', name: 'g', reassembly: 0, reassemblyThreshold: 80, violations: 0 },
  ],
  reassemblyMemory: { aftr: memory, gateway: 0 },
  violations,
});

/** [packets in reassembly, memory, what is told], each a second later. */
const fills: readonly (readonly [number, number, string])[] = [
  [0.79, 0, ''],
  [0.8, 0, 'reassembly-near-limit a warning'],
  [0.9, 0.95, ''],
  [0.6, 0, ''],
  [0.59, 0, 'reassembly-near-limit a cleared'],
  [0.79, 0.79, ''],
  [0, 0.8, 'reassembly-near-limit a warning'],
  [0, 0.61, ''],
  [0, 0.59, 'reassembly-near-limit a cleared'],
];
test('reassembly: near at four fifths, well below three', () => {
  const told = new Told();
  for (const [time, [reassembly, memory, expected]] of fills.entries()) {
    told.monitor.observation(seconds(time), seen({ reassembly }, memory));
    assert.is(told.take().join(), expected, `${reassembly} ${memory}`);
  }
});

/** [seconds, violations counted by then, what is told]. */
const rates: readonly (readonly [string, readonly (readonly [number, number, string])[]])[] = [
  [
    '99 in ten seconds',
    [
      [0, 5, ''],
      [10, 104, ''],
      [20, 104, ''],
      [30, 203, ''],
    ],
  ],
  [
    '100 in ten seconds',
    [
      [0, 5, ''],
      [10, 105, 'source-violations a warning'],
    ],
  ],
  [
    '100 in one second',
    [
      [0, 0, ''],
      [1, 0, ''],
      [2, 100, 'source-violations a warning'],
    ],
  ],
  [
    'those that were there at first do not count',
    [
      [0, 5_000, ''],
      [1, 5_001, ''],
    ],
  ],
  [
    '100 in eleven seconds',
    [
      [0, 0, ''],
      [1, 50, ''],
      [11, 100, ''],
      [12, 149, ''],
    ],
  ],
  [
    'ended when fewer than ten came in thirty seconds',
    [
      [0, 0, ''],
      [1, 500, 'source-violations a warning'],
      [20, 500, ''],
      [30, 509, ''],
      [31, 509, 'source-violations a cleared'],
      [32, 510, ''],
    ],
  ],
  [
    'ten in thirty seconds are not the end',
    [
      [0, 0, ''],
      [1, 500, 'source-violations a warning'],
      [30, 510, ''],
      [31, 510, ''],
      [60, 510, 'source-violations a cleared'],
    ],
  ],
  [
    'the datapath was started anew',
    [
      [0, 900, ''],
      [1, 3, ''],
      [2, 102, 'source-violations a warning'],
    ],
  ],
];
for (const [what, steps] of rates) {
  test(`rate of violations: ${what}`, () => {
    const told = new Told();
    for (const [time, violations, expected] of steps) {
      told.monitor.observation(seconds(time), seen({ violations }));
      assert.is(told.take().join(), expected, `${time} s`);
    }
  });
}

test('an instance that is gone has no alarm', () => {
  const told = new Told();
  told.monitor.observation(seconds(0), seen({ reassembly: 1 }));
  told.monitor.observation(seconds(1), seen({ reassembly: 1, violations: 100 }));
  told.take();
  told.monitor.observation(seconds(2), { ...seen({}), instances: [] });
  assert.equal(told.take().sort(), ['reassembly-near-limit a cleared', 'source-violations a cleared']);
});

const limit = (bindings: number, max = 1_000) =>
  `binding-limit ${JSON.stringify({ aftr: 'a', bindings, 'softwire-num-max': max })}`;
const NEAR = 'binding-table-near-limit a';
const tables: readonly (readonly [number, number, readonly string[]])[] = [
  [899, 1_000, []],
  [900, 1_000, [`${NEAR} warning`, limit(900)]],
  [999, 1_000, []],
  [1_000, 1_000, [`${NEAR} major`]],
  [999, 1_000, [`${NEAR} warning`]],
  [800, 1_000, []],
  [799, 1_000, [`${NEAR} cleared`, limit(799)]],
  [899, 1_000, []],
  [899, 900, [`${NEAR} warning`, limit(899, 900)]],
  [899, 2_000, [`${NEAR} cleared`, limit(899, 2_000)]],
  [1, 1, [`${NEAR} major`, limit(1, 1)]],
];
test('binding table: near at nine tenths, full, well below eight', () => {
  const told = new Told();
  for (const [time, [entries, max, expected]] of tables.entries()) {
    told.monitor.tables(seconds(time), [{ aftr: 'a', entries, limit: max, threshold: 90 }]);
    assert.equal(told.take(), expected, `${entries} of ${max}`);
  }
  told.monitor.tables(seconds(99), []);
  assert.equal(told.take(), [`${NEAR} cleared`], 'of an AFTR that is gone there is no limit');
});

for (const [limit, entries, severity, advice] of [
  [1_000, 1_000, 'full', 'remove bindings or raise softwire-num-max'],
  [4_194_303, 4_194_303, 'full', 'remove bindings or raise softwire-num-max'],
  [4_194_304, 4_194_304, 'full', 'no table here holds more, remove bindings'],
  [4_194_304, 4_000_000, 'near its limit', 'no table here holds more, remove bindings'],
] as const) {
  test(`binding table of ${limit} with ${entries}: what there is to be done`, () => {
    const told = new Told();
    told.monitor.tables(seconds(0), [{ aftr: 'a', entries, limit, threshold: 90 }]);
    const path = "/gi-4over6:softwire/aftr[name='a']";
    const text = told.list.conditionOf('binding-table-near-limit', path)?.text ?? '';
    assert.ok(text.includes(severity) && text.endsWith(`: ${advice}`), text);
  });
}

/** [percent, what is below it, what is at it, what is just not cleared, what is]: parts of reassembly, entries of 1,000. */
const thresholds = [
  [50, 0.49, 0.5, 0.375, 0.37],
  [100, 0.99, 1, 0.75, 0.74],
  [1, 0.009, 0.01, 0.0075, 0.007],
] as const;
for (const [percent, below, at, stays, ends] of thresholds) {
  test(`reassembly with an alarm-threshold of ${percent} %, which memory has, too`, () => {
    const told = new Told();
    const steps = [below, at, stays, ends].flatMap((part, i) => [[i, part, 0] as const, [i + 0.5, 0, part] as const]);
    const tellings = steps.map(([time, part, memory]) => {
      told.monitor.observation(seconds(time), seen({ reassembly: part, reassemblyThreshold: percent }, memory));
      return told.take().join().replace('reassembly-near-limit a ', '');
    });
    assert.equal(tellings, ['', '', 'warning', '', '', '', 'cleared', '']);
  });
}
test('binding table with a softwire-num-threshold of 45 %: from 450 of 1,000 on, until below 400', () => {
  const told = new Told();
  const tellings = [449, 450, 400, 399].map((entries, time) => {
    told.monitor.tables(seconds(time), [{ aftr: 'a', entries, limit: 1_000, threshold: 45 }]);
    return told
      .take()
      .filter((text) => text.startsWith('binding-table'))
      .join();
  });
  assert.equal(tellings, ['', `${NEAR} warning`, '', `${NEAR} cleared`]);
});

test('a damaged store', () => {
  const told = new Told();
  for (const [time, [problems, expected]] of (
    [
      [[], ''],
      [['a.', 'b.'], 'store-damaged store/state major'],
      [['a.', 'b.'], ''],
      [[], 'store-damaged store/state cleared'],
    ] as const
  ).entries()) {
    told.monitor.store(seconds(time), problems);
    assert.is(told.take().join(), expected);
  }
});

test('a disk that takes no change', () => {
  const told = new Told();
  for (const [time, [problem, expected]] of (
    [
      ['', ''],
      ['It is full.', 'store-not-writable store/state major'],
      ['It is full.', ''],
      ['', 'store-not-writable store/state cleared'],
    ] as const
  ).entries()) {
    told.monitor.disk(seconds(time), problem);
    assert.is(told.take().join(), expected);
  }
});

const violation = (outerSource: string, packets = 1, innerSource = '192.0.2.1') => ({
  aftr: 'a',
  outerSource,
  innerSource,
  packets,
});
/** [seconds, what came, what is told: outer source, inner source, suppressed]. */
const notices: readonly (readonly [string, readonly (readonly [number, ReturnType<typeof violation>[], string])[]])[] =
  [
    [
      'one packet',
      [
        [0, [violation('::1')], '::1 192.0.2.1 0'],
        [60, [], ''],
      ],
    ],
    ['several at once', [[0, [violation('::1', 5)], '::1 192.0.2.1 4']]],
    [
      'one a minute for a source: the rest is told when the minute is over, with the newest inner source',
      [
        [0, [violation('::1')], '::1 192.0.2.1 0'],
        [1, [violation('::1', 7)], ''],
        [59, [violation('::1', 3, '192.0.2.2')], ''],
        [60, [], '::1 192.0.2.2 9'],
        [61, [violation('::1')], ''],
        [200, [violation('::1')], '::1 192.0.2.1 1'],
      ],
    ],
    [
      'sources do not wait for each other',
      [
        [0, [violation('::1')], '::1 192.0.2.1 0'],
        [1, [violation('::2'), violation('::1')], '::2 192.0.2.1 0'],
      ],
    ],
  ];
for (const [what, steps] of notices) {
  test(`source-violation: ${what}`, () => {
    const violations = new SourceViolations();
    for (const [time, came, expected] of steps) {
      const found = violations.take(came, time * 1_000);
      const text = found.map(
        ({ outerSource, innerSource, suppressed }) => `${outerSource} ${innerSource} ${suppressed}`,
      );
      assert.is(text.join(), expected, `${time} s`);
    }
  });
}

test('source-violation: 100,000 forged sources are neither remembered nor told of, and a real one is not lost', () => {
  const violations = new SourceViolations();
  let told = 0;
  for (let second = 0; second < 100; second++) {
    const forged = Array.from({ length: 1_000 }, (_, k) =>
      violation(`2001:db8::${second.toString(16)}:${k.toString(16)}`),
    );
    told += violations.take(forged, second * 1_000).length;
    assert.ok(violations.size <= 1_024);
  }
  assert.ok(told <= 10 + 50, `${told}`);
  const beside = [100, 101, 102, 103].flatMap((second) =>
    violations.take([violation(`2001:db8::${second}`), violation('2001:db8:a::1', 9)], second * 1_000),
  );
  assert.ok(beside.some(({ outerSource }) => outerSource === '2001:db8:a::1'));
});

test('the notification has what the model names', () => {
  const told = new Told();
  const observation = { ...seen({ violations: 1 }), violations: [violation('2001:db8::5', 3)] };
  told.monitor.observation(seconds(0), observation);
  assert.equal(told.take(), [
    'source-violation {"aftr":"a","gateway-ipv6-address":"2001:db8::5","ipv4-source":"192.0.2.1","suppressed":2}',
  ]);
});

/** [seconds, packets refused by then at gateway g (none: it is gone), what is told: suppressed]. */
const refusals: readonly (readonly [string, readonly (readonly [number, number | undefined, string])[]])[] = [
  [
    'none',
    [
      [0, 0, ''],
      [1, 0, ''],
    ],
  ],
  [
    'what was counted before the start is no news',
    [
      [0, 7, ''],
      [1, 7, ''],
      [2, 8, '0'],
    ],
  ],
  [
    'several at once',
    [
      [0, 0, ''],
      [1, 3, '2'],
      [2, 3, ''],
    ],
  ],
  [
    'one a minute, and what came meanwhile with the next one',
    [
      [0, 0, ''],
      [1, 1, '0'],
      [2, 9, ''],
      [60, 10, ''],
      [61, 10, '8'],
    ],
  ],
  [
    'a count that falls began anew',
    [
      [0, 5, ''],
      [1, 2, '1'],
      [2, 0, ''],
      [62, 4, '3'],
    ],
  ],
  [
    'a gateway that comes later, and one that comes again',
    [
      [0, undefined, ''],
      [1, 4, '3'],
      [2, undefined, ''],
      [3, 1, '0'],
    ],
  ],
];
for (const [what, steps] of refusals) {
  test(`source-refusal: ${what} (D26)`, () => {
    const told = new Told();
    for (const [time, packets, expected] of steps) {
      const { instances, ...rest } = seen({});
      const gateway = { role: 'gateway', name: 'g', reassembly: 0, reassemblyThreshold: 80, violations: 0 } as const;
      const refusal = { packets: packets ?? 0, innerSource: '198.51.100.9' };
      const now = [instances[0], ...(packets === undefined ? [] : [packets === 0 ? gateway : { ...gateway, refusal }])];
      told.monitor.observation(seconds(time), { ...rest, instances: now.filter((one) => one !== undefined) });
      const notice = `source-refusal {"gateway":"g","ipv4-source":"198.51.100.9","suppressed":${expected}}`;
      assert.equal(told.take(), expected === '' ? [] : [notice], `at ${time} s`);
    }
  });
}

test.run();

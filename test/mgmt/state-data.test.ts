import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Backups } from '../../src/mgmt/backups.ts';
import { NetconfStatistics } from '../../src/mgmt/netconf-statistics.ts';
import { pathSelection } from '../../src/mgmt/selection.ts';
import { StateData } from '../../src/mgmt/state-data.ts';
import { aftr, binding, request, schema, withDatastores } from '../helpers/state.ts';

const test = suite('state data');

const SOFTWIRE = '/gi-4over6:softwire';
const TABLE = [
  { path: SOFTWIRE },
  { path: `${SOFTWIRE}/aftr`, keys: ['a'] },
  { path: `${SOFTWIRE}/aftr/binding-table` },
] as const;

interface Step {
  readonly path: string;
  readonly keys?: readonly string[];
}

/** [why, path, what the datapath is asked, whether the answer is running itself]. */
const cases: readonly (readonly [string, readonly Step[], readonly string[], boolean])[] = [
  [
    'a binding has no state but its own',
    [...TABLE, { path: `${TABLE[2].path}/binding`, keys: ['192.0.2.1/32'] }],
    [],
    true,
  ],
  ['a leaf of configuration', [TABLE[0], TABLE[1], { path: `${SOFTWIRE}/aftr/enabled` }], [], true],
  ['a whole table has state that the store knows', TABLE, [], false],
  ['counters', [TABLE[0], TABLE[1], { path: `${SOFTWIRE}/aftr/statistics` }], ['counters'], false],
  ['versions and problems', [TABLE[0], { path: `${SOFTWIRE}/state` }], ['status'], false],
  ['path MTUs', [TABLE[0], TABLE[1], { path: `${SOFTWIRE}/aftr/softwire` }], ['learned', 'softwires all'], false],
  [
    'a gateway',
    [TABLE[0], TABLE[1], { path: `${SOFTWIRE}/aftr/softwire`, keys: ['2001:db8:a::1'] }],
    ['learned', 'softwires 2001:db8:a::1'],
    false,
  ],
  ['everything', [TABLE[0]], ['status', 'counters', 'learned', 'softwires all'], false],
];
for (const [why, steps, expected, isRunning] of cases) {
  test(`${why}: the datapath is asked ${expected.join(' and ') || 'nothing'}`, () =>
    withDatastores(async (datastores) => {
      const edit = request(aftr(binding('192.0.2.1/32', '2001:db8:a::1')));
      await datastores.edit({ user: 'operator', session: 1, face: 'netconf' }, edit);
      const asked: string[] = [];
      const state = new StateData({
        schema,
        context: { yangLibrary: () => ({ json: '{}', contentId: '' }) },
        datapath: {
          behind: undefined,
          status: async () => void asked.push('status') as undefined,
          counters: async () => void asked.push('counters') as undefined,
          learned: async () => void asked.push('learned') as undefined,
          softwires: async (gateways) => void asked.push(`softwires ${gateways?.join() ?? 'all'}`) as undefined,
          bindingCounters: async () => void asked.push('bindings') as undefined,
        },
        storeCare: {
          backups: {} as Backups,
          datastores,
          verify: async () => Promise.reject(new Error('nothing is verified here')),
        },
        watch: { compare: () => undefined, problems: [] },
        denials: { operations: 0, dataWrites: 0, notifications: 0 },
        events: { created: new Date() },
        alarms: { state: () => ({}) },
        routes: {
          sources: () => [],
          sourceRoutes: () => [],
          bgp: () => ({}),
          targets: () => [],
          served: () => [],
          servedCount: () => 0,
          learnedAftr: () => undefined,
          problems: () => [],
        },
      });
      const selection = pathSelection(
        steps.map(({ path, keys = [] }) => {
          const found = schema.find(path);
          if (!found) throw new Error(`no ${path}`);
          return { schema: found, keys };
        }),
      );
      const view = datastores.view('running');
      const statistics = new NetconfStatistics();
      const subscriptions = () => ({});
      const about = { view, selection, datastores, sessions: [], capabilities: [], statistics, subscriptions };
      const { tree } = await state.addTo(view.tree, about);
      assert.equal(asked, expected);
      assert.is(tree === view.tree, isRunning);
      view.close();
    }));
}

test.run();

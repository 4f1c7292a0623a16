/**
 * Whether a container without presence is there for what may not be read alone shows in no difference: in a comparison of two versions, in
 * one through a filter, and in what a subscription to changes is told.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareReadings } from '../../src/mgmt/compare.ts';
import type { PatchStep } from '../../src/mgmt/patch.ts';
import { patchEdits, resourcePath } from '../../src/mgmt/patch.ts';
import { openReading } from '../../src/mgmt/reading.ts';
import { PushSource } from '../../src/mgmt/subscriptions/push-source.ts';
import { xpathTextSelection } from '../../src/mgmt/xpath/selection.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, GUEST, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { binding, OPERATOR, plainCheck, request, schema, withDatastores } from '../helpers/state.ts';

const test = suite('hidden differences');

type Json = Readonly<Record<string, unknown>>;
type May = (node: DataNode) => boolean;

const SOFTWIRE = '/gi-4over6:softwire';
const gateway = (more: Json = {}): Json => ({ name: 'h', enabled: false, 'ipv6-address': '2001:db8:e::1', ...more });
const AFTR: Json = {
  name: 'v',
  'ipv6-address': '2001:db8:b::1',
  'ipv4-pool': ['192.0.2.0/24'],
  'binding-table': { binding: [binding('192.0.2.1/32', '2001:db8:a::1')] },
};
const softwire = (content?: Json): Json => (content ? { 'gi-4over6:softwire': content } : {});
const CHILDREN = `${SOFTWIRE}/gi-4over6:aftr | ${SOFTWIRE}/gi-4over6:gateway`;

async function wordsOf(steps: Iterable<PatchStep> | undefined): Promise<string[]> {
  const words: string[] = [];
  for (const step of steps ?? []) {
    if (step instanceof Promise) await step;
    else words.push(`${step.operation} ${resourcePath(step.target)}`);
  }
  return words;
}

/** Commits what leads to it. */
const commit = (datastores: Datastores, content: Json | undefined) =>
  datastores.edit(OPERATOR, request(softwire(content), { defaultOperation: 'replace' }));

async function versions(datastores: Datastores, mayRead: May, from: number): Promise<string[]> {
  const views = [datastores.view('running'), datastores.viewVersion(from)] as const;
  const [now, before] = views;
  const rows = () => now.history.changes(from, now.version);
  const words = await wordsOf(patchEdits({ from: before.tree, to: now.tree, rows, mayRead }));
  for (const view of views) view.close();
  return words;
}

async function filtered(datastores: Datastores, mayRead: May, from: number): Promise<string[]> {
  const viewOf = (name: string) => (name === 'candidate' ? datastores.viewVersion(from) : datastores.view('running'));
  const side = (datastore: 'running' | 'candidate') => {
    const view = viewOf(datastore);
    view.close();
    return { isOperational: false, datastore, actual: view.tree };
  };
  const element = { name: 'f', namespace: '', prefix: '', attributes: [], prefixes: {}, children: [], text: CHILDREN };
  const selection = xpathTextSelection(schema, plainCheck, element);
  const sides = { source: side('candidate'), target: side('running') };
  const { steps, close } = await compareReadings(
    { ...sides, selection, all: false, reportOrigin: false, mayRead },
    async ({ datastore }) => {
      const view = viewOf(datastore);
      const shown = { content: 'config', withDefaults: 'explicit', readsAll: false } as const;
      return openReading(view.tree, view, { ...shown, selection, mayRead });
    },
  );
  const words = await wordsOf(steps);
  close();
  return words;
}

/** What each of the three says of the way from one content of softwire to another. */
async function told(
  rules: readonly GuestRule[],
  before: Json | undefined,
  after: Json | undefined,
): Promise<string[][]> {
  const rights = guestRights(...rules);
  const mayRead = (node: DataNode) => rights.may(node, 'read');
  const found: string[][] = [];
  await withDatastores(async (datastores) => {
    await commit(datastores, before);
    const { version } = datastores.head();
    const read = () => Promise.reject(new Error('nothing is read whole'));
    const view = () => datastores.view('running');
    const source = new PushSource({ read, view, rights: () => ({ mayRead, mark: 'same' }) }, schema);
    const place = source.place(GUEST);
    await commit(datastores, after);
    const trigger = { kind: 'on-change', dampeningMs: 0, syncOnStart: false, excluded: new Set<string>() } as const;
    const terms = { kind: 'datastore', datastore: 'running', filter: undefined, trigger, stop: undefined } as const;
    const { steps, close } = await source.since(GUEST, terms, place);
    const pushed = await wordsOf(steps);
    close();
    found.push(await versions(datastores, mayRead, version), await filtered(datastores, mayRead, version), pushed);
  });
  return found;
}

const NO_GATEWAYS = [deny(`${SOFTWIRE}/gateway`), PERMIT];
const NO_TIMEOUT = [deny(`${SOFTWIRE}/aftr/reassembly/timeout`), PERMIT];
const aftr = (reassembly?: Json): Json => ({ aftr: [{ ...AFTR, ...(reassembly && { reassembly }) }] });
const PATH = '/gi-4over6:softwire/aftr=v';

/** [what, rules, the ways of the worlds] */
const cases: readonly (readonly [
  what: string,
  rules: readonly GuestRule[],
  worlds: readonly (readonly [Json | undefined, Json | undefined])[],
  expected: string,
])[] = [
  [
    'a container that comes for the one who reads it',
    NO_GATEWAYS,
    [
      [undefined, aftr()],
      [{ gateway: [gateway()] }, { gateway: [gateway()], ...aftr() }],
      [undefined, { gateway: [gateway()], ...aftr() }],
    ],
    'create /gi-4over6:softwire',
  ],
  [
    'a container that goes for him',
    NO_GATEWAYS,
    [
      [aftr(), undefined],
      [{ gateway: [gateway()], ...aftr() }, { gateway: [gateway()] }],
      [aftr(), { gateway: [gateway()] }],
    ],
    'delete /gi-4over6:softwire',
  ],
  [
    'one further down, for a leaf',
    NO_TIMEOUT,
    [
      [aftr(), aftr({ 'maximum-packets': 20 })],
      [aftr({ timeout: 3 }), aftr({ timeout: 3, 'maximum-packets': 20 })],
    ],
    `create ${PATH}/reassembly`,
  ],
];

for (const [what, rules, worlds, expected] of cases) {
  test(what, async () => {
    const answers = await Promise.all(worlds.map(([before, after]) => told(rules, before, after)));
    for (const answer of answers) {
      assert.equal(answer, answers[0]);
      for (const words of answer) assert.is(words.filter((edit) => !edit.includes('/binding=')).join(), expected);
    }
  });
}

test('what is seen beside it is told as it was', async () => {
  const more = aftr({ timeout: 3, 'maximum-packets': 20 });
  for (const words of await told([PERMIT], aftr({ timeout: 3 }), more)) {
    assert.equal(words, [`create ${PATH}/reassembly/maximum-packets`]);
  }
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConfigEdit } from '../../../src/mgmt/events/config-edits.ts';
import { MAX_EDITS, treeEdits } from '../../../src/mgmt/events/config-edits.ts';
import { treeFromJson } from '../../../src/state/json.ts';
import { schema } from '../../helpers/state.ts';

/** The differences of two small trees as edits, and their bound. */
const test = suite('config edits');

const softwire = (more: Readonly<Record<string, unknown>>) => ({ 'gi-4over6:softwire': more });
const aftr = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({ name, ...more });
const AFTR = '/gi-4over6:softwire/aftr';

const ruleLists = (...names: readonly string[]) => ({
  'ietf-netconf-acm:nacm': { 'rule-list': names.map((name) => ({ name })) },
});

const cases: readonly (readonly [string, unknown, unknown, readonly ConfigEdit[]])[] = [
  ['nothing', softwire({ aftr: [aftr('a')] }), softwire({ aftr: [aftr('a')] }), []],
  ['the topmost node that came', {}, softwire({ aftr: [aftr('a')] }), [edit(`${AFTR}[name='a']`, 'create')]],
  ['the topmost node that went', softwire({ aftr: [aftr('a')] }), {}, [edit(`${AFTR}[name='a']`, 'delete')]],
  [
    'entries that come and go',
    softwire({ aftr: [aftr('a')] }),
    softwire({ aftr: [aftr('b')] }),
    [edit(`${AFTR}[name='b']`, 'create'), edit(`${AFTR}[name='a']`, 'delete')],
  ],
  [
    'a leaf with another value',
    softwire({ aftr: [aftr('a', { 'softwire-num-max': 1 })] }),
    softwire({ aftr: [aftr('a', { 'softwire-num-max': 2 })] }),
    [edit(`${AFTR}[name='a']/softwire-num-max`, 'replace')],
  ],
  [
    'an entry of a leaf-list',
    softwire({ aftr: [aftr('a', { 'ipv4-pool': ['192.0.2.0/24'] })] }),
    softwire({ aftr: [aftr('a', { 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'] })] }),
    [edit(`${AFTR}[name='a']/ipv4-pool[.='198.51.100.0/24']`, 'create')],
  ],
  [
    'entries in another order',
    ruleLists('a', 'b', 'c'),
    ruleLists('b', 'a', 'c'),
    [edit("/ietf-netconf-acm:nacm/rule-list[name='b']", 'merge')],
  ],
  [
    'an entry that goes from the front moves nobody',
    ruleLists('a', 'b', 'c'),
    ruleLists('b', 'c'),
    [edit("/ietf-netconf-acm:nacm/rule-list[name='a']", 'delete')],
  ],
  ['as many as are named one by one', softwire({}), softwire({ aftr: many(MAX_EDITS) }), manyEdits(MAX_EDITS)],
  [
    'one more: the top node',
    softwire({}),
    softwire({ aftr: many(MAX_EDITS + 1) }),
    [edit('/gi-4over6:softwire', 'merge')],
  ],
];

function edit(target: string, operation: ConfigEdit['operation']): ConfigEdit {
  return { target, operation };
}

function many(count: number): object[] {
  return Array.from({ length: count }, (_, i) => aftr(`n${i}`));
}

function manyEdits(count: number): ConfigEdit[] {
  return Array.from({ length: count }, (_, i) => edit(`${AFTR}[name='n${i}']`, 'create'));
}

for (const [name, before, after, expected] of cases) {
  test(name, () => assert.equal(treeEdits(treeFromJson(schema, before), treeFromJson(schema, after)), expected));
}

test.run();

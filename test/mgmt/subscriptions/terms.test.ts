/** Filters and times of subscriptions as values, and what becomes of one whose update cannot be made. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Notification } from '../../../src/mgmt/events/notification.ts';
import { DynamicSubscription } from '../../../src/mgmt/subscriptions/dynamic-subscription.ts';
import type { FeedHost } from '../../../src/mgmt/subscriptions/feed.ts';
import { dataFilter, filterIn } from '../../../src/mgmt/subscriptions/filters.ts';
import { nextMoment } from '../../../src/mgmt/subscriptions/periodic-feed.ts';
import { Refusal } from '../../../src/mgmt/subscriptions/refusal.ts';
import { DataNode } from '../../../src/state/data.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

const test = suite('terms of subscriptions');
const context = { schema, check: plainCheck };
const TABLE = '/gi-4over6:softwire/aftr/binding-table';

const expressions: readonly [text: string, isLocal: boolean][] = [
  ['/gi-4over6:softwire', true],
  [`${TABLE}/binding`, true],
  [`${TABLE}/binding[gateway-ipv6-address='2001:db8::1']/ipv4-prefix`, true],
  [`${TABLE}/binding[description and not(aftr-ipv6-address)] | /ietf-system:system`, true],
  [`/gi-4over6:softwire/aftr[name='a']/binding-table`, true],
  [`${TABLE}/binding[contains(description, 'x')]`, true],
  [`${TABLE}/binding[re-match(description, 'x.*')]`, true],
  [`${TABLE}/binding[deref(description)]`, false],
  [`${TABLE}/binding[1]`, false],
  [`${TABLE}/binding[last()]`, false],
  [`${TABLE}/binding[position() < 3]`, false],
  [`${TABLE}/binding[gateway-ipv6-address = ../binding/aftr-ipv6-address]`, false],
  [`/gi-4over6:softwire/aftr[count(binding-table/binding) > 3]`, false],
  [`/gi-4over6:softwire/aftr[binding-table]`, false],
  [`/gi-4over6:softwire/aftr[*]`, false],
  [`${TABLE}/binding[/ietf-system:system]`, false],
  [`//binding`, false],
  [`(${TABLE}/binding)[gateway-ipv6-address]`, false],
  [`${TABLE}/binding/ancestor::aftr`, false],
];
for (const [text, isLocal] of expressions) {
  test(`${text} ${isLocal ? 'judges' : 'does not judge'} each binding by itself`, () => {
    assert.is(dataFilter(context, { kind: 'xpath', expression: { text } }).isLocal, isLocal);
  });
}

/** The filter of an establish-subscription whose subtree filter came as this text. */
function subtree(text: string) {
  const input = schema.find('/ietf-subscribed-notifications:establish-subscription')?.child('input');
  const leaf = input?.child('datastore-subtree-filter');
  if (!input || !leaf) throw new Error('the schema has no filter');
  const node = new DataNode(input);
  node.add(new DataNode(leaf, text));
  const source = filterIn(context, node, 'datastore');
  if (!source) throw new Error('no filter came');
  return dataFilter(context, source).selection;
}

test('a subtree filter means the same in XML and in JSON', () => {
  const xml =
    '<softwire xmlns="urn:gi-4over6"><aftr><name>a</name><binding-table><binding><ipv4-prefix/></binding></binding-table></aftr></softwire>';
  const json = JSON.stringify({
    'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { binding: [{ 'ipv4-prefix': '' }] } }] },
  });
  assert.equal(subtree(json), subtree(xml));
});

for (const text of [
  '',
  '{}',
  '<a xmlns="urn:a"/>',
  '{"a:b":1}',
  '{"__proto__":{"constructor:x":1}}',
  '{"constructor:x":[null]}',
]) {
  test(`a filter that selects nothing: ${text}`, () => {
    assert.throws(
      () => subtree(text),
      (error: unknown) => error instanceof Refusal && error.identity === 'unchanging-selection',
    );
  });
}

const moments: readonly [anchor: number | undefined, began: number, now: number, next: number][] = [
  [undefined, 1_000, 1_000, 2_000],
  [undefined, 1_000, 1_999, 2_000],
  [undefined, 1_000, 2_000, 3_000],
  [undefined, 1_000, 5_400, 6_000],
  [250, 0, 5_000, 5_250],
  [250, 0, 5_250, 6_250],
  [9_250, 0, 5_000, 5_250],
  [9_250, 0, 5_250, 6_250],
];
for (const [anchor, began, now, next] of moments) {
  test(`at ${now}, begun at ${began}, anchor ${anchor}: next at ${next}`, () => {
    const at = anchor === undefined ? undefined : new Date(anchor);
    assert.is(nextMoment({ kind: 'periodic', periodMs: 1_000, anchor: at }, began, now), next);
  });
}

const endings: readonly [what: string, error: Error, told: readonly string[], ending: string][] = [
  [
    'one that takes too much',
    new ManagementError('resource-denied', { message: 'too much' }),
    ['subscription-suspended insufficient-resources', 'subscription-terminated suspension-timeout'],
    'terminated',
  ],
  ['a mistake of ours', new Error('a mistake'), [], 'failed'],
];
for (const [what, error, wanted, ending] of endings) {
  test(`an update that cannot be made: ${what}`, () => {
    const list = schema.find('/ietf-subscribed-notifications:subscriptions/subscription');
    if (!list) throw new Error('the schema has no subscriptions');
    const hosts: FeedHost[] = [];
    let ends = 0;
    const nothing = () => undefined;
    const subscription = new DynamicSubscription({
      schema,
      id: 3,
      caller: { user: 'u', session: 1, face: 'netconf' },
      policy: new DataNode(list),
      uri: undefined,
      makeFeed: (host) => {
        hosts.push(host);
        const calls = { begin: nothing, resume: nothing, modify: nothing, committed: nothing, close: nothing };
        return { isSuspended: false, resync: () => false, ...calls };
      },
      onEnd: () => ends++,
    });
    const told: string[] = [];
    const said: unknown[] = [];
    const send = ({ node }: Notification) => {
      told.push(`${node.schema.name} ${node.leaf('reason')?.replace(/^.*:/, '')}`);
      return true;
    };
    subscription.begin({ send, end: (how) => said.push(how) });
    hosts[0]?.fail(error);
    hosts[0]?.fail(error);
    assert.equal(told, wanted);
    assert.equal(said, [ending]);
    assert.is(ends, 1);
  });
}

test.run();

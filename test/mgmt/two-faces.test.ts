// needs: addon
/** NETCONF and RESTCONF of the running program are two views of one truth: after random edits through both they show the same (RFC 8040 §1.4). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { childElement, parseXml } from '../../src/mgmt/xml.ts';
import { dataFromXml, writeXml } from '../../src/mgmt/xml-data.ts';
import type { DataNode } from '../../src/state/data.ts';
import { treeFromJson } from '../../src/state/json.ts';
import { binding, edit, GI, getConfig, table } from '../helpers/netconf-requests.ts';
import { random, seed } from '../helpers/random.ts';
import { XML_TYPE } from '../helpers/restconf.ts';
import type { ProgramBox } from '../helpers/restconf-program.ts';
import { startProgram } from '../helpers/restconf-program.ts';
import { plainCheck, schema } from '../helpers/state.ts';

const test = suite('two faces');
const program = await startProgram();
const EDITS = 40;

const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const AFTR = `${SOFTWIRE}/aftr=a`;
const TABLE = `${AFTR}/binding-table`;
const PATCH = ['Content-Type: application/yang-patch+json'];

const next = random();
const below = (limit: number) => next() % limit;
const of = <T>(choices: readonly [T, ...T[]]): T => choices[below(choices.length)] ?? choices[0];
const anyPrefix = () => `192.0.2.${below(8) * 16}/${of([28, 30, 32])}`;
const anyGateway = () => `2001:db8:a::${below(4) + 1}`;
const entry = (prefix: string) => ({
  'ipv4-prefix': prefix,
  'gateway-ipv6-address': anyGateway(),
  description: of(['', 'é & <x>', '"quoted"']),
});
const urlOf = (prefix: string) => `${TABLE}/binding=${encodeURIComponent(prefix)}`;
const rowBody = (prefix: string) => JSON.stringify({ 'gi-4over6:binding': [entry(prefix)] });

/** What can be done, through either face; some of it is refused, which changes nothing. */
const actions: readonly [Action, ...Action[]] = [
  async ({ netconf }) => void (await netconf.rpc(edit(table(binding(anyPrefix(), anyGateway()))))),
  async ({ netconf }) =>
    void (await netconf.rpc(
      edit(
        table(
          binding(
            anyPrefix(),
            anyGateway(),
            ' xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="delete"',
          ),
        ),
      ),
    )),
  async ({ netconf }) => {
    await netconf.rpc(edit(table(binding(anyPrefix(), anyGateway())), '', 'candidate'));
    await netconf.rpc(of(['<commit/>', '<discard-changes/>']));
  },
  async ({ netconf }) =>
    void (await netconf.rpc(
      edit(`<softwire ${GI}><aftr><name>a</name><hop-limit>${1 + below(255)}</hop-limit></aftr></softwire>`),
    )),
  async ({ curl }) => {
    const prefix = anyPrefix();
    await curl(urlOf(prefix), { method: of(['PUT', 'PATCH']), body: rowBody(prefix) });
  },
  async ({ curl }) => void (await curl(TABLE, { method: 'POST', body: rowBody(anyPrefix()) })),
  async ({ curl }) => void (await curl(urlOf(anyPrefix()), { method: 'DELETE' })),
  async ({ curl }) => void (await curl(`${AFTR}/hop-limit`, { method: 'DELETE' })),
  async ({ curl }) => {
    const edits = [1, 2, 3].map((id) => {
      const prefix = anyPrefix();
      const value = { 'gi-4over6:binding': [entry(prefix)] };
      const target = `/binding=${encodeURIComponent(prefix)}`;
      return {
        'edit-id': `${id}`,
        target,
        ...of([{ operation: 'merge', value }, { operation: 'replace', value }, { operation: 'remove' }]),
      };
    });
    const body = JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: edits } });
    await curl(TABLE, { method: 'PATCH', headers: PATCH, body });
  },
];

type Action = (box: ProgramBox) => Promise<void>;

const textOf = (tree: DataNode) => [...writeXml(tree.children())].join('');
const fromXml = (element: ReturnType<typeof parseXml>) =>
  textOf(dataFromXml(schema, plainCheck, [element], { edit: false }));

/** The softwires as each face shows them, brought to one form. */
async function views({ netconf, curl }: ProgramBox): Promise<{ netconf: string; xml: string; json: string }> {
  const reply = parseXml(await netconf.rpc(getConfig(`<filter><softwire ${GI}/></filter>`)));
  const data = childElement(reply, 'data');
  const softwire = data && childElement(data, 'softwire', 'urn:gi-4over6');
  const xml = await curl(`${SOFTWIRE}?content=config`, { headers: [`Accept: ${XML_TYPE}`] });
  const json = await curl(`${SOFTWIRE}?content=config`);
  return {
    netconf: softwire ? fromXml(softwire) : '',
    xml: fromXml(parseXml(xml.body)),
    json: textOf(treeFromJson(schema, JSON.parse(json.body))),
  };
}

test(`R73: random edits through both faces, seed ${seed}`, () =>
  program.run(async (box) => {
    const seen = new Set<string>();
    for (let number = 1; number <= EDITS; number++) {
      await of(actions)(box);
      const { netconf, xml, json } = await views(box);
      assert.is(xml, netconf, `RESTCONF in XML after edit ${number}`);
      assert.is(json, netconf, `RESTCONF in JSON after edit ${number}`);
      seen.add(netconf);
    }
    // The edits do something.
    assert.ok(seen.size > EDITS / 4, `${seen.size} configurations`);
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();

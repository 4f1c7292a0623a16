// needs: addon
/** The versions of running, over NETCONF and the command line, against the running program. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';

const test = suite('netconf versions');
const GI = 'xmlns="urn:gi-4over6"';
const TREE = `<name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>`;

function binding(prefix: string, gateway: string, more = ''): string {
  return `<binding${more}><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding>`;
}

function edit(bindings: string, more = '', target = 'running'): string {
  const nc = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';
  const config = `<softwire ${GI} ${nc}><aftr>${TREE}<binding-table>${bindings}</binding-table></aftr></softwire>`;
  return `<edit-config><target><${target}/></target><config>${config}</config>${more}</edit-config>`;
}

const comment = (text: string) => `<comment ${GI}>${text}</comment>`;
const hopLimit = (value: number) =>
  `<edit-config><target><running/></target><config><softwire ${GI}><aftr><name>a</name><hop-limit>${value}</hop-limit></aftr></softwire></config></edit-config>`;
const REMOVED = (prefix: string) => `<binding nc:operation="delete"><ipv4-prefix>${prefix}</ipv4-prefix></binding>`;

const management = await startManagement();
const client = (await RawClient.local(management.socket)).greet('1.1');

async function newest(): Promise<number> {
  const text = await client.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`);
  return Number(/<number>(\d+)</.exec(text)?.[1]);
}

const compare = (from: number, to?: number) =>
  client.rpc(
    `<compare-versions ${GI}><from>${from}</from>${to === undefined ? '' : `<to>${to}</to>`}</compare-versions>`,
  );
const getVersion = (version: number) => client.rpc(`<get-version ${GI}><version>${version}</version></get-version>`);
const rollBack = (version: number, more = '') =>
  client.rpc(`<roll-back ${GI}><version>${version}</version>${more}</roll-back>`);
const lookup = (address: string, time: string) =>
  client.rpc(
    `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>a</name><lookup><ipv4-address>${address}</ipv4-address><time>${time}</time></lookup></aftr></softwire></action>`,
  );

/** Makes three versions: two bindings; one of them changed; the other gone. Returns the first of them. */
async function threeVersions(): Promise<number> {
  await client.rpc(edit('', ''));
  for (const prefix of ['192.0.2.1/32', '192.0.2.2/32']) await client.rpc(edit(REMOVED(prefix)));
  const gateway = '2001:db8:a::1';
  const steps = [
    edit(binding('192.0.2.1/32', gateway) + binding('192.0.2.2/32', gateway), comment('two servers')),
    edit(binding('192.0.2.1/32', '2001:db8:a::2')),
    edit(REMOVED('192.0.2.2/32')),
  ];
  for (const step of steps) assert.is(outcome(await client.rpc(step)), 'ok');
  return (await newest()) - 2;
}

test('an edit and a commit are on record with their comment', async () => {
  const first = await threeVersions();
  const list = () => client.rpc(`<list-versions ${GI}/>`);
  assert.match(await list(), new RegExp(`<number>${first}</number>.*?<comment>two servers</comment>`));
  await client.rpc(edit(binding('192.0.2.9/32', '2001:db8:a::1'), '', 'candidate'));
  assert.is(outcome(await client.rpc(`<commit>${comment('ticket 7 &amp; 8')}</commit>`)), 'ok');
  assert.match(await list(), '<comment>ticket 7 &amp; 8</comment>');
  assert.is(outcome(await client.rpc(`<commit>${comment('x'.repeat(257))}</commit>`)), 'invalid-value');
  await client.rpc(edit(REMOVED('192.0.2.9/32')));
});

test('compare-versions is a patch from one to the other', async () => {
  const first = await threeVersions();
  const target = (prefix: string) => `/gi-4over6:softwire/aftr=a/binding-table/binding=${encodeURIComponent(prefix)}`;
  const begin = `<differences ${GI}><yang-patch><patch-id>difference</patch-id>`;
  assert.match(
    await compare(first, first + 1),
    `${begin}<edit><edit-id>1</edit-id><operation>replace</operation><target>${target('192.0.2.1/32')}/gateway-ipv6-address</target>` +
      `<value><gateway-ipv6-address ${GI}>2001:db8:a::2</gateway-ipv6-address></value>` +
      `<source-value><gateway-ipv6-address ${GI}>2001:db8:a::1</gateway-ipv6-address></source-value></edit></yang-patch></differences>`,
  );
  assert.match(
    await compare(first + 1),
    `${begin}<edit><edit-id>1</edit-id><operation>delete</operation><target>${target('192.0.2.2/32')}</target><source-value><binding ${GI}>`,
  );
  assert.match(await compare(first + 2, first + 1), `<operation>create</operation><target>${target('192.0.2.2/32')}`);
  assert.match(await compare(first, first), `<no-matches ${GI}/>`);
  const missing = await compare(0);
  assert.is(outcome(missing), 'invalid-value');
  assert.match(missing, /version 0 is not on record: versions 1 to \d+ are/);
});

test('N118: compare of candidate and running', async () => {
  await threeVersions();
  const ds = 'xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"';
  const ask = (source: string, target: string, more = '') =>
    client.rpc(
      `<compare xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare" ${ds}><source>ds:${source}</source><target>ds:${target}</target>${more}</compare>`,
    );
  assert.match(await ask('running', 'candidate'), '<no-matches ');
  await client.rpc(edit(binding('192.0.2.7/32', '2001:db8:a::7'), '', 'candidate'));
  assert.match(
    await ask('running', 'candidate'),
    /<operation>create<\/operation><target>[^<]*192.0.2.7%2F32<\/target>/,
  );
  assert.match(
    await ask('candidate', 'running'),
    /<operation>delete<\/operation><target>[^<]*192.0.2.7%2F32<\/target>/,
  );
  assert.match(await ask('running', 'candidate', '<subtree-filter/>'), '<no-matches ');
  await client.rpc('<discard-changes/>');
});

test('get-version is the configuration as it was', async () => {
  const first = await threeVersions();
  const rows = async (version: number) =>
    [...(await getVersion(version)).matchAll(/<ipv4-prefix>([^<]*)<\/ipv4-prefix><gateway-ipv6-address>([^<]*)</g)].map(
      ([, prefix, gateway]) => `${prefix} ${gateway}`,
    );
  assert.equal(await rows(first), ['192.0.2.1/32 2001:db8:a::1', '192.0.2.2/32 2001:db8:a::1']);
  assert.equal(await rows(first + 1), ['192.0.2.1/32 2001:db8:a::2', '192.0.2.2/32 2001:db8:a::1']);
  assert.equal(await rows(first + 2), ['192.0.2.1/32 2001:db8:a::2']);
  assert.match(await getVersion(1), '<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm">');
  assert.not.match(await getVersion(1), '<softwire');
  assert.is(outcome(await getVersion(first + 3)), 'invalid-value');
});

test('roll-back to the candidate, to be committed, or to running at once', async () => {
  const first = await threeVersions();
  assert.is(outcome(await rollBack(first)), 'ok');
  assert.is(await newest(), first + 2, 'running is as it was');
  assert.is(outcome(await client.rpc('<commit/>')), 'ok');
  assert.match(await compare(first), '<no-matches ');
  assert.is(outcome(await rollBack(first + 1, `<target>running</target><comment>back</comment>`)), 'ok');
  assert.match(await compare(first + 1), '<no-matches ');
  assert.match(
    await client.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`),
    '<comment>back</comment>',
  );
  assert.is(outcome(await rollBack(99_999)), 'invalid-value');
});

test('version and time of the table are those of each commit, of a binding and of anything else (D118)', async () => {
  await threeVersions();
  const filter = `<softwire ${GI}><aftr><name>a</name><binding-table><version/><last-change/></binding-table></aftr></softwire>`;
  const state = async () => {
    const text = await client.rpc(`<get><filter type="subtree">${filter}</filter></get>`);
    const [, version = '', time = ''] = /<version>(\d+)<\/version><last-change>([^<]+)</.exec(text) ?? [];
    return { version: Number(version), time };
  };
  const steps = [
    edit(binding('192.0.2.77/32', '2001:db8:a::7')),
    edit(REMOVED('192.0.2.77/32')),
    hopLimit(9),
    hopLimit(8),
  ];
  let before = await state();
  for (const step of steps) {
    // Times have milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.is(outcome(await client.rpc(step)), 'ok');
    const after = await state();
    const list = await client.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`);
    assert.is(after.version, before.version + 1);
    assert.ok(after.time > before.time, `${before.time}, then ${after.time}`);
    assert.match(list, `<time>${after.time}</time>`);
    before = after;
  }
  assert.is(outcome(await client.rpc(hopLimit(8))), 'ok');
  assert.equal(await state(), before, 'an edit that changes nothing is no commit');
});

test('lookup at a time: who held the address, since when, until when', async () => {
  const first = await threeVersions();
  const list = await client.rpc(`<list-versions ${GI}/>`);
  const timeOf = (version: number) => new RegExp(`<number>${version}</number><time>([^<]*)<`).exec(list)?.[1] ?? '';
  const [begun, changed, gone] = [first, first + 1, first + 2].map(timeOf);
  assert.match(
    await lookup('192.0.2.1', begun ?? ''),
    new RegExp(
      `<gateway-ipv6-address ${GI}>2001:db8:a::1<.*<since ${GI}>${begun}</since><until ${GI}>${changed}</until>`,
    ),
  );
  assert.match(
    await lookup('192.0.2.1', changed ?? ''),
    new RegExp(`a::2<.*<since ${GI}>${changed}</since></rpc-reply>`),
  );
  assert.match(await lookup('192.0.2.2', changed ?? ''), new RegExp(`<until ${GI}>${gone}</until>`));
  assert.is(outcome(await lookup('192.0.2.2', gone ?? '')), 'ok', 'nobody');
  const early = await lookup('192.0.2.2', '1999-12-31T23:59:59Z');
  assert.is(outcome(early), 'invalid-value');
  assert.match(early, /time 1999-12-31T23:59:59\S+ is not on record: what was since 20\d\d-.*Z is/);
  const late = await lookup('192.0.2.2', '2099-01-01T00:00:00Z');
  assert.is(outcome(late), 'invalid-value');
  assert.match(late, /time 2099-01-01T00:00:00\S+ is to come/);
});

test('lookup-address: all AFTRs answer, one that is gone too', async () => {
  const aftr = (operation: string, inside: string) =>
    client.rpc(
      `<edit-config><target><running/></target><config><softwire ${GI} xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><aftr nc:operation="${operation}"><name>gone</name>${inside}</aftr></softwire></config></edit-config>`,
    );
  const inside = `<ipv6-address>2001:db8:b::9</ipv6-address><ipv4-pool>198.51.100.0/24</ipv4-pool><binding-table><binding><ipv4-prefix>198.51.100.1/32</ipv4-prefix><gateway-ipv6-address>2001:db8:a::9</gateway-ipv6-address></binding></binding-table>`;
  await threeVersions();
  assert.is(outcome(await aftr('create', inside)), 'ok');
  const list = await client.rpc(`<list-versions ${GI}/>`);
  const time = new RegExp(`<number>${await newest()}</number><time>([^<]*)<`).exec(list)?.[1] ?? '';
  assert.is(outcome(await aftr('delete', '')), 'ok');
  const ask = (address: string, more = '') =>
    client.rpc(`<lookup-address ${GI}><ipv4-address>${address}</ipv4-address>${more}</lookup-address>`);
  assert.match(await ask('198.51.100.1', `<time>${time}</time>`), /<aftr>gone<.*a::9<.*<since>.*<until>/);
  assert.is(outcome(await ask('198.51.100.1')), 'ok', 'nobody now');
  assert.match(await ask('192.0.2.1'), /<aftr>a<.*a::2<.*<since>/);
  assert.match(await client.rpc(`<lookup-address ${GI}/>`), /needs an ipv4-address|mandatory/i);
});

for (const time of [
  '2026-11-25T40:23:30Z',
  '2026-02-31T10:00:00Z',
  '2026-11-25T10:00:00+24:00',
  '2026-11-25T12:00:60Z',
]) {
  test(`lookup and lookup-address: ${time} is no time`, async () => {
    const inside = `<ipv4-address>192.0.2.1</ipv4-address><time>${time}</time>`;
    const address = await client.rpc(`<lookup-address ${GI}>${inside}</lookup-address>`);
    const lookup = await client.rpc(
      `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>a</name><lookup>${inside}</lookup></aftr></softwire></action>`,
    );
    for (const reply of [address, lookup]) {
      assert.is(outcome(reply), 'invalid-value');
      assert.match(reply, 'expected a date and a time that there are');
    }
  });
}

test('history is a limit of the configuration', async () => {
  await threeVersions();
  const limit = (name: string, value: string) =>
    client.rpc(
      `<edit-config><target><running/></target><config><softwire ${GI}><history><${name}>${value}</${name}></history></softwire></config></edit-config>`,
    );
  assert.is(outcome(await limit('maximum-changes', '0')), 'invalid-value');
  assert.is(outcome(await limit('maximum-changes', '1')), 'ok');
  const last = await newest();
  assert.match(await compare(last - 1), '<differences ');
  assert.is(outcome(await compare(last - 2)), 'invalid-value');
});

test('the end', async () => {
  client.end();
  await management.stop();
});

test.run();

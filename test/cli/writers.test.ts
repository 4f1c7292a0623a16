import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NetconfClient } from '../../src/cli/client.ts';
import { readData, TargetFilter } from '../../src/cli/data-reader.ts';
import { editsFromJson } from '../../src/cli/file-json.ts';
import { editsFromXml } from '../../src/cli/file-xml.ts';
import { JsonWriter } from '../../src/cli/json-writer.ts';
import { printable } from '../../src/cli/output.ts';
import { Table } from '../../src/cli/table.ts';
import { TreeWriter } from '../../src/cli/tree-writer.ts';

const test = suite('cli writers');

const GI = 'xmlns="urn:gi-4over6"';
const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const DATA =
  `<softwire ${GI}><gateway><name>g</name><enabled>true</enabled></gateway>` +
  '<aftr><name>a</name><hop-limit>7</hop-limit><ipv4-pool>10.0.0.0/8</ipv4-pool><ipv4-pool>192.0.2.0/24</ipv4-pool>' +
  '<binding-table><bindings>2</bindings><version>9</version><binding><ipv4-prefix>10.0.0.0/9</ipv4-prefix>' +
  '<description>a &amp; &lt;b&gt;</description></binding><binding><ipv4-prefix>10.128.0.0/9</ipv4-prefix><description/></binding>' +
  '</binding-table></aftr><state/></softwire>';
const NAMES = [
  ['gi-4over6', 'urn:gi-4over6'],
  ['ietf-netconf-acm', 'urn:nacm'],
] as const;
const modules = new Map(NAMES.map(([name, namespace]) => [namespace, name] as const));
const client = { namespaces: async () => new Map<string, string>(NAMES) } as unknown as NetconfClient;

async function* reply(data: string, size: number): AsyncGenerator<string> {
  const text = `<rpc-reply xmlns="${BASE}" message-id="1"><data>${data}</data></rpc-reply>`;
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function json(data: string, path: readonly string[] = [], size = 1000): Promise<string> {
  let text = '';
  const writer = new JsonWriter(
    (piece) => {
      text += piece;
    },
    modules,
    path.at(-2) ?? '',
  );
  await readData(reply(data, size), new TargetFilter(writer, path.length, path.at(-1) ?? ''));
  writer.finish();
  return text;
}

async function tree(data: string, path: readonly string[] = []): Promise<string> {
  let text = '';
  const writer = new TreeWriter((piece) => {
    text += piece;
  }, path.at(-2) ?? '');
  await readData(reply(data, 1000), new TargetFilter(writer, path.length, path.at(-1) ?? ''));
  return text;
}

const EXPECTED = {
  'gi-4over6:softwire': {
    gateway: [{ name: 'g', enabled: true }],
    aftr: [
      {
        name: 'a',
        'hop-limit': 7,
        'ipv4-pool': ['10.0.0.0/8', '192.0.2.0/24'],
        'binding-table': {
          bindings: 2,
          version: '9',
          binding: [
            { 'ipv4-prefix': '10.0.0.0/9', description: 'a & <b>' },
            { 'ipv4-prefix': '10.128.0.0/9', description: '' },
          ],
        },
      },
    ],
    state: {},
  },
};

test('JSON of RFC 7951, whatever the pieces', async () => {
  for (const size of [1, 7, 1000]) assert.equal(JSON.parse(await json(DATA, [], size)), EXPECTED, `pieces of ${size}`);
});

test('JSON of a target stands at the top, with its module', async () => {
  const [aftr] = EXPECTED['gi-4over6:softwire'].aftr;
  assert.equal(JSON.parse(await json(DATA, ['softwire', 'aftr'])), { 'gi-4over6:aftr': [aftr] });
  assert.equal(JSON.parse(await json(DATA, ['softwire', 'aftr', 'ipv4-pool'])), {
    'gi-4over6:ipv4-pool': aftr?.['ipv4-pool'],
  });
  assert.equal(JSON.parse(await json(DATA, ['softwire', 'aftr', 'foo'])), {});
});

test('JSON of nothing', async () => assert.is(await json(''), '{}\n'));

test('two top-level nodes have their modules', async () => {
  const text = await json(
    '<nacm xmlns="urn:nacm"><enable-nacm>false</enable-nacm></nacm><softwire xmlns="urn:gi-4over6"/>',
  );
  assert.equal(JSON.parse(text), { 'ietf-netconf-acm:nacm': { 'enable-nacm': false }, 'gi-4over6:softwire': {} });
});

test('data for people', async () => {
  assert.is(
    await tree(DATA),
    `softwire
  gateway g
    enabled  true
  aftr a
    hop-limit  7
    ipv4-pool  10.0.0.0/8
    ipv4-pool  192.0.2.0/24
    binding-table
      bindings  2
      version  9
      binding 10.0.0.0/9
        description  a & <b>
      binding 10.128.0.0/9
        description  ${''}
  state
`,
  );
});

test('a leaf is its bare value; several are a line each', async () => {
  assert.is(await tree(DATA, ['softwire', 'aftr', 'hop-limit']), '7\n');
  assert.is(await tree(DATA, ['softwire', 'aftr', 'ipv4-pool']), '10.0.0.0/8\n192.0.2.0/24\n');
});

test('what a device says cannot drive the terminal', () => {
  assert.is(printable('a\u001b[2Jb\u009bc\n'), 'a\\x1b[2Jb\\x9bc\\x0a');
});

function table(rows: readonly (readonly string[])[]): string {
  let text = '';
  const printed = new Table(
    (piece) => {
      text += piece;
    },
    ['name', '>count'],
  );
  for (const row of rows) printed.row(row);
  printed.finish('none');
  return text;
}

test('a table is as wide as its cells, numbers to the right', () => {
  assert.is(
    table([
      ['a', '1'],
      ['long name', '12345678'],
    ]),
    'name          count\na                 1\nlong name  12345678\n',
  );
  assert.is(table([]), 'none\n');
});

test('a long table keeps all its rows in order', () => {
  const rows = Array.from({ length: 2000 }, (_, at) => [`n${at}`, String(at)]);
  const lines = table(rows).trimEnd().split('\n');
  assert.equal(
    lines.slice(1).map((line) => line.split(/\s+/)[0]),
    rows.map(([name]) => name),
  );
});

/** A text in pieces of a few characters. */
async function* pieces(text: string, size = 7): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function all(edits: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const edit of edits) found.push(edit);
  return found;
}

const fromXml = (text: string, replace = false) => all(editsFromXml(pieces(text), replace, true));
const fromJson = (text: string, replace = false) => all(editsFromJson(client, pieces(text), replace, true));

const xmlFiles = [
  [`<softwire ${GI}><aftr/></softwire>`, `<softwire ${GI}><aftr></aftr></softwire>`, 'a root of data'],
  [
    `<?xml version="1.0"?><!-- c --><config xmlns="${BASE}">\n <softwire ${GI}><aftr> <name>a</name></aftr></softwire>\n <nacm xmlns="urn:nacm"/></config>`,
    `<softwire ${GI}><aftr> <name>a</name></aftr></softwire><nacm xmlns="urn:nacm"></nacm>`,
    'a config around',
  ],
  [
    `<n:data xmlns:n="${BASE}" xmlns:g="urn:gi-4over6"><g:softwire><g:aftr n:operation="remove"><g:name>&lt;</g:name></g:aftr></g:softwire></n:data>`,
    `<softwire ${GI} xmlns:n="${BASE}" xmlns:g="urn:gi-4over6"><aftr n:operation="remove"><name>&lt;</name></aftr></softwire>`,
    'prefixes, an operation, an escape',
  ],
  [
    '<a xmlns="urn:a"><b xmlns="urn:b"><c/></b><d><![CDATA[<&]]></d></a>',
    '<a xmlns="urn:a"><b xmlns="urn:b"><c></c></b><d>&lt;&amp;</d></a>',
    'namespaces where they change, CDATA',
  ],
] as const;
for (const [text, expected, what] of xmlFiles) {
  test(`import of XML: ${what}`, async () => assert.equal(await fromXml(text), [expected]));
}

const REPLACE = ` xmlns:gi4over6-edit="${BASE}" gi4over6-edit:operation="replace"`;

test('import of XML that replaces', async () => {
  assert.equal(await fromXml(`<softwire ${GI}><aftr/></softwire>`, true), [
    `<softwire ${GI}${REPLACE}><aftr></aftr></softwire>`,
  ]);
});

const row = (at: number) => `<binding><ipv4-prefix>10.0.${at >> 8}.${at & 255}/32</ipv4-prefix></binding>`;
const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => row(from + at)).join('');

test('import of XML: every 20,000 bindings an edit ends, and the next goes on without the operations', async () => {
  const head = `<softwire ${GI}><aftr><name>a&amp;b</name>`;
  const end = '</binding-table></aftr></softwire>';
  const text = `${head}<binding-table>${rows(0, 45_000)}</binding-table><hop-limit>7</hop-limit></aftr></softwire>`;
  const found = await all(editsFromXml(pieces(text, 65_536), true, true));
  assert.equal(
    found.map((edit) => edit.length),
    [0, 20_000]
      .map(
        (from) => (from === 0 ? REPLACE.length : 0) + `${head}<binding-table>${rows(from, from + 20_000)}${end}`.length,
      )
      .concat(
        `${head}<binding-table>${rows(40_000, 45_000)}</binding-table><hop-limit>7</hop-limit></aftr></softwire>`
          .length,
      ),
  );
  assert.is(found[1], `${head}<binding-table>${rows(20_000, 40_000)}${end}`);
  assert.is(
    found[2],
    `${head}<binding-table>${rows(40_000, 45_000)}</binding-table><hop-limit>7</hop-limit></aftr></softwire>`,
  );
});

test('import of XML: whole, it is one edit in pieces', async () => {
  const text = `<softwire ${GI}><aftr><name>a</name><binding-table>${rows(0, 45_000)}</binding-table></aftr></softwire>`;
  const found = await all(editsFromXml(pieces(text, 65_536), false, false));
  assert.ok(found.length > 10);
  assert.ok(found.join('') === text);
});

test('import of XML: a table whose AFTR is named behind it stays one edit', async () => {
  const text = `<softwire ${GI}><aftr><binding-table>${rows(0, 20_001)}</binding-table><name>a</name></aftr></softwire>`;
  assert.equal(await all(editsFromXml(pieces(text, 65_536), false, true)), [text]);
});

test('import of JSON: every 20,000 bindings an edit ends', async () => {
  const binding = Array.from({ length: 20_001 }, (_, at) => ({ 'ipv4-prefix': `10.0.${at >> 8}.${at & 255}/32` }));
  const data = { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { binding } }] } };
  const found = await all(editsFromJson(client, pieces(JSON.stringify(data), 65_536), false, true));
  assert.is(found.length, 2);
  assert.match(
    found[1] ?? '',
    /<aftr><name>a<\/name><binding-table><binding><ipv4-prefix>10\.0\.78\.32\/32<\/ipv4-prefix><\/binding><\/binding-table><\/aftr><\/softwire>$/,
  );
});

test('import of what RESTCONF answers: the data around it is none; paths get all their modules', async () => {
  const nacm = { 'rule-list': [{ rule: [{ path: "/gi-4over6:softwire/aftr[name='/x:y']/ietf-netconf-acm:z/q" }] }] };
  const [edit = '', ...others] = await fromJson(
    JSON.stringify({ 'ietf-restconf:data': { 'ietf-netconf-acm:nacm': nacm } }),
  );
  assert.equal(others, []);
  assert.match(edit, '<nacm xmlns="urn:nacm"');
  const path = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='/x:y']/ietf-netconf-acm:z/ietf-netconf-acm:q";
  assert.match(
    edit,
    `<path>${path.replaceAll("'", '&apos;')}</path>`.replaceAll('&apos;', edit.includes('&apos;') ? '&apos;' : "'"),
  );
  assert.equal(await fromXml('<data xmlns="urn:ietf:params:xml:ns:yang:ietf-restconf"><a xmlns="urn:a"/></data>'), [
    '<a xmlns="urn:a"></a>',
  ]);
});

test('import of JSON: what was exported, with arrays, numbers and booleans', async () => {
  const declared = ' xmlns:gi-4over6="urn:gi-4over6" xmlns:ietf-netconf-acm="urn:nacm"';
  const data = {
    'gi-4over6:softwire': {
      '@x': 1,
      aftr: [{ name: 'a<', enabled: false, 'hop-limit': 7, e: [null], 'ipv4-pool': ['1', '2'] }],
    },
  };
  assert.is(
    (await fromJson(JSON.stringify(data))).join('|'),
    `<softwire ${GI}${declared}><aftr><name>a&lt;</name><enabled>false</enabled><hop-limit>7</hop-limit><e></e><ipv4-pool>1</ipv4-pool><ipv4-pool>2</ipv4-pool></aftr></softwire>`,
  );
  const [top = ''] = await fromJson('{"gi-4over6:softwire":{},"ietf-netconf-acm:nacm":{}}', true);
  assert.is(top.split(REPLACE).length, 3);
});

for (const text of ['', 'x', '<a>', '<a xmlns="urn:a"/><b/>', '<p:a/>']) {
  test(`import of XML refused: '${text}'`, async () => {
    const isRefused = await fromXml(text).then(
      () => false,
      () => true,
    );
    assert.ok(isRefused);
  });
}

test.run();

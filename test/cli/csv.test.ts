import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BindingFileOptions } from '../../src/cli/binding-csv.ts';
import { BindingFile } from '../../src/cli/binding-csv.ts';
import { csvField, csvRecords } from '../../src/cli/csv.ts';
import { Refusal } from '../../src/cli/failure.ts';

const test = suite('cli csv');

async function records(text: string): Promise<unknown> {
  const found: unknown[] = [];
  for await (const { line, fields } of csvRecords(text.split('\n'))) found.push([line, ...fields]);
  return found;
}

const good = [
  [
    'a,b\n1,2',
    [
      [1, 'a', 'b'],
      [2, '1', '2'],
    ],
    'two records',
  ],
  ['a,,c', [[1, 'a', '', 'c']], 'an empty field'],
  ['a,', [[1, 'a', '']], 'an empty last field'],
  [' a , b ', [[1, 'a', 'b']], 'white space around fields'],
  ['"a,b","c""d"', [[1, 'a,b', 'c"d']], 'quotes'],
  [
    '"a\nb",c\nd,e',
    [
      [1, 'a\nb', 'c'],
      [3, 'd', 'e'],
    ],
    'a field over two lines',
  ],
  ['\n\na', [[3, 'a']], 'empty lines'],
  ['""', [[1, '']], 'an empty quoted field'],
  ['', [], 'nothing'],
] as const;
for (const [text, expected, what] of good) {
  test(`records: ${what}`, async () => assert.equal(await records(text), expected));
}

for (const [text, message, what] of [
  ['a\nb"c"', 'line 2, column 2: a quote inside a field', 'a quote inside a field'],
  ['a\nü𝄞x,y"', 'line 2, column 6: a quote inside a field', 'a quote inside a field, behind characters of many octets'],
  ['a\n"b" c', 'line 2, column 3: a quote inside a field', 'text after a quoted field'],
  ['a\n"b\nc""d" e', 'line 3, column 5: a quote inside a field', 'text after a quoted field of two lines'],
  ['a\n\nx, "b', 'line 3, column 4: the quoted field that begins here does not end', 'a quote that never ends'],
  ['a\n"b""', 'line 2, column 1: the quoted field that begins here does not end', 'its last quote doubled'],
  [
    `a\nb,"c\n${'d,e\n'.repeat(20_000)}`,
    'line 2, column 3: the quoted field that begins here has more than 65536 characters',
    'a quote too many in a long file',
  ],
] as const) {
  test(`a fault names line and column: ${what}`, async () => {
    const found = await records(text).then(
      () => 'none',
      (error: Error) => error.message,
    );
    assert.ok(found.startsWith(message), found);
  });
}

test('quoted fields of many lines are read in time that grows with the file alone', async () => {
  const time = async (count: number) => {
    const before = process.cpuUsage();
    let found = 0;
    const lines = Array.from({ length: count }, (_, at) => (at % 8 === 7 ? `x",${at}` : at % 8 === 0 ? '"y' : 'z ""'));
    for await (const _ of csvRecords(lines)) found++;
    assert.is(found, count / 8);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await time(80_000);
  const [small, large] = [await time(80_000), await time(800_000)];
  assert.ok(large < 60 * small, `${large} us against ${small} us`);
});

test('fields come back as they were', async () => {
  const fields = ['plain', 'a,b', '"', ' space ', 'two\nlines', ''];
  assert.equal(await records(fields.map(csvField).join(',')), [[1, ...fields]]);
});

const HEAD = 'ipv4-prefix,gateway-ipv6-address';

async function* lines(text: string): AsyncGenerator<string> {
  yield* text.split('\n');
}

async function edits(text: string, options: BindingFileOptions = {}) {
  const file = new BindingFile('f', lines(text), { isCut: true, ...options });
  const found: string[] = [];
  for await (const edit of file.edits()) found.push(edit);
  return found;
}

const aftr = (name: string, inside: string, attributes = '') =>
  `<aftr><name>${name}</name><binding-table${attributes}>${inside}</binding-table></aftr>`;
const softwire = (inside: string) => `<softwire xmlns="urn:gi-4over6">${inside}</softwire>`;
const table = (...of: Parameters<typeof aftr>) => softwire(aftr(...of));
const row = (prefix: string, more = '') =>
  `<binding><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>2001:db8::1</gateway-ipv6-address>${more}</binding>`;
const REPLACE = ' xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="replace"';

test('bindings of the AFTR that was given', async () => {
  assert.equal(await edits(`${HEAD}\n192.0.2.0/24,2001:db8::1`, { aftr: 'a&b' }), [
    table('a&amp;b', row('192.0.2.0/24')),
  ]);
});

test('columns in any order, one with the AFTR, empty fields left out', async () => {
  const text =
    'description,gateway-ipv6-address,aftr,ipv4-prefix,aftr-ipv6-address\n"x ""<y>""",2001:db8::1,a,192.0.2.0/25,\n,2001:db8::1,b,192.0.2.0/25,2001:db8::b';
  assert.equal(await edits(text), [
    softwire(
      aftr('a', row('192.0.2.0/25', '<description>x &quot;&lt;y&gt;&quot;</description>')) +
        aftr('b', row('192.0.2.0/25', '<aftr-ipv6-address>2001:db8::b</aftr-ipv6-address>')),
    ),
  ]);
});

test('the first edit of each table replaces it, the next ones add', async () => {
  const text = Array.from(
    { length: 20_001 },
    (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32,2001:db8::1`,
  );
  const [first = '', second, ...others] = await edits([HEAD, ...text].join('\n'), { aftr: 'a', replace: true });
  assert.ok(first.startsWith(table('a', '', REPLACE).slice(0, 100)));
  assert.is(second, table('a', row('10.0.78.32/32')));
  assert.is(others.length, 0);
});

test('a table replaced by no rows is emptied where that is allowed', async () => {
  for (const isCut of [true, false]) {
    const options = { aftr: 'a', replace: true, isCut };
    assert.equal(await edits(HEAD, { ...options, allowEmpty: true }), [table('a', '', REPLACE)]);
    const refusal = await edits(HEAD, options).then(
      () => 'taken',
      (error: Error) => error.message,
    );
    assert.match(refusal, 'f holds no bindings: --replace would remove all of AFTR a; --allow-empty does it');
  }
  assert.equal(await edits(HEAD, { aftr: 'a' }), []);
});

test('one edit in pieces: each AFTR once, the first as it comes, what is to stay before the bindings', async () => {
  const text = ['a', 'b', 'a', 'c', 'b'].map((name, at) => `${name},192.0.2.${at}/32,2001:db8::1`);
  const one = (replace: boolean) =>
    edits([`aftr,${HEAD}`, ...text].join('\n'), {
      isCut: false,
      replace,
      kept: async () => new Map([['b', '<kept/>']]),
    });
  const inside = (replaced: string, kept: string) =>
    softwire(
      aftr('a', row('192.0.2.0/32') + row('192.0.2.2/32'), replaced) +
        aftr('b', kept + row('192.0.2.1/32') + row('192.0.2.4/32'), replaced) +
        aftr('c', row('192.0.2.3/32'), replaced),
    );
  assert.is((await one(false)).join(''), inside('', ''));
  assert.is((await one(true)).join(''), inside(REPLACE, '<kept/>'));
});

test('one edit of many bindings is the same text as theirs', async () => {
  const pieces = await edits([HEAD, ...many(45_000)].join('\n'), { aftr: 'a', isCut: false });
  assert.ok(pieces.length > 3);
  const prefixes = many(45_000).map((line) => row(line.split(',')[0] ?? ''));
  assert.ok(pieces.join('') === table('a', prefixes.join('')));
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `10.0.${at >> 8}.${at & 255}/32,2001:db8::1`);
}

for (const [text, message, what] of [
  ['', 'f is empty', 'an empty file'],
  ['a,b', 'f line 1: expected a heading', 'unknown columns'],
  ['ipv4-prefix', 'f line 1: expected a heading', 'no gateway column'],
  [`${HEAD}\n192.0.2.0/24`, 'f line 2: expected 2 fields, found 1', 'too few fields'],
  [`${HEAD}\n192.0.2.0/24,2001:db8::1,x`, 'f line 2: expected 2 fields, found 3', 'too many fields'],
  [`${HEAD}\n192.0.2.0/33,2001:db8::1`, "f line 2, column ipv4-prefix: '192.0.2.0/33' is no IPv4 prefix", 'no prefix'],
  [
    `${HEAD}\n192.0.2.0/24,192.0.2.1`,
    "f line 2, column gateway-ipv6-address: '192.0.2.1' is no IPv6 address",
    'no gateway',
  ],
  [
    `${HEAD}\n192.0.2.0/24,2001:db8::1\n\n192.0.2.0/24,2001:db8::2`,
    'f line 4, column ipv4-prefix: 192.0.2.0/24 stands on line 2 already',
    'a prefix twice',
  ],
  [
    `${HEAD}\n192.0.2.1/24,2001:db8::1\n192.0.2.9/24,2001:db8::2`,
    'f line 3, column ipv4-prefix: 192.0.2.9/24 stands on line 2 already',
    'a prefix twice, with other host bits',
  ],
  [
    [HEAD, '10.0.0.7/32,2001:db8::2', ...many(25_000)].join('\n'),
    'f line 10, column ipv4-prefix: 10.0.0.7/32 stands on line 2 already',
    'a prefix twice, in the first edit',
  ],
  [
    [HEAD, ...many(25_000), '10.0.0.7/32,2001:db8::2'].join('\n'),
    'f line 25002, column ipv4-prefix: 10.0.0.7/32 stands on line 9 already',
    'a prefix twice, in two edits',
  ],
  ['ipv4-prefix,gateway-ipv6-address,ipv4-prefix', 'f line 1: expected a heading', 'a column twice'],
  [
    `${HEAD},description\n192.0.2.0/24,2001:db8::1,a\u0007b`,
    'f line 2, column description: it holds a control character',
    'what XML cannot hold',
  ],
] as const) {
  test(`refused: ${what}`, async () => {
    const found = await edits(text, { aftr: 'a' }).then(
      () => 'taken',
      (error: Error) => error.message,
    );
    assert.ok(found.startsWith(message), found);
  });
}

test('a row without AFTR is refused', async () => {
  const found = await edits(`${HEAD}\n192.0.2.0/24,2001:db8::1`).then(
    () => 'taken',
    (error: Error) => error.message,
  );
  assert.match(found, 'f line 2: names no AFTR');
});

test('a refusal names the line of a binding of any edit, whatever its host bits were', async () => {
  const file = new BindingFile('f', lines([HEAD, '192.0.2.9/24,2001:db8::1', ...many(25_000)].join('\n')), {
    aftr: 'a',
  });
  for await (const _ of file.edits());
  const fault = (prefix: string) => {
    const path = `/softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='${prefix}']`;
    return file.explain(new Refusal([{ tag: 'operation-failed', message: 'm', path, appTag: '' }])).message;
  };
  assert.match(fault('192.0.2.0/24'), 'f line 2, column ipv4-prefix: m');
  assert.match(fault('192.0.2.9/24'), 'f line 2, column ipv4-prefix: m');
  assert.match(fault('10.0.0.0/32'), 'f line 3, column ipv4-prefix: m');
  assert.match(fault('10.0.97.167/32'), 'f line 25002, column ipv4-prefix: m');
});

test('a refusal of the device names line and column', async () => {
  const file = new BindingFile('f', lines(`${HEAD}\n\n192.0.2.0/24,2001:db8::1`), { aftr: 'a' });
  for await (const _ of file.edits());
  const path = "/softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.0/24']";
  const fault = { tag: 'operation-failed', message: 'm', path, appTag: '' };
  assert.match(file.explain(new Refusal([fault])).message, 'f line 3, column ipv4-prefix: m');
  const leaf = { ...fault, path: `${path}/gateway-ipv6-address` };
  assert.match(file.explain(new Refusal([leaf])).message, 'f line 3, column gateway-ipv6-address: m');
  const elsewhere = { ...fault, path: "/softwire/aftr[name='b']" };
  assert.not.match(file.explain(new Refusal([elsewhere])).message, 'line');
  const many = { ...fault, path: "/softwire/aftr[name='a']/softwire-num-max" };
  assert.match(file.explain(new Refusal([many])).message, /^f: m/, 'no one line is too many');
  const whole = { ...fault, path: "/softwire/aftr[name='a']/ipv6-address" };
  assert.match(file.explain(new Refusal([whole])).message, 'f line 3, column aftr: m');
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { editsFromJson } from '../../src/cli/file-json.ts';
import { random } from '../helpers/random.ts';

const test = suite('cli file json');

const client = {
  namespaces: async () =>
    new Map([
      ['gi-4over6', 'urn:gi-4over6'],
      ['ietf-netconf-acm', 'urn:nacm'],
    ] as const),
};

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  const characters = [...text];
  for (let at = 0; at < characters.length; at += size) yield characters.slice(at, at + size).join('');
}

async function edit(text: string, size = 1000): Promise<string> {
  let found = '';
  for await (const piece of editsFromJson(client, pieces(text, size), false, false)) found += piece;
  return found;
}

function refusal(text: string, size?: number): Promise<string> {
  return edit(text, size).then(
    (found) => `taken: ${found}`,
    (error: Error) => error.message,
  );
}

const S = '"gi-4over6:softwire"';

for (const [text, message, what] of [
  ['', 'expected one JSON object', 'nothing'],
  ['[]', 'line 1, column 1: expected one JSON object', 'an array'],
  ['{"softwire":{}}', "line 1, column 13: expected a module name before 'softwire'", 'no module'],
  ['{\n "foo:softwire":{}}', 'line 2, column 17: the device has no YANG module foo', 'an unknown module'],
  [`{${S}:{"<x>":"1"}}`, "line 1, column 30: expected a name, found '<x>'", 'no name'],
  ['{', 'line 1, column 2: the JSON text ends too early', 'no end'],
  [`{${S}:{\n`, 'line 2, column 1: the JSON text ends too early', 'no end, on a line of its own'],
  [`{${S}:{}} {}`, 'line 1, column 27: ', 'two objects'],
  [`{${S}:{},}`, 'line 1, column 26: a character that is out of place', 'a comma too many'],
  [`{${S} {}}`, 'line 1, column 23: a character that is out of place', 'no colon'],
  [`{${S}:{"aftr":["ü𝄞"\n "2"]}}`, 'line 2, column 2: a character that is out of place', 'no comma'],
  [`{${S}:{"aftr":]}}`, 'line 1, column 31: a value is missing', 'another bracket'],
  [`{${S}:{1:2}}`, 'line 1, column 24: a character that is out of place', 'a number as name'],
  [`{\n\n  ${S}: {"ü𝄞": x}}`, 'line 3, column 32: the character "x" is out of place', 'a character that is no JSON'],
  [`{\n\n  ${S}: {"ü𝄞": 𝄞}}`, 'line 3, column 32: the character "𝄞" is out of place', 'a character of four octets'],
] as const) {
  test(`refused: ${what}`, async () => {
    for (const size of [1, 3, 1000]) {
      const found = await refusal(text, size);
      assert.ok(found.startsWith(message), `pieces of ${size}: ${found}`);
    }
  });
}

const A = '/gi-4over6:softwire/aftr[1]';
const B = `${A}/binding-table/binding[2]`;

/** The text of an AFTR with one more member. */
const aftr = (member: string) => `{${S}:{"aftr":[{"name":"a",${member}}]}}`;
const binding = (member: string) => aftr(`"binding-table":{"binding":[{},{"ipv4-prefix":"192.0.2.0/32",${member}}]}`);

for (const [text, message] of [
  [binding('"description":null'), `${B}/description: expected a value, null came`],
  [
    binding('"description":7'),
    `${B}/description: expected a string, as no leaf of another kind has that name, the number 7 came`,
  ],
  [
    binding('"description":true'),
    `${B}/description: expected a string, as no leaf of another kind has that name, true came`,
  ],
  [binding('"description":{}'), `${B}/description: expected no object`],
  [binding('"description":["x"]'), `${B}/description[1]: expected no array`],
  [binding('"description":[]'), `${B}/description: expected [null]`],
  [binding('"description":[null,null]'), `${B}/description: expected [null]`],
  [binding('"description":"a\\u0007b"'), `${B}/description: it holds a control character`],
  [
    binding('"description":"\\ud800"'),
    `${B}/description: it holds a control character, or half of a pair of surrogates`,
  ],
  [binding('"ipv4-prefix":"192.0.2.0/32"'), `${B}/ipv4-prefix: it comes twice in one object`],
  [binding('"gi-4over6:ipv4-prefix":"x"'), `${B}/gi-4over6:ipv4-prefix: it comes twice in one object`],
  [aftr('"hop-limit":"7"'), `${A}/hop-limit: expected a number without fraction and exponent, the string "7" came`],
  [
    aftr('"softwire-num-max":2e4'),
    `${A}/softwire-num-max: expected a number without fraction and exponent, the number 2e4 came`,
  ],
  [
    aftr('"softwire-num-max":20005.0'),
    `${A}/softwire-num-max: expected a number without fraction and exponent, the number 20005.0 came`,
  ],
  [
    aftr('"softwire-num-max":null'),
    `${A}/softwire-num-max: expected a number without fraction and exponent, null came`,
  ],
  [aftr('"hop-limit":true'), `${A}/hop-limit: expected a number without fraction and exponent, true came`],
  [aftr('"enabled":"true"'), `${A}/enabled: expected true or false, the string "true" came`],
  [aftr('"enabled":1'), `${A}/enabled: expected true or false, the number 1 came`],
  [aftr('"ipv4-pool":"192.0.2.0/24"'), `${A}/ipv4-pool: expected an array, the string "192.0.2.0/24" came`],
  [aftr('"ipv4-pool":["192.0.2.0/24",null]'), `${A}/ipv4-pool[2]: expected a value, null came`],
  [aftr('"ipv4-pool":[["192.0.2.0/24"]]'), `${A}/ipv4-pool[1]: expected no array in an array`],
  [aftr('"binding-table":[{}]'), `${A}/binding-table: expected an object, an array came`],
  [aftr('"binding-table":"x"'), `${A}/binding-table: expected an object, the string "x" came`],
  [aftr('"binding-table":null'), `${A}/binding-table: expected an object, null came`],
  [
    aftr('"binding-table":{"binding":{"ipv4-prefix":"x"}}'),
    `${A}/binding-table/binding: expected an array, an object came`,
  ],
  [`{${S}:{"aftr":{"name":"a"}}}`, '/gi-4over6:softwire/aftr: expected an array, an object came'],
  [`{${S}:null}`, '/gi-4over6:softwire: expected an object, null came'],
  [`{${S}:{},${S}:{}}`, '/gi-4over6:softwire: it comes twice in one object'],
  [`{"ietf-restconf:data":{${S}:[{}]}}`, '/ietf-restconf:data/gi-4over6:softwire: expected an object, an array came'],
] as const) {
  test(`refused with its path: ${message}`, async () => {
    assert.match(await refusal(text), new RegExp(`^line 1, column \\d+: ${message.replace(/[[\]/().]/g, '\\$&')}`));
  });
}

test('a fault is placed exactly, whatever came before it and in whatever pieces', async () => {
  const next = random(7);
  const below = (count: number) => next() % count;
  const words = ['a', 'ü', '€', '𝄞', '\\n', '\\u00fc', '\\ud834\\udd1e', '\\"', '\\\\', ' '];
  const spaces = ['', ' ', '\n', '\t', ' \n ', '\r\n'];
  const one = (from: readonly string[]) => from[below(from.length)] ?? '';
  for (let round = 0; round < 200; round++) {
    let text = `{${one(spaces)}${S}:${one(spaces)}{`;
    for (let at = 0; at < 8; at++) {
      const value = Array.from({ length: below(40) }, () => one(words)).join('');
      text += `${one(spaces)}"@${at}"${one(spaces)}:${one(spaces)}${one([`"${value}"`, '12', '-1.5e3', 'true', 'null', '{}'])}${one(spaces)},`;
    }
    text += `"hop-limit":${one(spaces)}`;
    const lines = text.split('\n');
    const place = `line ${lines.length}, column ${[...(lines.at(-1) ?? '')].length + 1}: `;
    const found = await refusal(`${text}"7"}}`, 1 + below(30));
    assert.ok(
      found.startsWith(`${place}/gi-4over6:softwire/hop-limit: expected a number`),
      `${JSON.stringify(text)}: ${found}`,
    );
  }
});

test('metadata says nothing, an empty leaf is [null], and what is right is taken', async () => {
  const found = await edit(aftr('"@":{"x:y":null},"@name":[null,{"a":1e3}],"e":[null],"hop-limit":7,"enabled":true'));
  assert.match(found, /<aftr><name>a<\/name><e><\/e><hop-limit>7<\/hop-limit><enabled>true<\/enabled><\/aftr>/);
});

test.run();

/** Long texts are made so that others have their turn. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseJson } from '../../../src/mgmt/restconf/json-text.ts';
import { openApi } from '../../../src/mgmt/restconf/openapi.ts';
import { tagged, taggedInSlices } from '../../../src/mgmt/restconf/text-reply.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('restconf: texts with a tag');

/** Of the description, in characters: what others wait for is one of these. */
const LONGEST_PIECE = 16_384;
const FEWEST_PIECES = 500;

test('the OpenAPI description is made a little at a time, and others have their turn between two pieces', async () => {
  let [turns, isDone] = [0, false];
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const made: number[] = [];
  function* watched(): Generator<string> {
    for (const piece of openApi(schema)) {
      made.push(turns);
      yield piece;
    }
  }
  const { pieces } = await taggedInSlices(watched(), 0);
  isDone = true;
  assert.ok(pieces.length > FEWEST_PIECES, `${pieces.length} pieces`);
  assert.ok(pieces.every(({ length }) => length <= LONGEST_PIECE));
  assert.ok(
    made.every((now, at) => at === 0 || now > (made[at - 1] ?? 0)),
    'two pieces are made in one turn',
  );
});

test('it is one JSON text in which no member comes twice', () => {
  const text = [...openApi(schema)].join('');
  assert.not.throws(() => parseJson(text));
});

test('a text has one tag, in however many pieces it is made', async () => {
  const { etag } = tagged('one two');
  assert.match(etag, /^"[\w-]{22}"$/);
  assert.equal(await taggedInSlices(['one', ' two']), { pieces: ['one', ' two'], etag });
});

test.run();

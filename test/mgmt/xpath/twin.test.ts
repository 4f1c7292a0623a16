// needs: addon
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numberText } from '../../../src/mgmt/xpath/conversions.ts';
import { random, seed } from '../../helpers/random.ts';
import { randomDocument, randomExpression } from '../../helpers/random-xpath.ts';
import type { TwinResult } from '../../helpers/xpath.ts';
import { libxml2, markedXml, result, sourceOf } from '../../helpers/xpath.ts';

/** Random expressions over random small documents: our evaluation, rows streamed, against libxml2 over the whole. */
const test = suite('xpath twin');
const DOCUMENTS = 60;
const EXPRESSIONS = 100;

test(`${DOCUMENTS * EXPRESSIONS} random expressions give what libxml2 finds (seed ${seed})`, () => {
  const next = random();
  const trees = Array.from({ length: DOCUMENTS }, () => randomDocument(next));
  const documents = trees.map((root) => ({
    xml: root
      .children()
      .map((top) => markedXml(top))
      .join(''),
    expressions: Array.from({ length: EXPRESSIONS }, () => randomExpression(next)),
  }));
  const found = libxml2(documents);
  let selecting = 0;
  for (const [at, root] of trees.entries()) {
    for (const [index, text] of (documents[at]?.expressions ?? []).entries()) {
      const theirs: TwinResult = found[at]?.[index] ?? { error: 'no result' };
      const ours = ourResult(sourceOf(root), text);
      assert.equal(ours, theirs, `${text}\n${documents[at]?.xml}`);
      if ('nodes' in theirs && theirs.nodes.length > 0) selecting++;
    }
  }
  assert.ok(selecting > (DOCUMENTS * EXPRESSIONS) / 10, `only ${selecting} expressions select anything`);
});

function ourResult(source: ReturnType<typeof sourceOf>, text: string): TwinResult {
  const value = result(source, text);
  if (Array.isArray(value)) return { nodes: value };
  return { value: typeof value === 'number' ? numberText(value) : String(value) };
}

test.run();

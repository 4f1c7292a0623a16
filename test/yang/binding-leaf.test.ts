// needs: addon
/**
 * The row codec and libyang agree on every leaf of a binding: on what is taken, and on its canonical text. Random texts,
 * good ones and good ones with a fault. What only one of them refuses would be a hole in the bulk path.
 */

import { YangContext } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { valueCheck } from '../../src/mgmt/validation.ts';
import { YANG_SEARCH_DIRS, yangModules } from '../../src/mgmt/yang-modules.ts';
import { checkBindingLeaf } from '../../src/state/binding.generated.ts';
import type { SchemaNode } from '../../src/state/schema.ts';
import { Schema } from '../../src/state/schema.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('binding-leaf');

const ROUNDS = 20_000;
const next = random();
const below = (limit: number): number => next() % limit;
const pick = <Item>(items: readonly [Item, ...Item[]]): Item => items[below(items.length)] ?? items[0];

function ipv4Text(): string {
  return Array.from({ length: 4 }, () => pick([below(256), below(256), below(300), 0, 255])).join('.');
}

function ipv6Text(): string {
  const groups = Array.from({ length: pick([8, 8, 8, 7, 6, 9]) }, () =>
    pick(['0', '0', '0', 'ffff', '00ab', below(65_536).toString(16), below(65_536).toString(16).toUpperCase()]),
  );
  if (below(3) === 0) groups.splice(-2, 2, ipv4Text());
  if (below(2) === 0) return groups.join(':');
  const at = below(groups.length + 1);
  return `${groups.slice(0, at).join(':')}::${groups.slice(at + below(4)).join(':')}`;
}

const CHARACTERS = ['a', 'Z', '0', ' ', '\t', '\n', '\r', '<', '&', '"', 'ä', '€', '\u{1f600}', '\u0085'] as const;
const REFUSED = ['\u0001', '\u001f', '\u{ffff}', '\u{fdd0}'] as const;

function stringText(): string {
  const length = pick([0, 1, below(20), 254, 255, 256]);
  const text = Array.from({ length }, () => pick(CHARACTERS)).join('');
  return below(5) === 0 ? text + pick(REFUSED) : text;
}

/** Now and then one character more, less or other. */
function spoilt(text: string): string {
  if (below(3) !== 0) return text;
  const at = below(text.length + 1);
  const insert = pick(['', ' ', '0', '1', ':', '.', '/', 'g', '%', '-', '+', 'e', '\n', '٣']);
  return text.slice(0, at) + insert + text.slice(at + below(2));
}

const TEXTS: Readonly<Record<string, () => string>> = {
  'ipv4-prefix': () => spoilt(`${ipv4Text()}/${below(36)}`),
  'gateway-ipv6-address': () => spoilt(ipv6Text()),
  'aftr-ipv6-address': () => spoilt(ipv6Text()),
  description: stringText,
  origin: () => spoilt(pick(['static', 'learned'])),
};

function withContext(body: (context: YangContext) => void): void {
  const context = new YangContext({ searchDirs: YANG_SEARCH_DIRS, modules: yangModules({ startup: false }) });
  try {
    body(context);
  } finally {
    context.close();
  }
}

for (const [name, textOf] of Object.entries(TEXTS)) {
  test(`${name}: ${ROUNDS} random texts, seed ${seed}`, () => {
    withContext((context) => {
      const { nodes } = context.schema();
      const list = nodes.find((node) => node.name === 'binding' && node.module === 'gi-4over6');
      const leaf = nodes.find((node) => node.name === name && node.parent === list?.id);
      assert.ok(leaf);
      let taken = 0;
      for (let i = 0; i < ROUNDS; i++) {
        const text = textOf();
        const ours = checkBindingLeaf(name, text);
        const theirs = context.checkValue(leaf?.id ?? -1, text);
        const canonical = 'value' in ours ? ours.value : undefined;
        assert.is(canonical, 'value' in theirs ? theirs.value : undefined, JSON.stringify(text));
        if (canonical !== undefined) taken++;
      }
      assert.ok(taken > ROUNDS / 20 && taken < ROUNDS, `${taken} of ${ROUNDS} were taken: the texts say little`);
    });
  });
}

test(`every leaf that is an ipv4-prefix is checked as libyang does, seed ${seed}`, () => {
  withContext((context) => {
    const schema = new Schema(context.schema());
    const check = valueCheck(context);
    const leaves = prefixLeaves(schema.root);
    assert.ok(leaves.length > 5, `${leaves.length} leaves`);
    const textOf = TEXTS['ipv4-prefix'] ?? String;
    for (const leaf of leaves) {
      for (let i = 0; i < ROUNDS / leaves.length; i++) {
        const text = textOf();
        const [ours, theirs] = [check(leaf, text), context.checkValue(leaf.id, text)];
        if ('value' in theirs) assert.equal(ours, { value: theirs.value, type: theirs.type }, `${leaf.path} ${text}`);
        else assert.ok('message' in ours, `${leaf.path} ${text}`);
      }
    }
  });
});

function prefixLeaves(node: SchemaNode): SchemaNode[] {
  const own = node.isLeaf && node.dump.typedef === 'ipv4-prefix' ? [node] : [];
  return [...own, ...node.children.flatMap(prefixLeaves)];
}

test.run();

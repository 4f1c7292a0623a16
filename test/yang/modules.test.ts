// needs: addon
/** Our modules under libyang's own tool: no complaint, the tree as committed, the whole set with its features. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { YangContext } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { YANG_SEARCH_DIRS, yangModules } from '../../src/mgmt/yang-modules.ts';
import { moduleWords, yanglint } from './yanglint.ts';

const test = suite('modules');

const OURS = readdirSync('yang').map((file) => join('yang', file));
const MODEL = readFileSync('yang/gi-4over6.yang', 'utf8');
const FEATURES = [...MODEL.matchAll(/^ {2}feature (\S+) \{/gm)].map(([, name = '']) => name);

for (const file of OURS) {
  for (const features of ['on', 'off']) {
    test(`${file}: no complaint with every feature ${features}`, () => {
      const words = features === 'on' ? [] : ['-F', `${basename(file).replace(/[@.].*/, '')}:`];
      const { accepted, complaints } = yanglint(...words, file);
      assert.is(complaints, '');
      assert.ok(accepted);
    });
  }
}

test('the tree of gi-4over6 is as committed; after a change: yanglint -f tree ... > test/yang/gi-4over6.tree', () => {
  assert.fixture(
    yanglint('-f', 'tree', 'yang/gi-4over6.yang').output,
    readFileSync('test/yang/gi-4over6.tree', 'utf8'),
  );
});

for (const startup of [false, true]) {
  test(`the whole set loads with exactly its features, startup ${startup ? 'on' : 'off'}`, () => {
    const { accepted, complaints } = yanglint(...moduleWords(undefined, startup));
    assert.is(complaints, '');
    assert.ok(accepted);
    const modules = yangModules({ startup });
    const context = new YangContext({ searchDirs: YANG_SEARCH_DIRS, modules });
    try {
      for (const { name, revision, features } of modules) {
        const loaded = context.schema().modules.find((module) => module.name === name);
        assert.ok(loaded?.implemented, name);
        assert.equal([...(loaded?.features ?? [])].sort(), [...features].sort(), name);
        if (revision !== undefined) assert.is(loaded?.revision, revision, name);
      }
    } finally {
      context.close();
    }
  });
}

test('features and defined features are the same: none is unused, none unknown', () => {
  const used = [...MODEL.matchAll(/if-feature "([^"]+)"/g)].flatMap(([, text = '']) => text.split(' or '));
  assert.equal([...new Set(used)].sort(), [...FEATURES].sort());
});

test('the model has no XPath over entries', () => {
  for (const statement of ['must', 'when', 'unique', 'path']) {
    assert.not.match(MODEL, new RegExp(`^\\s+${statement} ["']`, 'm'));
  }
});

test('every counter has units and counts from a discontinuity-time', () => {
  const counters = [...MODEL.matchAll(/leaf (\S+) \{\s+type yang:zero-based-counter64;\s+(\w+)/g)];
  assert.ok(counters.length > 10);
  for (const [, name = '', next] of counters) assert.is(next, 'units', name);
  const tree = yanglint('-f', 'tree', 'yang/gi-4over6.yang').output.split('\n');
  const depth = (line: string): number => line.search(/[+]--/);
  for (const [index, line] of tree.entries()) {
    if (!line.includes('yang:zero-based-counter64')) continue;
    let at = index;
    while (at > 0 && !/--ro statistics/.test(tree[at] ?? '')) at--;
    const inside = tree.slice(at + 1, index).filter((other) => depth(other) === depth(tree[at] ?? '') + 3);
    assert.ok(
      inside.some((other) => other.includes('discontinuity-time')),
      line,
    );
  }
});

test.run();

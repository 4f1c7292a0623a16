/**
 * Routes of a source are made as they are read: a reader of very many leaves the turn to others after each piece, and a page is made of
 * its own entries alone.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EntryLists } from '../../../src/mgmt/entry-list.ts';
import type { ReadOptions } from '../../../src/mgmt/read-options.ts';
import { openReading } from '../../../src/mgmt/reading.ts';
import { writeJson } from '../../../src/mgmt/restconf/json-writer.ts';
import { routeLists } from '../../../src/mgmt/routes/source-data.ts';
import { findRowPage } from '../../../src/mgmt/row-page.ts';
import { writeXml } from '../../../src/mgmt/xml-data.ts';
import type { DataNode } from '../../../src/state/data.ts';
import type { Datastores } from '../../../src/state/datastores.ts';
import type { Refused } from '../../../src/state/learned/known-routes.ts';
import { KnownRoutes } from '../../../src/state/learned/known-routes.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import { request, softwire, withDatastores } from '../../helpers/state.ts';

const test = suite('route lists');
const MANY = 20_000;
/** What goes out in one step: about 64 KiB. */
const MOST_AT_ONCE = 2_000;

interface Counted {
  readonly source: DataNode;
  readonly lists: EntryLists;
  /** How many entries were made. */
  made: number;
}

/** A source that has so many routes of each kind. */
function counted(many: number): Counted {
  const { tree } = request(softwire({ name: 'a', 'route-source': [{ name: 'g' }] }));
  const source = tree.child('softwire')?.entries('aftr')[0]?.entries('route-source')[0] as DataNode;
  const routes = new KnownRoutes();
  const refused: Refused = { reason: 'not-allowed', time: new Date(0) };
  for (let at = 0; at < many; at++) {
    routes.set(prefixNumber(at * 256, 24), undefined);
    routes.set(prefixNumber(at * 256, 32), refused);
  }
  const sources = {
    report: () => ({ state: 'stale', expires: new Date(0), lastHeard: undefined, problem: '', refusals: 0 }) as const,
    kept: (_: string, kind: 'bound' | 'refused') => routes.kept(kind),
    refusal: (_: string, number: number) => routes.get(number),
  };
  const counting: Counted = { source, lists: new Map(), made: 0 };
  const lists = routeLists(sources, source).map((list) => {
    const entry = (number: number) => {
      counting.made++;
      return list.entry(number);
    };
    const printed = (number: number) => {
      counting.made++;
      return list.printed(number);
    };
    return { ...list, entry, printed };
  });
  return Object.assign(counting, { lists: new Map([[source, lists]]) });
}

const EVERYTHING: ReadOptions = { content: 'all', withDefaults: 'explicit', readsAll: true, mayRead: () => true };

function readingOf(datastores: Datastores, { source, lists }: Counted, options: Partial<ReadOptions> = {}) {
  let root = source;
  while (root.parent) root = root.parent;
  return openReading(root, datastores.view('running'), { ...EVERYTHING, lists, ...options });
}

for (const [who, options] of [
  ['who may read everything', {}],
  ['who is asked about each node', { readsAll: false }],
  ['where two leaves are hidden', { readsAll: false, mayRead: ({ schema }: DataNode) => schema.name !== 'time' }],
] as const) {
  test(`${2 * MANY} routes go out in pieces: ${who}`, () =>
    withDatastores(async (datastores) => {
      const sources = counted(MANY);
      for (const write of [writeJson, writeXml]) {
        const reading = readingOf(datastores, sources, options);
        let count = 0;
        let most = 0;
        sources.made = 0;
        for (const piece of write(reading.root.children(), (node) => reading.rows(node))) {
          assert.type(piece, 'string');
          count += String(piece).match(/ipv4-prefix[">]+:?"?\d/g)?.length ?? 0;
          most = Math.max(most, sources.made);
          sources.made = 0;
        }
        reading.close();
        assert.is(count, 2 * MANY);
        assert.ok(most < MOST_AT_ONCE, `${most} entries at once`);
      }
    }));
}

test('what is printed is what the nodes are', () =>
  withDatastores(async (datastores) => {
    const sources = counted(3);
    const texts = [{}, { readsAll: false }].map((options) => {
      const reading = readingOf(datastores, sources, options);
      const text = [writeJson, writeXml].map((write) =>
        [...write(reading.root.children(), (node) => reading.rows(node))].join(''),
      );
      reading.close();
      return text;
    });
    assert.equal(texts[0], texts[1]);
    assert.match(
      texts[0]?.[0] ?? '',
      '"refused-route":[{"ipv4-prefix":"0.0.0.0/32","reason":"not-allowed","time":"1970-01-01T00:00:00.000Z"}',
    );
  }));

for (const [place, offset] of [
  ['at the beginning', 0],
  ['in the middle', MANY / 2],
  ['at the end', MANY - 10],
] as const) {
  test(`a page ${place} is found without an entry`, async () => {
    const sources = counted(MANY);
    const [list] = sources.lists.get(sources.source) ?? [];
    if (!list) throw new Error('no list');
    const { schema, rows } = list;
    const table = { view: rows, instance: '', table: sources.source, entryOf: list.entry, isVersioned: true };
    const page = { list: schema, isBackwards: false, offset, limit: 10 };
    const rights = { rows: 'whole', mayRead: () => true } as const;
    const found = await findRowPage({ ...table, rights }, page);
    assert.equal(
      found.rows.map(({ number }) => number),
      Array.from({ length: 10 }, (_, at) => prefixNumber((offset + at) * 256, 24)),
    );
    assert.is(found.marks.remaining, MANY - offset - 10 || undefined);
    assert.is(sources.made, 0);
  });
}

test.run();

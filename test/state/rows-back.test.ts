import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatNumber } from '../../src/state/rows.ts';
import type { View } from '../../src/state/view.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

/** Rows in falling order are those in rising order from the other end, of whatever they are read. */
const test = suite('rows back');

const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  softwire({ name: 'a', 'binding-table': { binding: entries } });

const told = ({ number, value }: { number: number; value: Uint8Array }) =>
  `${formatNumber(number)} ${Buffer.from(value).toString('hex')}`;

function compare(view: View, from: number): void {
  const rising = [...view.sealedRows('a')];
  const back = (start?: number) => [...view.sealedRowsBack('a', start)].map(told);
  assert.equal(back(), rising.map(told).reverse());
  const upTo = rising.filter(({ number }) => number <= from);
  assert.equal(back(from), upTo.map(told).reverse(), `from ${formatNumber(from)}`);
}

test(`running, a version, the candidate and startup, seed ${seed}`, () =>
  withDatastores(
    async (datastores) => {
      const next = random();
      const below = (limit: number) => next() % limit;
      await datastores.edit(OPERATOR, request(aftr()));
      for (let round = 0; round < 60; round++) {
        const target = below(2) === 0 ? 'candidate' : 'running';
        const prefix = `192.0.2.${below(20) * 8}/${[29, 30, 32][below(3)]}`;
        const entry =
          below(4) === 0
            ? { 'ipv4-prefix': prefix, '@operation': 'remove' }
            : binding(prefix, `2001:db8::${below(5) + 1}`);
        await datastores.edit(OPERATOR, request(table(entry), { target }));
        if (round === 20) await datastores.copy(OPERATOR, 'running', 'startup');
        const views = [
          ...(['running', 'candidate', 'startup'] as const).map((name) => datastores.view(name)),
          datastores.viewVersion(2 + below(datastores.head().version - 1)),
        ];
        for (const view of views) {
          compare(view, (0xc0000200 + below(200)) * 64 + below(33));
          view.close();
        }
      }
    },
    { startup: true },
  ));

test('a table that is not there, or is cleared in the candidate, has none', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8::1'))));
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'binding-table': { '@operation': 'remove' } }), { target: 'candidate' }),
    );
    const view = datastores.view('candidate');
    assert.equal([...view.sealedRowsBack('a')], []);
    assert.equal([...view.sealedRowsBack('none')], []);
    view.close();
  }));

test('a reader who is slow goes on from another snapshot, between which rows come and go', () =>
  withDatastores(
    async (datastores) => {
      const all = Array.from({ length: 20 }, (_, i) => binding(`192.0.2.${i}/32`, '2001:db8::1'));
      await datastores.edit(OPERATOR, request(aftr(...all)));
      const view = datastores.view('running');
      const expected = [...view.sealedRows('a')].map(told).reverse();
      const found: string[] = [];
      for (const row of view.sealedRowsBack('a')) {
        found.push(told(row));
        if (found.length % 5 !== 0) continue;
        const entry = { 'ipv4-prefix': `192.0.2.${found.length / 5}/32`, '@operation': 'delete' };
        await datastores.edit(
          OPERATOR,
          request(table(entry, binding(`192.0.2.${100 + found.length}/32`, '2001:db8::2'))),
        );
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      assert.equal(found, expected);
      view.close();
    },
    { holdMs: 10 },
  ));

test.run();

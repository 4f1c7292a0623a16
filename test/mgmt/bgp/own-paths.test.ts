/** What gateways announce as paths of GoBGP: each for itself, and one more for a prefix of several. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PathChanges, pathsTo } from '../../../src/mgmt/bgp/own-paths.ts';
import type { OwnPath } from '../../../src/mgmt/bgp/paths.ts';

const test = suite('own-paths');

type Shape = Readonly<Record<number, readonly number[]>>;

/** The paths to a prefix; gateways are given by mark with their routes, their next hop is `h` and the mark. */
function paths(number: number, shape: Shape, hasPolicy = true) {
  const gateways = Object.entries(shape).map(([mark, routes]) => {
    return { mark: Number(mark), nextHop: `h${mark}`, routes: new Set(routes) };
  });
  return pathsTo(number, gateways, hasPolicy);
}

const text = ({ number, pathId, nextHop, communities }: OwnPath) =>
  [`${number}/${pathId}`, nextHop, communities.join('+')].filter((word) => word !== '').join(' ');
const numbersOf = (...shapes: readonly Shape[]) => new Set(shapes.flatMap((shape) => Object.values(shape).flat()));
const texts = (shape: Shape, hasPolicy = true) =>
  [...numbersOf(shape)].flatMap((number) => paths(number, shape, hasPolicy).map(text)).sort();
const changes = (before: Shape, after: Shape) => {
  const all = new PathChanges();
  for (const number of numbersOf(before, after)) all.add(paths(number, before), paths(number, after));
  return [...all].map(([path, isWithdrawn]) => `${isWithdrawn ? '-' : '+'}${text(path)}`);
};

test('a prefix of one gateway has one path', () => {
  assert.equal(texts({ 1: [64, 128], 2: [192] }), ['128/1 h1', '192/2 h2', '64/1 h1']);
});

test('a prefix of several has one of each, and one that says of whom, as long as there is a policy that rewrites it', () => {
  const shape = { 1: [64], 2: [64], 5: [64] };
  assert.equal(texts(shape), ['64/0 100:: 1+2+5', '64/1 h1', '64/2 h2', '64/5 h5']);
  assert.equal(texts(shape, false), ['64/1 h1', '64/2 h2', '64/5 h5']);
});

const cases: readonly (readonly [string, Shape, Shape, readonly string[]])[] = [
  ['nothing new', { 1: [64], 2: [64] }, { 1: [64], 2: [64] }, []],
  ['a second gateway: that of both comes first', { 1: [64] }, { 1: [64], 2: [64] }, ['+64/0 100:: 1+2', '+64/2 h2']],
  ['back to one: that of both goes last', { 1: [64], 2: [64] }, { 2: [64] }, ['-64/1 h1', '-64/0 100:: 1+2']],
  ['from one to another: no moment without', { 1: [64] }, { 2: [64] }, ['+64/2 h2', '-64/1 h1']],
  [
    'of several prefixes: what is better comes before all others and goes after them',
    { 1: [64, 128], 2: [64] },
    { 1: [64, 128], 2: [128] },
    ['+128/0 100:: 1+2', '+128/2 h2', '-64/2 h2', '-64/0 100:: 1+2'],
  ],
  ['others than before', { 1: [64], 2: [64] }, { 2: [64], 3: [64] }, ['+64/0 100:: 2+3', '+64/3 h3', '-64/1 h1']],
];
for (const [what, before, after, expected] of cases) {
  test(`changes: ${what}`, () => assert.equal(changes(before, after), expected));
}

test.run();

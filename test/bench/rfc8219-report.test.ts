import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FRAME_SIZES, flows, frameLength, tagOffset } from '../../tools/bench/rfc8219/frames.ts';
import type { Cell } from '../../tools/bench/rfc8219/measure.ts';
import { DIRECTION_NAMES } from '../../tools/bench/rfc8219/measure.ts';
import { picture } from '../../tools/bench/rfc8219/picture.ts';
import { degradationOf, resultsOf, shareOf, tableOf } from '../../tools/bench/rfc8219/report.ts';

const test = suite('rfc8219 frames and report');

test('the sizes are the thirteen of RFC 8219 §5.1.1', () => {
  assert.equal(FRAME_SIZES, [64, 128, 256, 512, 768, 1024, 1280, 1518, 1522, 2048, 4096, 8192, 9216]);
});

test('a frame of 64 octets with FCS holds 46 of IPv4, and the tag just fits; in the tunnel it is 40 longer', () => {
  assert.is(frameLength(64, 'plain'), 14 + 46);
  assert.is(tagOffset('plain') + 18, frameLength(64, 'plain'));
  assert.is(frameLength(64, 'tunnel'), 14 + 40 + 46);
  assert.is(tagOffset('tunnel') + 18, frameLength(64, 'tunnel'));
});

/** A header of flow 1 of 64 octets, the second of two gateways. */
function header(direction: 'upstream' | 'downstream', form: 'plain' | 'tunnel'): string {
  const all = flows(direction, form, 64, 2);
  const length = all.readUInt32LE(4);
  assert.is(all.readUInt32LE(0), 1_000);
  assert.is(length, tagOffset(form));
  assert.is(all.length, 8 + 1_000 * length);
  return all.subarray(8 + length, 8 + 2 * length).toString('hex');
}

const IPV4_UP = '4500002e00004000' + '4011' + 'ad96' + 'c6120101' + 'c6130002' + 'c000c001001a0000';
const IPV4_DOWN = '4500002e00004000' + '4011' + 'ad96' + 'c6130002' + 'c6120101' + 'c000c001001a0000';
const GATEWAY = '200100020000000a0000000000000002';
const AFTR = '200100020000000b0000000000000001';
const MACS = '020000821901' + '020000821902';

for (const [direction, form, expected] of [
  ['upstream', 'plain', `${MACS}0800${IPV4_UP}`],
  ['downstream', 'plain', `${MACS}0800${IPV4_DOWN}`],
  ['upstream', 'tunnel', `${MACS}86dd60000000002e0440${GATEWAY}${AFTR}${IPV4_UP}`],
  ['downstream', 'tunnel', `${MACS}86dd60000000002e0440${AFTR}${GATEWAY}${IPV4_DOWN}`],
] as const) {
  test(`headers ${direction}, ${form}`, () => assert.is(header(direction, form), expected));
}

function cell(more: Partial<Cell>): Cell {
  return {
    device: 'aftr',
    gateways: 1,
    direction: 'upstream',
    size: 64,
    framesPerSecond: 1_000_000,
    limitedBy: 'device',
    trials: 9,
    tagged: 1_000,
    typicalUs: 12,
    worstCaseUs: 340,
    variationUs: 330,
    lostInLatency: 0,
    ...more,
  };
}

const CELLS = [
  cell({}),
  cell({ device: 'c-loop', framesPerSecond: 800_000 }),
  cell({ device: 'kernel', framesPerSecond: 4_000_000, limitedBy: 'tester' }),
  cell({ gateways: 100, framesPerSecond: 900_000 }),
  cell({ size: 128, framesPerSecond: 0, typicalUs: Number.NaN, worstCaseUs: Number.NaN, variationUs: Number.NaN }),
];
const [one, loop, , many, nothing] = CELLS as [Cell, Cell, Cell, Cell, Cell];

test('shares are of the same frames through a baseline, where there is one', () => {
  assert.is(shareOf(CELLS, one, 'c-loop'), 1.25);
  assert.is(shareOf(CELLS, one, 'kernel'), 0.25);
  assert.is(shareOf(CELLS, loop, 'c-loop'), undefined);
  assert.is(shareOf(CELLS, nothing, 'kernel'), undefined);
});

test('degradation is what one gateway loses to many, in percent (RFC 8219 §10)', () => {
  assert.is(degradationOf(CELLS, many), 10);
  assert.is(degradationOf(CELLS, one), undefined);
});

test('results have the form of all benches, and nothing that was not measured', () => {
  const results = resultsOf(CELLS);
  assert.equal(results[0], {
    id: 'rfc8219.aftr.gateways-1.upstream.64.throughput',
    value: 1_000_000,
    unit: 'frames/s',
    target: null,
    met: null,
  });
  const nothingIds = results.map(({ id }) => id).filter((id) => id.includes('.128.'));
  assert.equal(
    nothingIds.map((id) => id.split('.').at(-1)),
    ['throughput', 'limited-by-tester', 'lost-in-latency'],
  );
  assert.ok(results.every(({ value }) => Number.isFinite(value)));
  assert.is(new Set(results.map(({ id }) => id)).size, results.length);
});

test('the table: a line for each cell, bits of the IPv4 side, a mark where the tester was the limit', () => {
  const lines = tableOf(CELLS).trimEnd().split('\n');
  assert.is(lines.length, 1 + CELLS.length);
  assert.match(lines[1] ?? '', /^aftr +1 +upstream +64 +1000000 +512 +12 +340 +330 +1\.25 +0\.25$/);
  assert.match(lines[3] ?? '', / >4000000 /);
  assert.match(lines[4] ?? '', / 10$/);
  assert.match(lines[5] ?? '', / 0 +0 +- +- +-$/);
});

test('the picture holds a line of throughput and two of latency for each direction, within its frame', () => {
  const cells = DIRECTION_NAMES.flatMap((direction) =>
    FRAME_SIZES.map((size, i) => cell({ direction, size, framesPerSecond: 1e5 + 1e4 * i, worstCaseUs: 10 ** (i % 5) })),
  );
  const svg = picture([...cells, loop]);
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points = '']) => points.split(' '));
  assert.is(lines.length, 9);
  for (const points of lines) {
    assert.is(points.length, FRAME_SIZES.length);
    for (const point of points) {
      const [x = Number.NaN, y = Number.NaN] = point.split(',').map(Number);
      assert.ok(x > 80 && x < 876 && y >= 70 && y <= 700, point);
    }
  }
  assert.is(
    svg.match(/<(?:svg|title|text|rect|line|path|polyline)\b/g)?.length,
    svg.match(/<\/(?:svg|title|text)>|\/>/g)?.length,
  );
});

test('the picture of nothing is still a picture', () => assert.match(picture([]), /^<svg .*<\/svg>\n$/s));

test.run();

/** The picture of a sweep: throughput over frame size above, latency at that throughput below; a line for each direction. */

import type { Cell, DirectionName } from './measure.ts';
import { DIRECTION_NAMES } from './measure.ts';

const TITLE = 'gi4over6 as AFTR after RFC 8219: one core, one gateway, 1,000 bindings';
const [WIDTH, HEIGHT] = [900, 760];
const [LEFT, RIGHT] = [80, 24];
const PANELS = { throughput: { top: 86, height: 254 }, latency: { top: 430, height: 270 } } as const;
const COLOURS: Readonly<Record<DirectionName, string>> = {
  upstream: '#0b6e99',
  downstream: '#c2410c',
  both: '#4d7c0f',
};
const BASELINES: Readonly<Record<string, string>> = { 'c-loop': 'C loop on a TUN', kernel: 'kernel forwarding' };

interface Panel {
  readonly top: number;
  readonly height: number;
}

/** An SVG that needs nothing else. The cells of the AFTR with one gateway are lines, the baselines marks. */
export function picture(cells: readonly Cell[]): string {
  const edge = cells.filter(({ device, gateways }) => device === 'aftr' && gateways === 1);
  const others = cells.filter(({ device }) => device in BASELINES);
  const sizes = [...new Set(edge.map(({ size }) => size))].sort((a, b) => a - b);
  const x = (size: number) =>
    round(LEFT + ((sizes.indexOf(size) + 0.5) * (WIDTH - LEFT - RIGHT)) / Math.max(1, sizes.length));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${TITLE}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 24, TITLE, 'font-size="15"'),
    ...legend(),
    ...throughputPanel(edge, others, sizes, x),
    ...latencyPanel(edge, sizes, x),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function throughputPanel(edge: readonly Cell[], others: readonly Cell[], sizes: readonly number[], x: X): string[] {
  const panel = PANELS.throughput;
  const most = niceCeiling(Math.max(1, ...[...edge, ...others].map(({ framesPerSecond }) => framesPerSecond / 1_000)));
  const y = (cell: Cell) => round(panel.top + panel.height * (1 - cell.framesPerSecond / 1_000 / most));
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (part) => [round(panel.top + panel.height * (1 - part)), most * part] as const,
  );
  return [
    ...frame(panel, 'zero-loss throughput, thousand frames a second', ticks, sizes, x),
    ...others.map((cell) => mark(cell, x(cell.size), y(cell))),
    ...DIRECTION_NAMES.map((name) => line(ofDirection(edge, name), name, (cell) => [x(cell.size), y(cell)])),
  ];
}

function latencyPanel(edge: readonly Cell[], sizes: readonly number[], x: X): string[] {
  const panel = PANELS.latency;
  const measured = edge.filter(({ typicalUs }) => Number.isFinite(typicalUs));
  const all = measured.flatMap(({ typicalUs, worstCaseUs }) => [typicalUs, worstCaseUs]).map((us) => Math.max(us, 1));
  const low = Math.floor(Math.log10(Math.min(10, ...all)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(10, ...all))));
  const y = (us: number) => round(panel.top + panel.height * (1 - (Math.log10(Math.max(us, 1)) - low) / (high - low)));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const ticks = decades.map((us) => [y(us), us] as const);
  const lines = DIRECTION_NAMES.flatMap((name) => {
    const cells = ofDirection(measured, name);
    return [
      line(cells, name, ({ size, typicalUs }) => [x(size), y(typicalUs)]),
      line(cells, name, ({ size, worstCaseUs }) => [x(size), y(worstCaseUs)], 'stroke-dasharray="5 4"'),
    ];
  });
  return [
    ...frame(panel, 'latency at that throughput, µs: median (solid), 99.9th percentile (dashed)', ticks, sizes, x),
    ...lines,
  ];
}

type X = (size: number) => number;

/** Axes and titles; a tick is its height and its number. */
function frame(
  { top, height }: Panel,
  title: string,
  ticks: readonly (readonly [y: number, value: number])[],
  sizes: readonly number[],
  x: X,
): string[] {
  return [
    text(LEFT, top - 10, title),
    ...ticks.flatMap(([y, value]) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
      text(LEFT - 8, y + 4, value.toLocaleString('en'), 'text-anchor="end"'),
    ]),
    ...sizes.map((size) => text(x(size), top + height + 18, `${size}`, 'text-anchor="middle"')),
    text(
      (LEFT + WIDTH - RIGHT) / 2,
      top + height + 36,
      'frame on the IPv4 side, octets with FCS',
      'text-anchor="middle"',
    ),
  ];
}

function legend(): string[] {
  const names = [
    ...DIRECTION_NAMES.map((name) => [name, COLOURS[name]] as const),
    ...Object.values(BASELINES).map((name) => [name, '#777'] as const),
  ];
  return names.flatMap(([name, colour], i) => {
    const at = LEFT + i * 150;
    const sign =
      i < DIRECTION_NAMES.length
        ? `<line x1="${at}" x2="${at + 22}" y1="42" y2="42" stroke="${colour}" stroke-width="2"/>`
        : shape(i === DIRECTION_NAMES.length ? 'c-loop' : 'kernel', at + 11, 42, colour);
    return [sign, text(at + 28, 46, name)];
  });
}

function mark({ device, direction }: Cell, x: number, y: number): string {
  return shape(device, x, y, COLOURS[direction]);
}

function shape(device: string, x: number, y: number, colour: string): string {
  if (device === 'kernel') return `<path d="M${x} ${round(y - 5)}l5 9h-10z" fill="none" stroke="${colour}"/>`;
  return `<rect x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8" fill="none" stroke="${colour}"/>`;
}

function line(
  cells: readonly Cell[],
  name: DirectionName,
  at: (cell: Cell) => readonly [x: number, y: number],
  more = '',
): string {
  const points = cells.map((cell) => at(cell).join(',')).join(' ');
  return `<polyline points="${points}" fill="none" stroke="${COLOURS[name]}" stroke-width="2" ${more}/>`;
}

function ofDirection(cells: readonly Cell[], name: DirectionName): Cell[] {
  return cells.filter(({ direction }) => direction === name).sort((a, b) => a.size - b.size);
}

function text(x: number, y: number, words: string, more = ''): string {
  return `<text x="${x}" y="${y}" fill="#222" ${more}>${words}</text>`;
}

/** The least of 1, 2, 4, 8 times a power of ten that is not below. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((factor) => factor * power).find((number) => number >= value) ?? value;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

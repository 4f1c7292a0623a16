/** The cells of a sweep as one table for people and as results for the file. */

import type { BenchResult } from '../results.ts';
import { result } from '../results.ts';
import { frameLength } from './frames.ts';
import type { Cell } from './measure.ts';

const BASELINES = ['c-loop', 'kernel'] as const;

/** The same cell of another device; undefined where it was not measured, or found nothing. */
function cellOf(cells: readonly Cell[], cell: Cell, device: string, gateways: number): Cell | undefined {
  return cells.find(
    (other) =>
      other.device === device &&
      other.gateways === gateways &&
      other.direction === cell.direction &&
      other.size === cell.size &&
      other.framesPerSecond > 0,
  );
}

/** Throughput as a part of that of a baseline with the same frames; undefined where there is none. */
export function shareOf(cells: readonly Cell[], cell: Cell, baseline: (typeof BASELINES)[number]): number | undefined {
  const other = cell.device === baseline ? undefined : cellOf(cells, cell, baseline, 1);
  return other && cell.framesPerSecond / other.framesPerSecond;
}

/** Part of the throughput, in percent, that is lost with more gateways (RFC 8219 §10); undefined for one gateway. */
export function degradationOf(cells: readonly Cell[], cell: Cell): number | undefined {
  const one = cell.gateways === 1 ? undefined : cellOf(cells, cell, cell.device, 1);
  return one && (100 * (one.framesPerSecond - cell.framesPerSecond)) / one.framesPerSecond;
}

export function resultsOf(cells: readonly Cell[]): BenchResult[] {
  const results: BenchResult[] = [];
  for (const cell of cells) {
    const name = `rfc8219.${cell.device}.gateways-${cell.gateways}.${cell.direction}.${cell.size}`;
    const add = (id: string, value: number | undefined, unit: string) => {
      if (value === undefined || !Number.isFinite(value)) return;
      results.push(result(`${name}.${id}`, Number(value.toPrecision(4)), unit));
    };
    add('throughput', cell.framesPerSecond, 'frames/s');
    add('limited-by-tester', cell.limitedBy === 'tester' ? 1 : 0, 'boolean');
    add('latency-typical', cell.typicalUs, 'µs');
    add('latency-worst-case', cell.worstCaseUs, 'µs');
    add('delay-variation', cell.variationUs, 'µs');
    add('lost-in-latency', cell.lostInLatency, 'frames');
    for (const baseline of BASELINES) add(`of-${baseline}`, shareOf(cells, cell, baseline), 'times');
    add('degradation', degradationOf(cells, cell), '%');
  }
  return results;
}

const COLUMNS = [
  'device',
  'gateways',
  'direction',
  'frame',
  'frames/s',
  'Mbit/s',
  'typical µs',
  'worst µs',
  'PDV µs',
  'of C loop',
  'of kernel',
  'lost %',
] as const;
const TEXT_COLUMNS = 3;

/** One line a cell; Mbit/s count the IPv4 side's frames with FCS, `>` a rate that the tester, not the device, has limited. */
export function tableOf(cells: readonly Cell[]): string {
  const rows = cells.map((cell) => {
    const bits = cell.framesPerSecond * (frameLength(cell.size, 'plain') + 4) * 8;
    const mark = cell.limitedBy === 'tester' ? '>' : '';
    const degradation = degradationOf(cells, cell);
    return [
      cell.device,
      `${cell.gateways}`,
      cell.direction,
      `${cell.size}`,
      `${mark}${Math.round(cell.framesPerSecond)}`,
      `${Math.round(bits / 1e6)}`,
      ...[cell.typicalUs, cell.worstCaseUs, cell.variationUs].map((us) =>
        Number.isFinite(us) ? `${Math.round(us)}` : '-',
      ),
      ...BASELINES.map((baseline) => shareOf(cells, cell, baseline)?.toFixed(2) ?? ''),
      degradation?.toFixed(0) ?? '',
    ];
  });
  const widths = COLUMNS.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]) =>
    row.map((word, i) => (i < TEXT_COLUMNS ? word.padEnd(widths[i] ?? 0) : word.padStart(widths[i] ?? 0))).join('  ');
  return [COLUMNS, ...rows].map((row) => `${line(row).trimEnd()}\n`).join('');
}

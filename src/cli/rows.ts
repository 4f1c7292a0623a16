/** Records to a table for people or a JSON array for programs, one after the other. */

import type { Output } from './output.ts';
import { Table } from './table.ts';

/** What is undefined is `-` in a table, and no member in JSON. */
export type Cell = string | number | boolean | readonly string[] | undefined;
export type Row = Readonly<Record<string, Cell>>;

export interface RowSink {
  row(row: Row): void;
  finish(): void;
}

/** `columns` are the members of a row in order; `none` stands for no rows at all. */
export function rowSink(output: Output, columns: readonly string[], none: string, json: boolean): RowSink {
  return json ? jsonSink(output) : tableSink(output, columns, none);
}

function jsonSink(output: Output): RowSink {
  let before = '[';
  return {
    row: (row) => {
      output.write(`${before}\n${JSON.stringify(row)}`);
      before = ',';
    },
    finish: () => output.write(before === '[' ? '[]\n' : '\n]\n'),
  };
}

function tableSink(output: Output, columns: readonly string[], none: string): RowSink {
  let table: Table | undefined;
  const open = (row: Row) =>
    new Table(
      output.write,
      columns.map((column) => (typeof row[column] === 'number' ? `>${column}` : column)),
    );
  return {
    row: (row) => {
      table ??= open(row);
      table.row(columns.map((column) => cellText(row[column])));
    },
    finish: () => (table ?? new Table(output.write, columns)).finish(none),
  };
}

function cellText(cell: Cell): string {
  if (cell === undefined || cell === '') return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return typeof cell === 'object' ? cell.join(' ') || '-' : String(cell);
}

/** A counter as a number where JavaScript can hold it, else as text; undefined where nothing is counted. */
export function counter(text: string): number | string | undefined {
  if (text === '') return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

/** A CSV file of bindings to edits, and refusals of the device back to lines of the file. */

import { parseIpv4Prefix, parseIpv6 } from '../address.ts';
import { BASE_NAMESPACE } from './client.ts';
import type { CsvRecord } from './csv.ts';
import { csvRecords } from './csv.ts';
import { BATCH } from './edit-writer.ts';
import { CommandFailure, EXIT, Refusal } from './failure.ts';
import { escapeXml, isXmlText } from './xml-text.ts';

export const CSV_COLUMNS = ['aftr', 'ipv4-prefix', 'gateway-ipv6-address', 'aftr-ipv6-address', 'description'] as const;
type Column = (typeof CSV_COLUMNS)[number];

const EDIT_HEAD = '<softwire xmlns="urn:gi-4over6">';
const EDIT_END = '</softwire>';
const TABLE_END = '</binding-table></aftr>';

type Binding = Readonly<Partial<Record<Column, string>>>;

export interface BindingFileOptions {
  /** AFTR of the rows that name none. */
  readonly aftr?: string | undefined;
  /** The bindings take the place of those that are there, in the AFTRs that the file names. */
  readonly replace?: boolean;
  /** A file without bindings may replace some. */
  readonly allowEmpty?: boolean | undefined;
  /** Edits of at most 20,000 bindings; else the pieces of one. */
  readonly isCut?: boolean;
  /** By AFTR, XML of what else stands in its table and is to stay when its bindings are replaced. */
  readonly kept?: () => Promise<ReadonlyMap<string, string>>;
}

/** Turns a file into edits, and remembers which line is which. */
export class BindingFile {
  readonly #lines: AsyncIterable<string>;
  readonly #name: string;
  readonly #aftr: string | undefined;
  readonly #replace: boolean;
  readonly #allowEmpty: boolean;
  readonly #isCut: boolean;
  readonly #replaced = new Set<string>();
  readonly #askKept: () => Promise<ReadonlyMap<string, string>>;
  #kept: ReadonlyMap<string, string> = new Map();
  /** The line of each binding of the whole file, by AFTR and then by prefix: a commit judges all edits together. */
  readonly #lineOf = new Map<string, Map<number, number>>();
  count = 0;

  constructor(name: string, lines: AsyncIterable<string>, options: BindingFileOptions) {
    this.#name = name;
    this.#lines = lines;
    this.#aftr = options.aftr;
    this.#replace = options.replace ?? false;
    this.#allowEmpty = options.allowEmpty ?? false;
    this.#isCut = options.isCut ?? false;
    this.#askKept = options.kept ?? (() => Promise.resolve(new Map()));
  }

  /** @throws CommandFailure that names the line */
  async *edits(): AsyncGenerator<string> {
    if (this.#replace) this.#kept = await this.#askKept();
    yield* this.#isCut ? this.#cutEdits() : this.#wholeEdit();
    if (this.#replace && this.count === 0) yield this.#emptied();
  }

  /** The edit that a file without rows is. */
  #emptied(): string {
    const aftr = this.#aftr;
    if (aftr === undefined) throw this.#failure('holds no bindings, and no AFTR is given whose table it empties');
    if (this.#allowEmpty) return edit(this.#tableXml(aftr, []));
    throw this.#failure(`holds no bindings: --replace would remove all of AFTR ${aftr}; --allow-empty does it`);
  }

  async *#cutEdits(): AsyncGenerator<string> {
    for await (const batch of inBatches(this.#bindings())) {
      const byAftr = new Map<string, string[]>();
      // One edit holds an AFTR once.
      for (const [aftr, xml] of batch) append(byAftr, aftr, xml);
      yield edit([...byAftr].map(([aftr, bindings]) => this.#tableXml(aftr, bindings)).join(''));
    }
  }

  /** The bindings of the first AFTR as they come; those of others follow when they are all there. */
  async *#wholeEdit(): AsyncGenerator<string> {
    const others = new Map<string, string[]>();
    let first: string | undefined;
    for await (const batch of inBatches(this.#bindings())) {
      let piece = '';
      if (first === undefined) {
        [[first] = ['']] = batch;
        piece = EDIT_HEAD + this.#tableHead(first);
      }
      for (const [aftr, xml] of batch) {
        if (aftr === first) piece += xml;
        else append(others, aftr, xml);
      }
      yield piece;
    }
    if (first === undefined) return;
    yield TABLE_END;
    for (const [aftr, bindings] of others) yield this.#tableXml(aftr, bindings);
    yield EDIT_END;
  }

  /** AFTR and XML of each binding. */
  async *#bindings(): AsyncGenerator<readonly [string, string]> {
    let columns: Column[] | undefined;
    try {
      for await (const record of csvRecords(this.#lines)) {
        if (columns) {
          yield this.#binding(record, columns);
          this.count++;
        } else columns = this.#header(record);
      }
      if (!columns) throw this.#failure(`is empty: expected a heading of ${CSV_COLUMNS.join(', ')}`);
    } catch (error) {
      if (error instanceof CommandFailure || !(error instanceof Error)) throw error;
      throw this.#failure(error.message);
    }
  }

  #header({ line, fields }: CsvRecord): Column[] {
    const columns = fields.map((field) => CSV_COLUMNS.find((column) => column === field));
    const isGood = columns.includes('ipv4-prefix') && columns.includes('gateway-ipv6-address');
    const isDistinct = new Set(columns).size === columns.length;
    if (isGood && isDistinct && columns.every((column) => column !== undefined)) return columns;
    throw this.#failure(
      `line ${line}: expected a heading of ${CSV_COLUMNS.join(', ')}, each at most once, found '${fields.join(',').slice(0, 200)}'`,
    );
  }

  #binding({ line, fields }: CsvRecord, columns: readonly Column[]): readonly [string, string] {
    if (fields.length !== columns.length) {
      throw this.#failure(`line ${line}: expected ${columns.length} fields, found ${fields.length}`);
    }
    const binding: Binding = { ...Object.fromEntries(columns.map((column, at) => [column, fields[at]])) };
    const { 'ipv4-prefix': prefix = '', 'gateway-ipv6-address': gateway = '' } = binding;
    const number = numberOf(prefix);
    if (number === undefined) {
      throw this.#failure(`line ${line}, column ipv4-prefix: '${prefix}' is no IPv4 prefix such as 192.0.2.0/24`);
    }
    if (!parseIpv6(gateway)) {
      throw this.#failure(`line ${line}, column gateway-ipv6-address: '${gateway}' is no IPv6 address`);
    }
    const unfit = columns.find((column) => !isXmlText(binding[column] ?? ''));
    if (unfit) throw this.#failure(`line ${line}, column ${unfit}: it holds a control character`);
    const aftr = binding.aftr || this.#aftr;
    if (!aftr) throw this.#failure(`line ${line}: names no AFTR: add a column aftr, or give --aftr NAME`);
    this.#remember(aftr, number, prefix, line);
    return [aftr, bindingXml(binding)];
  }

  #remember(aftr: string, number: number, prefix: string, line: number): void {
    const lines = this.#lineOf.get(aftr) ?? new Map<number, number>();
    this.#lineOf.set(aftr, lines);
    const before = lines.get(number);
    if (before !== undefined) {
      throw this.#failure(`line ${line}, column ipv4-prefix: ${prefix} stands on line ${before} already`);
    }
    lines.set(number, line);
  }

  #tableXml(aftr: string, bindings: readonly string[]): string {
    return `${this.#tableHead(aftr)}${bindings.join('')}${TABLE_END}`;
  }

  /** What stands before the bindings; the first time in a replaced table, with what else is to stay in it. */
  #tableHead(aftr: string): string {
    const isFirst = this.#replace && !this.#replaced.has(aftr);
    this.#replaced.add(aftr);
    const operation = isFirst ? ` xmlns:nc="${BASE_NAMESPACE}" nc:operation="replace"` : '';
    const kept = isFirst ? (this.#kept.get(aftr) ?? '') : '';
    return `<aftr><name>${escapeXml(aftr)}</name><binding-table${operation}>${kept}`;
  }

  /** The same failure, with line and column of each binding that its paths name, or the first line of an AFTR. */
  readonly explain = (error: Refusal): Refusal => {
    const faults = error.faults.map((fault) => {
      // No one line is too many.
      if (fault.path.endsWith('/softwire-num-max')) return { ...fault, message: `${this.#name}: ${fault.message}` };
      const aftr = /aftr\[name='([^']*)'\]/.exec(fault.path)?.[1] ?? '';
      const prefix = /binding\[ipv4-prefix='([^']*)'\]/.exec(fault.path)?.[1];
      const lines = this.#lineOf.get(aftr);
      const line = prefix === undefined ? lines?.values().next().value : lines?.get(numberOf(prefix) ?? Number.NaN);
      if (line === undefined) return fault;
      const leaf = /\]\/([\w-]+)$/.exec(fault.path)?.[1];
      const column = prefix === undefined ? 'aftr' : (CSV_COLUMNS.find((name) => name === leaf) ?? 'ipv4-prefix');
      return { ...fault, message: `${this.#name} line ${line}, column ${column}: ${fault.message}` };
    });
    return new Refusal(faults);
  };

  #failure(message: string): CommandFailure {
    return new CommandFailure(EXIT.refused, `${this.#name} ${message}`);
  }
}

function edit(aftrs: string): string {
  return `${EDIT_HEAD}${aftrs}${EDIT_END}`;
}

function append(byAftr: Map<string, string[]>, aftr: string, binding: string): void {
  const group = byAftr.get(aftr);
  if (group) group.push(binding);
  else byAftr.set(aftr, [binding]);
}

/** At most 20,000 at a time. */
async function* inBatches<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** A prefix as a number, host bits aside; undefined when it is none. */
function numberOf(text: string): number | undefined {
  const prefix = parseIpv4Prefix(text);
  return prefix && prefix.address * 64 + prefix.length;
}

function bindingXml(binding: Binding): string {
  const leaves = CSV_COLUMNS.slice(1).flatMap((name) => {
    const value = binding[name];
    return value ? [`<${name}>${escapeXml(value)}</${name}>`] : [];
  });
  return `<binding>${leaves.join('')}</binding>`;
}

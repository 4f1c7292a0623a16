/** A CSV file of bindings to edits, and refusals of the device back to lines of the file. */

import { parseIpv4Prefix, parseIpv6 } from '../address.ts';
import { BASE_NAMESPACE } from './client.ts';
import type { CsvRecord } from './csv.ts';
import { csvRecords } from './csv.ts';
import { BATCH } from './edit-writer.ts';
import { CommandFailure, EXIT, Refusal } from './failure.ts';
import { escapeXml } from './xml-text.ts';

export const CSV_COLUMNS = ['aftr', 'ipv4-prefix', 'gateway-ipv6-address', 'aftr-ipv6-address', 'description'] as const;
type Column = (typeof CSV_COLUMNS)[number];

/** Characters that XML 1.0 cannot hold (§2.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNFIT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

type Binding = Readonly<Partial<Record<Column, string>>> & { readonly line: number };

/** Turns a file into edits of at most 20,000 bindings, and remembers which line is which. */
export class BindingFile {
  readonly #lines: AsyncIterable<string>;
  readonly #name: string;
  /** AFTR of the rows that name none. */
  readonly #aftr: string | undefined;
  readonly #replace: boolean;
  readonly #replaced = new Set<string>();
  /** XML of what else stands in the table of an AFTR and is to stay when its bindings are replaced. */
  readonly #kept: (aftr: string) => Promise<string>;
  /** The line of each binding of the whole file, by AFTR and then by prefix: a commit judges all edits together. */
  readonly #lineOf = new Map<string, Map<number, number>>();
  count = 0;

  constructor(
    name: string,
    lines: AsyncIterable<string>,
    aftr: string | undefined,
    replace: boolean,
    kept: (aftr: string) => Promise<string> = () => Promise.resolve(''),
  ) {
    this.#kept = kept;
    this.#name = name;
    this.#lines = lines;
    this.#aftr = aftr;
    this.#replace = replace;
  }

  /** @throws CommandFailure that names the line */
  async *edits(): AsyncGenerator<string> {
    let batch: Binding[] = [];
    for await (const binding of this.#bindings()) {
      batch.push(binding);
      this.count++;
      if (batch.length < BATCH) continue;
      yield await this.#edit(batch);
      batch = [];
    }
    if (batch.length > 0) yield await this.#edit(batch);
    // A file without rows still empties the table that it replaces.
    if (this.#replace && this.#replaced.size === 0 && this.#aftr !== undefined)
      yield await this.#editXml(new Map([[this.#aftr, []]]));
  }

  async *#bindings(): AsyncGenerator<Binding> {
    let columns: Column[] | undefined;
    try {
      for await (const record of csvRecords(this.#lines)) {
        if (columns) yield this.#binding(record, columns);
        else columns = this.#header(record);
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

  #binding({ line, fields }: CsvRecord, columns: readonly Column[]): Binding {
    if (fields.length !== columns.length) {
      throw this.#failure(`line ${line}: expected ${columns.length} fields, found ${fields.length}`);
    }
    const binding: Binding = { ...Object.fromEntries(columns.map((column, at) => [column, fields[at]])), line };
    const { 'ipv4-prefix': prefix = '', 'gateway-ipv6-address': gateway = '' } = binding;
    const number = numberOf(prefix);
    if (number === undefined) {
      throw this.#failure(`line ${line}, column ipv4-prefix: '${prefix}' is no IPv4 prefix such as 192.0.2.0/24`);
    }
    if (!parseIpv6(gateway)) {
      throw this.#failure(`line ${line}, column gateway-ipv6-address: '${gateway}' is no IPv6 address`);
    }
    const unfit = columns.find((column) => UNFIT.test(binding[column] ?? ''));
    if (unfit) throw this.#failure(`line ${line}, column ${unfit}: it holds a control character`);
    const aftr = binding.aftr || this.#aftr;
    if (!aftr) throw this.#failure(`line ${line}: names no AFTR: add a column aftr, or give --aftr NAME`);
    this.#remember(aftr, number, prefix, line);
    return binding;
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

  async #edit(batch: readonly Binding[]): Promise<string> {
    const byAftr = new Map<string, Binding[]>();
    for (const binding of batch) {
      const aftr = binding.aftr || this.#aftr || '';
      const group = byAftr.get(aftr);
      if (group) group.push(binding);
      else byAftr.set(aftr, [binding]);
    }
    return this.#editXml(byAftr);
  }

  /** One edit: a container may stand only once in it. */
  async #editXml(byAftr: ReadonlyMap<string, readonly Binding[]>): Promise<string> {
    let aftrs = '';
    for (const [aftr, bindings] of byAftr) aftrs += await this.#aftrXml(aftr, bindings);
    return `<softwire xmlns="urn:gi-4over6">${aftrs}</softwire>`;
  }

  async #aftrXml(aftr: string, bindings: readonly Binding[]): Promise<string> {
    const isFirst = this.#replace && !this.#replaced.has(aftr);
    this.#replaced.add(aftr);
    const operation = isFirst ? ` xmlns:nc="${BASE_NAMESPACE}" nc:operation="replace"` : '';
    const kept = isFirst ? await this.#kept(aftr) : '';
    return (
      `<aftr><name>${escapeXml(aftr)}</name><binding-table${operation}>` +
      `${bindings.map(bindingXml).join('')}${kept}</binding-table></aftr>`
    );
  }

  /** The same failure, with line and column of each binding that its paths name, or the first line of an AFTR. */
  readonly explain = (error: Refusal): Refusal => {
    const faults = error.faults.map((fault) => {
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

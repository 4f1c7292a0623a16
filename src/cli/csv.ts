/** CSV (RFC 4180): records with the number of their first line. */

/** One field, quoted where it must be. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The records of a file given as lines; a quoted field may go over several. Empty lines are left out.
 * @throws Error with the line number for a quote that stands inside a field or never ends
 */
export async function* csvRecords(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<CsvRecord> {
  let held = '';
  let first = 0;
  let at = 0;
  for await (const line of lines) {
    at++;
    if (held === '') first = at;
    held = held === '' ? line : `${held}\n${line}`;
    if ((held.match(/"/g)?.length ?? 0) % 2 === 1) continue;
    if (held.trim() !== '') yield { line: first, fields: fieldsOf(held, first) };
    held = '';
  }
  if (held !== '') throw new Error(`line ${first}: a quoted field does not end`);
}

function fieldsOf(record: string, line: number): string[] {
  const fields: string[] = [];
  const field = /(?:\s*"((?:[^"]|"")*)"\s*|([^",]*))(,|$)/y;
  for (;;) {
    const at = field.lastIndex;
    const match = field.exec(record);
    if (!match) throw new Error(`line ${line}: a quote inside a field, near '${record.slice(at, at + 20)}'`);
    const [, quoted, plain = '', end] = match;
    fields.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    if (end === '') return fields;
  }
}

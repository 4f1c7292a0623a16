/** The bindings of all AFTRs, or of one, as they stream from the device. */

import type { NetconfClient } from './client.ts';
import { readOperation } from './client.ts';
import type { DataVisitor } from './data-reader.ts';
import { readData } from './data-reader.ts';
import { escapeXml } from './xml-text.ts';

export interface BindingRow {
  readonly aftr: string;
  /** Leaves by name. */
  readonly leaves: Readonly<Record<string, string>>;
}

export interface BindingQuery {
  readonly aftr?: string | undefined;
  readonly candidate?: boolean | undefined;
  /** A version on record instead of running. */
  readonly version?: number | undefined;
}

/** Calls `onRow` for each binding; `onPiece` is awaited now and then. */
export async function eachBinding(
  client: NetconfClient,
  { aftr, candidate, version }: BindingQuery,
  onRow: (row: BindingRow) => void,
  onPiece: () => Promise<void>,
): Promise<void> {
  const name = aftr === undefined ? '<name/>' : `<name>${escapeXml(aftr)}</name>`;
  const filter = `<softwire xmlns="urn:gi-4over6"><aftr>${name}<binding-table><binding/></binding-table></aftr></softwire>`;
  const operation = readOperation(filter, { datastore: candidate ? 'candidate' : 'running', version });
  const onWanted = (row: BindingRow) => {
    if (aftr === undefined || row.aftr === aftr) onRow(row);
  };
  await readData(client.request(operation), new BindingVisitor(onWanted), onPiece);
}

class BindingVisitor implements DataVisitor {
  readonly #onRow: (row: BindingRow) => void;
  #aftr = '';
  #leaves: Record<string, string> | undefined;

  constructor(onRow: (row: BindingRow) => void) {
    this.#onRow = onRow;
  }

  start(name: string): void {
    if (name === 'aftr') this.#aftr = '';
    if (name === 'binding') this.#leaves = {};
  }

  leaf(name: string, _namespace: string, value: string): void {
    if (this.#leaves) this.#leaves[name] = value;
    else if (name === 'name') this.#aftr = value;
  }

  end(name: string): void {
    if (name !== 'binding' || !this.#leaves) return;
    this.#onRow({ aftr: this.#aftr, leaves: this.#leaves });
    this.#leaves = undefined;
  }
}

/** Names of the configured AFTRs. */
export async function aftrNames(client: NetconfClient, datastore: 'running' | 'candidate'): Promise<string[]> {
  const filter = '<softwire xmlns="urn:gi-4over6"><aftr><name/></aftr></softwire>';
  const names: string[] = [];
  await readData(client.request(readOperation(filter, { datastore })), {
    start: () => undefined,
    leaf: (_name, _namespace, value) => names.push(value),
    end: () => undefined,
  });
  return names;
}

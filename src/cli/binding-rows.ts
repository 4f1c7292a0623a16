/** The bindings of all AFTRs, or of one, as they stream from the device. */

import type { NetconfClient } from './client.ts';
import { readOperation } from './client.ts';
import type { DataVisitor } from './data-reader.ts';
import { readData } from './data-reader.ts';
import { CommandFailure, EXIT } from './failure.ts';
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

/**
 * Calls `onRow` for each binding; `onPiece` is awaited now and then. The number of port sets that came beside them: all of a
 * version, which comes whole, and none of a datastore, of which bindings alone are asked for.
 * @throws CommandFailure when one AFTR is asked for and there is none of that name
 */
export async function eachBinding(
  client: NetconfClient,
  { aftr, candidate, version }: BindingQuery,
  onRow: (row: BindingRow) => void,
  onPiece: () => Promise<void>,
): Promise<number> {
  const name = aftr === undefined ? '<name/>' : `<name>${escapeXml(aftr)}</name>`;
  const filter = `<softwire xmlns="urn:gi-4over6"><aftr>${name}<binding-table><binding/></binding-table></aftr></softwire>`;
  const operation = readOperation(filter, { datastore: candidate ? 'candidate' : 'running', version });
  const onWanted = (row: BindingRow) => {
    if (aftr === undefined || row.aftr === aftr) onRow(row);
  };
  const visitor = new BindingVisitor(onWanted, aftr);
  await readData(client.request(operation), visitor, onPiece);
  if (aftr !== undefined && !visitor.aftrs.has(aftr)) throw noAftr(aftr, { candidate, version });
  return visitor.portSets;
}

class BindingVisitor implements DataVisitor {
  readonly #onRow: (row: BindingRow) => void;
  /** Names of those that were there. */
  readonly aftrs = new Set<string>();
  portSets = 0;
  readonly #wanted: string | undefined;
  #isInAftr = false;
  #aftr = '';
  #leaves: Record<string, string> | undefined;

  constructor(onRow: (row: BindingRow) => void, wanted: string | undefined) {
    this.#onRow = onRow;
    this.#wanted = wanted;
  }

  start(name: string): void {
    if (name === 'aftr') {
      this.#isInAftr = true;
      this.#aftr = '';
    }
    if (name === 'binding') this.#leaves = {};
    if (name === 'port-set' && (this.#wanted === undefined || this.#wanted === this.#aftr)) this.portSets++;
  }

  leaf(name: string, _namespace: string, value: string): void {
    if (this.#leaves) this.#leaves[name] = value;
    else if (name === 'name' && this.#isInAftr && this.#aftr === '') {
      this.#aftr = value;
      this.aftrs.add(value);
    }
  }

  end(name: string): void {
    if (name === 'aftr') this.#isInAftr = false;
    if (name !== 'binding' || !this.#leaves) return;
    this.#onRow({ aftr: this.#aftr, leaves: this.#leaves });
    this.#leaves = undefined;
  }
}

/** There is no AFTR of that name where it was looked for. */
export function noAftr(aftr: string, { candidate, version }: Omit<BindingQuery, 'aftr'>): CommandFailure {
  const place = version !== undefined ? `version ${version}` : candidate ? 'the candidate' : 'running';
  return new CommandFailure(EXIT.refused, `there is no AFTR '${aftr}' in ${place}: see \`gi4over6 show aftrs\``);
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

/** `compare`: in what two versions differ, or the candidate and running, a line for each leaf. */

import type { NetconfClient } from './client.ts';
import type { DataVisitor } from './data-reader.ts';
import { readData } from './data-reader.ts';
import { CONTAINERS } from './model.ts';
import type { Output } from './output.ts';
import { printable } from './output.ts';

/** One edit of the patch that the device answers with (RFC 8072). */
export interface Difference {
  readonly operation: string;
  /** The node in the form of a RESTCONF path. */
  readonly target: string;
  /** Entry behind which a moved or inserted one goes; '' for before all others. */
  readonly point: string;
  /** Leaves of both sides with their path below the target; the target itself has ''. */
  readonly value: readonly (readonly [path: string, value: string])[];
  readonly source: readonly (readonly [path: string, value: string])[];
}

const CANDIDATE =
  '<compare xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">' +
  '<source>ds:running</source><target>ds:candidate</target></compare>';

/** Asks for the differences: of two versions, of one and the newest, or without any of running and the candidate. */
export async function eachDifference(
  client: NetconfClient,
  from: number | undefined,
  to: number | undefined,
  onDifference: (difference: Difference) => void,
  onPiece: () => Promise<void> = async () => undefined,
): Promise<void> {
  const end = to === undefined ? '' : `<to>${to}</to>`;
  const versions = `<compare-versions xmlns="urn:gi-4over6"><from>${from}</from>${end}</compare-versions>`;
  const operation = from === undefined ? CANDIDATE : versions;
  await readData(client.request(operation), new DifferenceVisitor(onDifference), onPiece);
}

export async function compare(
  client: NetconfClient,
  output: Output,
  from: number | undefined,
  to: number | undefined,
  options: { readonly json?: boolean },
): Promise<void> {
  let count = 0;
  const print = (difference: Difference) => {
    if (options.json) output.write(`${count === 0 ? '[' : ','}\n${JSON.stringify(forPrograms(difference))}`);
    else for (const line of linesOf(difference)) output.line(line);
    count++;
  };
  await eachDifference(client, from, to, print, output.flow);
  if (options.json) output.write(count === 0 ? '[]\n' : '\n]\n');
  else if (count === 0) output.line('There is no difference.');
}

function forPrograms({ operation, target, point, value, source }: Difference): Record<string, unknown> {
  const values = (leaves: Difference['value']) => leaves.map(([path, text]) => ({ path, value: text }));
  const place = operation === 'insert' || operation === 'move' ? { after: point } : {};
  return { operation, target, ...place, before: values(source), after: values(value) };
}

/** As `diff` marks them: what goes, what comes; a changed leaf is one of each. */
function linesOf({ operation, target, point, value, source }: Difference): string[] {
  const path = printable(decodeURIComponent(target));
  const print = (sign: string) => (leaf: readonly [string, string]) =>
    `${sign} ${path}${leaf[0] === '' ? '' : `/${leaf[0]}`}  ${printable(leaf[1])}`;
  if (operation === 'move') {
    return [`> ${path}  moved ${point === '' ? 'to the front' : `behind ${printable(decodeURIComponent(point))}`}`];
  }
  const lines = [...source.map(print('-')), ...value.map(print('+'))];
  return lines.length > 0 ? lines : [`${operation === 'delete' ? '-' : '+'} ${path}`];
}

/** Edits from the nodes of the answer. */
class DifferenceVisitor implements DataVisitor {
  readonly #onDifference: (difference: Difference) => void;
  /** Names of the open nodes below `edit`. */
  readonly #open: string[] = [];
  #edit: { -readonly [Name in keyof Difference]: Difference[Name] } | undefined;
  #value: [string, string][] = [];
  #source: [string, string][] = [];

  constructor(onDifference: (difference: Difference) => void) {
    this.#onDifference = onDifference;
  }

  start(name: string): void {
    if (this.#edit) this.#open.push(name);
    else if (name === 'edit') {
      this.#edit = { operation: '', target: '', point: '', value: [], source: [] };
      this.#value = [];
      this.#source = [];
    }
  }

  leaf(name: string, _namespace: string, value: string): void {
    const edit = this.#edit;
    if (!edit) return;
    const [side, ...path] = this.#open;
    if (side === undefined) {
      if (name === 'operation' || name === 'target' || name === 'point') edit[name] = value;
      return;
    }
    // The first node is the target itself; its leaves have their own name below it.
    const place = path.length === 0 ? '' : [...path.slice(1), name].join('/');
    if (value === '' && CONTAINERS.has(name)) return;
    (side === 'value' ? this.#value : this.#source).push([place, value]);
  }

  end(): void {
    if (!this.#edit || this.#open.pop() !== undefined) return;
    this.#onDifference({ ...this.#edit, value: this.#value, source: this.#source });
    this.#edit = undefined;
  }
}

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import type { DataNode, Operation } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import type { DatastoreName } from '../../src/state/request.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

/*
 * The datastores against a naive twin: plain maps of rows, edited by the letter of RFC 6241 §7.2. After each random step
 * both have the same outcome (taken, or the tag of the fault) and the same rows in running, candidate and startup.
 */

const test = suite('random-edits');
const STEPS = 1500;

type Row = Readonly<Record<string, string>>;
type Table = ReadonlyMap<string, Row>;
type DefaultOperation = 'merge' | 'replace' | 'none';

interface LeafEdit {
  readonly name: string;
  readonly value: string;
  readonly operation: Operation | undefined;
}

interface RowEdit {
  readonly prefix: string;
  readonly operation: Operation | undefined;
  readonly leaves: readonly LeafEdit[];
}

interface TableEdit {
  readonly operation: Operation | undefined;
  readonly defaultOperation: DefaultOperation;
  readonly rows: readonly RowEdit[];
}

const PREFIXES = Array.from({ length: 10 }, (_, index) =>
  index < 2 ? `192.0.2.${index * 16}/28` : `192.0.2.${index}/32`,
);
const LEAVES: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['gateway-ipv6-address', ['2001:db8:a::1', '2001:db8:a::2']],
  ['aftr-ipv6-address', ['2001:db8:b::1']],
  ['description', ['one', 'two']],
];

class Fault extends Error {}

/** One row after its edit; undefined when it is gone. */
function editRow(before: Row | undefined, { operation, leaves }: RowEdit, inherited: Operation): Row | undefined {
  const effective = operation ?? inherited;
  if (effective === 'create' && before) throw new Fault('data-exists');
  if ((effective === 'delete' || effective === 'none') && !before) throw new Fault('data-missing');
  if (effective === 'delete' || effective === 'remove') return undefined;
  const row: Record<string, string> = { ...before };
  if (effective === 'replace') {
    for (const name of Object.keys(row)) if (!leaves.some((leaf) => leaf.name === name)) delete row[name];
  }
  for (const leaf of leaves) editLeaf(row, leaf, effective);
  if (row['gateway-ipv6-address'] === undefined) throw new Fault('data-missing');
  return row;
}

function editLeaf(row: Record<string, string>, { name, value, operation }: LeafEdit, inherited: Operation): void {
  const effective = operation ?? inherited;
  const exists = row[name] !== undefined;
  if (effective === 'create' && exists) throw new Fault('data-exists');
  if ((effective === 'delete' || effective === 'none') && !exists) throw new Fault('data-missing');
  if (effective === 'delete' || effective === 'remove') delete row[name];
  else if (effective !== 'none') row[name] = value;
}

function editTable(before: Table, { operation, defaultOperation, rows }: TableEdit): Table {
  const effective = operation ?? defaultOperation;
  if (effective === 'create' && before.size > 0) throw new Fault('data-exists');
  if (effective === 'delete' && before.size === 0) throw new Fault('data-missing');
  if (effective === 'delete' || effective === 'remove') return new Map();
  const table = new Map(before);
  if (effective === 'replace') {
    for (const prefix of before.keys()) if (!rows.some((row) => row.prefix === prefix)) table.delete(prefix);
  }
  for (const row of rows) {
    const after = editRow(table.get(row.prefix), row, effective);
    if (after) table.set(row.prefix, after);
    else table.delete(row.prefix);
  }
  return table;
}

const textOf = (table: Table) =>
  [...table].map(([prefix, row]) => `${prefix} ${LEAVES.map(([name]) => row[name] ?? '-').join(' ')}`).sort();

/** The twin: running, startup, and the rows in which the candidate was changed, or all of them once it was cleared. */
class Twin {
  running: Table = new Map();
  startup: Table = new Map();
  overlay: ReadonlyMap<string, Row | undefined> = new Map();
  isCleared = false;

  get candidate(): Table {
    const table = new Map(this.isCleared ? [] : this.running);
    for (const [prefix, row] of this.overlay) {
      if (row) table.set(prefix, row);
      else table.delete(prefix);
    }
    return table;
  }

  edit(target: 'running' | 'candidate', edit: TableEdit): void {
    const before = this[target];
    const after = editTable(before, edit);
    if (target === 'running') this.running = after;
    else if (edit.operation === 'delete' || edit.operation === 'remove') {
      this.isCleared = true;
      this.#keepOverlay(new Map());
    } else this.#overlayOf(before, after);
  }

  get isModified(): boolean {
    return this.isCleared || this.overlay.size > 0;
  }

  discard(): void {
    this.overlay = new Map();
    this.isCleared = false;
  }

  #overlayOf(before: Table, after: Table): void {
    const overlay = new Map(this.overlay);
    for (const prefix of PREFIXES) {
      const [old, fresh] = [before.get(prefix), after.get(prefix)];
      if (JSON.stringify(Object.entries(old ?? {}).sort()) !== JSON.stringify(Object.entries(fresh ?? {}).sort())) {
        overlay.set(prefix, fresh);
      }
    }
    this.#keepOverlay(overlay);
  }

  #keepOverlay(overlay: ReadonlyMap<string, Row | undefined>): void {
    this.overlay = overlay;
    if (textOf(this.candidate).join() === textOf(this.running).join()) this.discard();
  }
}

class Picker {
  readonly #next = random();

  below(limit: number): number {
    return this.#next() % limit;
  }

  of<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }

  tableEdit(): TableEdit {
    const rows = new Map<string, RowEdit>();
    for (let count = this.below(4); count >= 0; count--) {
      const prefix = PREFIXES[this.below(PREFIXES.length)] ?? '';
      rows.set(prefix, { prefix, operation: this.#operation(2), leaves: this.#leaves() });
    }
    // Entries of a table that goes are no part of an edit a client would send.
    const operation = this.below(20) === 0 ? this.of<Operation>(['replace', 'delete', 'remove', 'create']) : undefined;
    const isGone = operation === 'delete' || operation === 'remove';
    const defaultOperation = this.of<DefaultOperation>(['merge', 'merge', 'merge', 'none']);
    return { operation, defaultOperation, rows: isGone ? [] : [...rows.values()] };
  }

  #leaves(): LeafEdit[] {
    return LEAVES.filter(([name]) => this.below(4) > (name === 'gateway-ipv6-address' ? 0 : 2)).map(
      ([name, values]) => ({
        name,
        value: values[this.below(values.length)] ?? '',
        operation: name === 'description' ? this.#operation(4) : undefined,
      }),
    );
  }

  /** An operation once in `rare` times. */
  #operation(rare: number): Operation | undefined {
    return this.below(rare) === 0 ? this.of<Operation>(['merge', 'replace', 'create', 'delete', 'remove']) : undefined;
  }
}

/** The edit as a tree whose nodes carry the operations. */
function treeOf({ operation, rows }: TableEdit): DataNode {
  const binding = rows.map(({ prefix, operation: rowOperation, leaves }) => ({
    'ipv4-prefix': prefix,
    ...Object.fromEntries(leaves.map(({ name, value }) => [name, value])),
    ...(rowOperation && { '@operation': rowOperation }),
  }));
  const table = { binding, ...(operation && { '@operation': operation }) };
  const { tree } = request(softwire({ name: 'a', 'binding-table': table }));
  const entries = tree.child('softwire')?.entries('aftr')[0]?.child('binding-table')?.entries('binding') ?? [];
  for (const [index, entry] of entries.entries()) {
    for (const leaf of rows[index]?.leaves ?? []) {
      const node = entry.child(leaf.name);
      if (node) node.operation = leaf.operation;
    }
  }
  return tree;
}

function rowsOf(datastores: Datastores, datastore: DatastoreName): string[] {
  const view = datastores.view(datastore);
  const rows = [...view.bindings('a')];
  assert.is(view.count('a'), rows.length, `count of ${datastore}`);
  const isSorted = rows.every((row, index) => {
    const before = rows[index - 1];
    return !before || before.address < row.address || (before.address === row.address && before.length < row.length);
  });
  assert.ok(isSorted, `${datastore} is in key order`);
  view.close();
  return rows
    .map(({ address, length, gatewayIpv6Address, aftrIpv6Address, description }) =>
      [
        formatIpv4Prefix(address, length),
        formatIpv6(gatewayIpv6Address),
        aftrIpv6Address ? formatIpv6(aftrIpv6Address) : '-',
        description ?? '-',
      ].join(' '),
    )
    .sort();
}

function hashOf(datastores: Datastores): string {
  const view = datastores.view('running');
  const hash = new ContentHash();
  for (const row of view.bindings('a')) hash.addBinding('a', row);
  view.close();
  return hash.text;
}

/** The tag of the fault a work ends with, `ok` without one. */
async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'ok';
  } catch (error) {
    if (error instanceof ManagementError) return error.tag;
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

test(`${STEPS} random steps against the naive twin, seed ${seed}`, () =>
  withDatastores(
    async (first, _dir, reopen) => {
      let datastores = first;
      let boots = 1;
      const pick = new Picker();
      const twin = new Twin();
      await datastores.edit(OPERATOR, request(aftr()));
      await datastores.copy(OPERATOR, 'running', 'startup');
      for (let step = 0; step < STEPS; step++) {
        const kind = pick.below(100);
        const { version } = datastores.head();
        const where = `step ${step} of kind ${kind}`;
        if (kind < 80) {
          const target = kind < 45 ? 'running' : 'candidate';
          const edit = pick.tableEdit();
          const asked = request({}, { target, tree: treeOf(edit), defaultOperation: edit.defaultOperation });
          const before = textOf(twin.running).join();
          const expected = await outcome(() => twin.edit(target, edit));
          assert.is(
            await outcome(() => datastores.edit(OPERATOR, asked)),
            expected,
            `${where}: ${JSON.stringify(edit)}`,
          );
          const grown = datastores.head().version - version;
          assert.is(grown, textOf(twin.running).join() === before ? 0 : 1, `${where}: version`);
        } else if (kind < 88) {
          await datastores.commit(OPERATOR);
          twin.running = twin.candidate;
          twin.discard();
        } else if (kind < 93) {
          await datastores.discard(OPERATOR);
          twin.discard();
        } else if (kind < 97) {
          await datastores.copy(OPERATOR, 'running', 'startup');
          twin.startup = twin.running;
        } else if (kind === 97) {
          await datastores.copy(OPERATOR, 'startup', 'running');
          twin.running = twin.startup;
        } else {
          if (kind === 99) boots++;
          datastores = await reopen({ bootId: `boot-${boots}` });
          twin.discard();
          if (kind === 99) twin.running = twin.startup;
        }
        assert.equal(rowsOf(datastores, 'running'), textOf(twin.running), `${where}: running`);
        assert.equal(rowsOf(datastores, 'candidate'), textOf(twin.candidate), `${where}: candidate`);
        assert.equal(rowsOf(datastores, 'startup'), textOf(twin.startup), `${where}: startup`);
        assert.is(datastores.candidateModified, twin.isModified, `${where}: candidate modified`);
        assert.is(datastores.head().contentHash, hashOf(datastores), `${where}: hash`);
      }
    },
    { startup: true, bootId: 'boot-1' },
  ));

test.run();

/** What subscriptions to datastores read (RFC 8641): the selection as it is, and what has changed of it between two versions. */

import type { DataNode } from '../../state/data.ts';
import type { Caller } from '../../state/request.ts';
import { BINDING_PATH, type Schema } from '../../state/schema.ts';
import type { View } from '../../state/view.ts';
import { readingDifferences, wholeDifferences } from '../compare.ts';
import type { ReadRequest } from '../operations.ts';
import type { PatchStep } from '../patch.ts';
import type { Reading } from '../reading.ts';
import { openReading } from '../reading.ts';
import { askedKeys, isWanted } from '../selection.ts';
import { LIMITS } from './limits.ts';
import type { RowDifferences } from './row-differences.ts';
import { collectRows, sideOf, viewBefore } from './row-differences.ts';
import type { PushTerms } from './terms.ts';

export interface PushBackend {
  readonly read: (caller: Caller, request: ReadRequest) => Promise<Reading>;
  /** Running as it is now; to be closed. */
  readonly view: () => View;
  /** Under the configuration as it is now. */
  readonly rights: (caller: Caller) => PushRights;
}

/** What a receiver may read; `mark` is the same for rights that are. */
export interface PushRights {
  readonly mayRead: (node: DataNode) => boolean;
  readonly mark: string;
}

/** A state of running. */
export interface Running {
  readonly version: number;
  /** Its small tree. */
  readonly tree: DataNode;
}

/** A state of running, and what the receiver may read of it. */
export interface Place extends Running {
  readonly rights: PushRights;
}

/** Between two places; undefined when too much has changed, or it is not on record any more. */
export interface Differences {
  readonly to: Place;
  readonly steps: Generator<PatchStep> | undefined;
  /** Ends what the steps are made from. */
  readonly close: () => void;
}

export class PushSource {
  readonly #backend: PushBackend;
  readonly #schema: Schema;
  /** Most subscriptions ask for the same: what was asked for last. */
  #last: { readonly key: string; readonly rows: Promise<RowDifferences | undefined> } | undefined;

  constructor(backend: PushBackend, schema: Schema) {
    this.#backend = backend;
    this.#schema = schema;
  }

  /** Where running is. */
  place(caller: Caller): Place {
    const view = this.#backend.view();
    view.close();
    return this.#placeOf(view, caller);
  }

  /** Running is at this version now. */
  get version(): number {
    const view = this.#backend.view();
    view.close();
    return view.version;
  }

  #placeOf({ version, tree }: View, caller: Caller): Place {
    return { version, tree, rights: this.#backend.rights(caller) };
  }

  /** The whole selection at one moment, and where that is; the reading is to be closed. */
  async whole(caller: Caller, terms: PushTerms): Promise<{ readonly place: Place; readonly reading: Reading }> {
    for (;;) {
      const place = this.place(caller);
      const reading = await this.#backend.read(caller, requestOf(terms));
      if (reading.version === place.version) return { place, reading };
      // A commit came between the two.
      reading.close();
    }
  }

  /**
   * What has changed of the selection since `from`. What the receiver may read no more is gone for him, what he may read now has come
   * (RFC 8641 §3.9): then the tables are read whole, otherwise what differs of them.
   */
  async since(caller: Caller, terms: PushTerms, from: Place): Promise<Differences> {
    const view = this.#backend.view();
    const close = () => view.close();
    try {
      const to = this.#placeOf(view, caller);
      const rows = await this.#rows(view, from.version, view.version);
      if (!rows) {
        close();
        return { to, steps: undefined, close: () => undefined };
      }
      const isAlike = from.rights.mark === to.rights.mark;
      const before = isAlike ? sideOf(view, from.tree, rows, 'before') : viewBefore(view, from.tree, rows);
      const after = isAlike ? sideOf(view, to.tree, rows, 'after') : view;
      const [old, fresh] = [readAt(terms, from, before), readAt(terms, to, after)];
      const steps = isAlike
        ? readingDifferences(old, fresh, from.tree, to.tree, to.rights.mayRead)
        : wholeDifferences(old, fresh);
      return { to, steps, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** What of the selection one commit after another changed, with the rights of `from`; undefined as for `since`. */
  async between(terms: PushTerms, from: Place, running: Running): Promise<Differences> {
    const view = this.#backend.view();
    const close = () => view.close();
    try {
      const to = { ...running, rights: from.rights };
      const rows = await this.#rows(view, from.version, to.version);
      if (!rows) {
        close();
        return { to, steps: undefined, close: () => undefined };
      }
      const read = (place: Place, side: 'before' | 'after') =>
        readAt(terms, place, sideOf(view, place.tree, rows, side));
      const [old, fresh] = [read(from, 'before'), read(to, 'after')];
      return { to, steps: readingDifferences(old, fresh, from.tree, to.tree, to.rights.mayRead), close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** About how many bindings an update may hold. */
  bindings({ filter }: PushTerms): number {
    const list = this.#schema.find(BINDING_PATH);
    if (!list || !isWanted(filter?.selection, list)) return 0;
    const keys = askedKeys(filter?.selection, list);
    if (keys) return keys.length;
    const view = this.#backend.view();
    try {
      return [...view.history.aftrs].reduce((sum, aftr) => sum + view.count(aftr), 0);
    } finally {
      view.close();
    }
  }

  /** The least period for so many bindings, in hundredths of a second: an update then takes a small part of it. */
  leastPeriod(bindings: number): number {
    return LIMITS.periodCs * (1 + Math.floor(bindings / LIMITS.bindingsPerPeriod));
  }

  #rows(view: View, from: number, to: number): Promise<RowDifferences | undefined> {
    const key = `${from} ${to}`;
    if (this.#last?.key === key) return this.#last.rows;
    const rows = collectRows(view, from, to);
    this.#last = { key, rows };
    // Whoever asked is told of a failure; the next one tries again.
    rows.catch(() => {
      this.#last = undefined;
    });
    return rows;
  }
}

/** The selection of a place, with the rows of `shown`. */
function readAt(terms: PushTerms, { tree, rights: { mayRead } }: Place, shown: View): Reading {
  const { content, withDefaults = 'explicit', selection } = requestOf(terms);
  return openReading(tree, shown, { content, withDefaults, selection, readsAll: false, mayRead });
}

/** Of operational, defaults are shown as get-data shows them (RFC 8526 §3.1.1.2); changes of state are not told. */
function requestOf({ datastore, filter, trigger }: PushTerms): ReadRequest {
  const selection = filter?.selection;
  if (datastore === 'running') return { datastore: 'running', content: 'config', selection };
  const content = trigger.kind === 'on-change' ? 'config' : 'all';
  return { datastore: 'running', content, withDefaults: 'report-all', selection };
}

/**
 * What every face can do, after its own parsing: NETCONF, RESTCONF and the command line share everything from here on.
 * Each call is checked against access control and then goes to the datastores.
 */

import type { CommitParameters } from '../state/confirmed.ts';
import type { DataNode } from '../state/data.ts';
import type { Datastores, View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import type { PartialLock } from '../state/partial-locks.ts';
import type { Authorize, Caller, DatastoreName, Edition, EditRequest, ValueCheck } from '../state/request.ts';
import type { Schema, SchemaNode } from '../state/schema.ts';
import type { AccessControl } from './access.ts';
import { authorizeBy } from './access.ts';
import type { ActionOutput } from './actions.ts';
import { runAction } from './actions.ts';
import { reshapeFor } from './copy-defaults.ts';
import { discreet, hideState, mayReach } from './discretion.ts';
import type { EntryList, EntryLists } from './entry-list.ts';
import type { EventStreams, SubscriptionRequest } from './events/streams.ts';
import type { Sink, Subscription } from './events/subscription.ts';
import { nodesToLock } from './lock-nodes.ts';
import { NetconfStatistics } from './netconf-statistics.ts';
import type { OriginOptions } from './origin.ts';
import type { Content, ReadOptions, WithDefaults } from './read-options.ts';
import type { Reading } from './reading.ts';
import { openSlicedReading } from './reading.ts';
import type { TableRights } from './row-rights.ts';
import { tableRights } from './row-rights.ts';
import type { AnySelection } from './selection.ts';
import type { SessionInfo, StateData } from './state-data.ts';
import type { StoreOperation } from './store-care.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import type { XPathSelection } from './xpath/selection.ts';

export interface OperationParts {
  readonly schema: Schema;
  readonly check: ValueCheck;
  readonly datastores: Datastores;
  readonly access: AccessControl;
  readonly events: EventStreams;
  /** Told of a change of startup. */
  readonly onStartupChanged: (caller: Caller) => void;
  readonly state: StateData;
  readonly storeOperations: Readonly<Record<string, StoreOperation>>;
  /** Text of a module that is loaded: implemented, imported or a submodule. */
  readonly moduleSource: (name: string, revision: string | undefined, format: 'yang' | 'yin') => string | undefined;
}

/** The one operation of route sources. */
export function isAdvertisement(module: string, operation: string): boolean {
  return module === 'gi-4over6' && operation === 'advertise-routes';
}

export interface ReadRequest {
  readonly datastore: DatastoreName;
  readonly content: Content;
  readonly selection?: AnySelection | undefined;
  readonly withDefaults?: WithDefaults | undefined;
  readonly depth?: number | undefined;
  readonly maxDepth?: number | undefined;
  readonly origins?: OriginOptions | undefined;
  /** Of operational state: bindings that were learned are there, beside those of running. */
  readonly isOperational?: boolean;
  /** Rows are wanted as nodes with children, not as what is fast to print. */
  readonly asNodes?: boolean;
}

type ReadRights = Pick<ReadOptions, 'readsAll' | 'mayRead' | 'readsNone' | 'ofRows'>;

/** A datastore at one moment, as one caller may read it. */
export interface Moment extends Pick<ReadRights, 'mayRead'> {
  readonly view: View;
  /** What the caller sees of the rows of a table that he may read. */
  readonly ofRows: (table: DataNode, list?: SchemaNode) => TableRights;
  /** A reading of it, with rows as `shown` has them and this list in the place of that of its schema; closing it closes the view. */
  open(request: ReadRequest, shown?: View, list?: EntryList): Promise<Reading>;
  /** As StateData.entryList. */
  entryList(above: DataNode, list: EntryList['schema']): EntryList | undefined;
}

const NO_LISTS: EntryLists = new Map();

interface Shown {
  readonly view: View;
  readonly shown: View;
  readonly list: EntryList | undefined;
}

export class Operations {
  readonly schema: Schema;
  readonly check: ValueCheck;
  readonly #datastores: Datastores;
  readonly #access: AccessControl;
  readonly #events: EventStreams;
  readonly #onStartupChanged: OperationParts['onStartupChanged'];
  readonly #state: StateData;
  readonly #storeOperations: OperationParts['storeOperations'];
  readonly #moduleSource: OperationParts['moduleSource'];
  readonly #sessions = new Map<number, SessionInfo>();
  #subscriptions: Subscriptions | undefined;
  /** Of the NETCONF server. */
  readonly statistics = new NetconfStatistics();
  /** Of the NETCONF hello, as the last one was sent: for monitoring. */
  capabilities: readonly string[] = [];

  constructor(parts: OperationParts) {
    this.schema = parts.schema;
    this.check = parts.check;
    this.#datastores = parts.datastores;
    this.#access = parts.access;
    this.#events = parts.events;
    this.#onStartupChanged = parts.onStartupChanged;
    this.#state = parts.state;
    this.#storeOperations = parts.storeOperations;
    this.#moduleSource = parts.moduleSource;
  }

  /**
   * May this caller execute the operation (RFC 8341 §3.4.4)?
   * @throws ManagementError access-denied
   */
  authorizeOperation(caller: Caller, module: string, operation: string): void {
    // Its face let it in for this alone.
    if (caller.isRouteSource && isAdvertisement(module, operation)) return;
    const schema = this.schema.root.child(operation, module);
    if (this.#access.rightsOf(caller).mayExecute(module, operation, schema)) return;
    throw new ManagementError('access-denied', {
      type: 'protocol',
      path: `/${module}:${operation}`,
      message: `user ${caller.user} has no right to execute ${operation}`,
    });
  }

  /**
   * May this caller name files of configurations? What they hold no rule knows: it takes the right to read everything. What
   * comes back is asked where one would be replaced, which deletes what it was, and counts as a denial.
   * @throws ManagementError access-denied
   */
  authorizeFiles(caller: Caller): () => boolean {
    const rights = this.#access.rightsOf(caller);
    if (!rights.readsAll) {
      const message = `user ${caller.user} may not read everything, and files hold whole configurations`;
      throw new ManagementError('access-denied', { type: 'protocol', message, info: { 'bad-element': 'url' } });
    }
    const schema = this.schema.root.child('delete-config', 'ietf-netconf');
    return () => rights.mayExecute('ietf-netconf', 'delete-config', schema);
  }

  /** One consistent reading; the caller closes it. State data (content other than `config`) comes from running only. */
  async read(caller: Caller, request: ReadRequest): Promise<Reading> {
    const moment = this.moment(caller, request.datastore, request.isOperational);
    try {
      return await moment.open(request);
    } catch (error) {
      moment.view.close();
      throw error;
    }
  }

  /** A datastore as it is now, for several readings; whoever asks for it closes the view. */
  moment(caller: Caller, datastore: DatastoreName, isOperational = false): Moment {
    const configured = this.#datastores.view(datastore);
    const view = isOperational ? configured.active : configured;
    const rights = this.#reading(caller);
    const { mayRead } = rights;
    const ofCaller = this.#access.rightsOf(caller);
    return {
      view,
      mayRead,
      ofRows: (table, list) => tableRights(ofCaller, table, list),
      open: (request, shown = view, list = undefined) => this.#open(caller, rights, request, { view, shown, list }),
      entryList: (above, list) => this.#state.entryList(above, list),
    };
  }

  async #open(
    caller: Caller,
    rights: ReadRights,
    request: ReadRequest,
    { view, shown, list }: Shown,
  ): Promise<Reading> {
    const { selection, content } = request;
    const { tree: source, lists } =
      content === 'config'
        ? { tree: view.tree, lists: NO_LISTS }
        : await this.#state.addTo(view.tree, {
            view,
            selection,
            isOperational: request.isOperational,
            datastores: this.#datastores,
            sessions: [...this.#sessions.values()],
            capabilities: this.capabilities,
            statistics: this.statistics,
            subscriptions: () => this.subscriptions.state(),
          });
    if (source !== view.tree) this.#hideState(caller, source);
    const options = {
      selection,
      content,
      withDefaults: request.withDefaults ?? 'explicit',
      depth: request.depth,
      maxDepth: request.maxDepth,
      origins: request.origins,
      ...rights,
      lists: list ? replaced(lists, list) : lists,
      // Chosen rows go out in their order.
      ...(shown !== view && { ofRows: undefined }),
      ...(request.asNodes && { readsAll: false, ofRows: undefined }),
    };
    const statistics = content === 'config' ? undefined : this.#state.bindingStatistics(view, selection);
    return openSlicedReading(source, shown, options, statistics);
  }

  /**
   * A binding of running by its prefix (see `prefixNumber`), as its row; undefined when there is none, or when it takes more than the
   * row to say what the caller may read of it.
   */
  row(caller: Caller, aftr: string, prefix: number): ReturnType<Datastores['row']> {
    const isPlain = this.#access.rightsOf(caller).readsAll && !this.#state.countsBindings(this.#datastores, aftr);
    return isPlain ? this.#datastores.row(aftr, prefix) : undefined;
  }

  edit(caller: Caller, request: EditRequest): Promise<Edition> {
    return this.#discreetly(caller, this.#datastores.edit(caller, request, this.#authorize(caller)));
  }

  /** copy-config: `source` is a datastore or a whole configuration with its rows as entries. */
  async copy(
    caller: Caller,
    source: DatastoreName | DataNode,
    target: DatastoreName,
    withDefaults?: WithDefaults,
  ): Promise<void> {
    const reshape = reshapeFor(withDefaults, this.#reading(caller).mayRead);
    // Saving running as it is asks for no right to data (RFC 8341 §3.2.6).
    const isSaving = source === 'running' && target === 'startup' && !reshape;
    const authorize = isSaving ? undefined : this.#authorize(caller);
    await this.#discreetly(caller, this.#datastores.copy(caller, source, target, authorize, reshape));
    if (target === 'startup') this.#onStartupChanged(caller);
  }

  async deleteConfig(caller: Caller, target: DatastoreName): Promise<void> {
    if (target === 'startup') {
      await this.#datastores.deleteStartup(caller, this.#authorize(caller));
      return this.#onStartupChanged(caller);
    }
    throw new ManagementError('operation-not-supported', {
      type: 'protocol',
      message: `only startup can be deleted; ${target} came`,
    });
  }

  lock(caller: Caller, datastore: DatastoreName): Promise<void> {
    return this.#datastores.lock(caller, datastore);
  }

  unlock(caller: Caller, datastore: DatastoreName): void {
    this.#datastores.unlock(caller, datastore);
  }

  /** partial-lock (RFC 5717): `select` are the expressions as they came. @throws ManagementError as `nodesToLock`, `Datastores.partialLock` */
  partialLock(caller: Caller, select: readonly string[], selections: readonly XPathSelection[]): Promise<PartialLock> {
    const rights = { mayRead: this.#reading(caller).mayRead, authorize: this.#authorize(caller) };
    const locked = this.#datastores.partialLock(caller, select, (view) => nodesToLock(view, selections, rights));
    return this.#discreetly(caller, locked);
  }

  partialUnlock(caller: Caller, id: number): void {
    this.#datastores.partialLocks.release(caller, id);
  }

  /** commit; `parameters` are those of a confirmed commit (RFC 6241 §8.4). */
  commit(caller: Caller, comment?: string, parameters?: CommitParameters): Promise<void> {
    return this.#discreetly(caller, this.#datastores.commit(caller, this.#authorize(caller), comment, parameters));
  }

  cancelCommit(caller: Caller, persistId: string | undefined): Promise<void> {
    return this.#discreetly(caller, this.#datastores.cancelCommit(caller, persistId));
  }

  discard(caller: Caller): Promise<void> {
    return this.#datastores.discard(caller);
  }

  validate(caller: Caller, source: DatastoreName | DataNode): Promise<void> {
    return this.#discreetly(caller, this.#datastores.validate(source));
  }

  /** get-schema (RFC 6022 §3.1): text of one loaded module. @throws ManagementError invalid-value; operation-failed for several */
  moduleText(identifier: string, version: string | undefined, format: string): string {
    const name = format.slice(format.indexOf(':') + 1);
    if (name !== 'yang' && name !== 'yin') {
      throw new ManagementError('invalid-value', { message: `format '${format}': expected yang or yin` });
    }
    const revisions = this.schema.modules.filter((module) => module.name === identifier);
    if (version === undefined && revisions.length > 1) {
      const known = revisions.map(({ revision }) => revision ?? "''").join(', ');
      const message = `several revisions of ${identifier} are loaded: expected one of ${known} as version`;
      throw new ManagementError('operation-failed', { appTag: 'data-not-unique', message });
    }
    const text = this.#moduleSource(identifier, version === '' ? undefined : version, name);
    if (text !== undefined) return text;
    const revision = version === undefined ? '' : ` of revision ${version}`;
    throw new ManagementError('invalid-value', {
      message: `no module or submodule ${identifier}${revision} is loaded`,
    });
  }

  /**
   * An operation of our model, whose right to be executed was asked before, or a YANG 1.1 action: `action` is a node of its
   * schema, the parents name the instance, `input` is a node of its input, `selection` the filter in it where that was read.
   */
  async action(caller: Caller, action: DataNode, input: DataNode, selection?: AnySelection): Promise<ActionOutput> {
    if (action.schema.kind === 'action') this.#authorizeAction(caller, action);
    const onStore = this.#storeOperations[action.schema.path];
    if (onStore) return { output: await onStore(action, input, caller) };
    const { readsAll, mayRead, readsNone } = this.#reading(caller);
    const rights = this.#access.rightsOf(caller);
    const authorize = this.#authorize(caller);
    const read = (request: ReadRequest) => this.read(caller, request);
    const { schema, check } = this;
    const context = {
      caller,
      datastores: this.#datastores,
      readsAll,
      mayRead,
      readsNone,
      rights,
      authorize,
      read,
      selection,
      schema,
      check,
    };
    return this.#discreetly(caller, runAction(context, action, input));
  }

  #reading(caller: Caller): ReadRights {
    const rights = this.#access.rightsOf(caller);
    if (rights.readsAll) return { readsAll: true, mayRead: () => true };
    return {
      readsAll: false,
      mayRead: (node) => rights.may(node, 'read'),
      readsNone: (schema, above) => rights.readsNone(schema, above),
      ofRows: (table, list) => tableRights(rights, table, list),
    };
  }

  #hideState(caller: Caller, root: DataNode): void {
    const rights = this.#access.rightsOf(caller);
    if (!rights.readsAll) hideState(root, rights, this.schema);
  }

  /** What was asked for; a refusal does not tell of what the caller may not read. */
  async #discreetly<Result>(caller: Caller, work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      throw discreet(error, this.#access.rightsOf(caller), this.schema);
    }
  }

  #authorizeAction(caller: Caller, action: DataNode): void {
    const rights = this.#access.rightsOf(caller);
    const { module, name } = action.schema;
    // Each node above as well (§3.4.4): or the answer would tell whether the instance is there.
    const isReached = !action.parent || rights.readsAll || mayReach(rights, action.parent);
    if (isReached && rights.mayExecute(module, name, action.schema)) return;
    const message = `user ${caller.user} has no right to execute ${name}`;
    throw new ManagementError('access-denied', { path: action.path, message });
  }

  /** A subscription to events, which begins when it is told to. */
  subscribe(caller: Caller, request: SubscriptionRequest, sink: Sink): Subscription {
    return this.#events.subscribe(caller, request, sink);
  }

  /** Dynamic subscriptions of RFC 8639. */
  get subscriptions(): Subscriptions {
    this.#subscriptions ??= this.#openSubscriptions();
    return this.#subscriptions;
  }

  #openSubscriptions(): Subscriptions {
    const subscriptions = new Subscriptions({
      schema: this.schema,
      check: this.check,
      streams: this.#events,
      configuration: () => this.#datastores.runningTree,
      push: {
        read: (caller, request) => this.read(caller, request),
        view: () => this.#datastores.view('running'),
        rights: (caller) => {
          const { mayRead } = this.#reading(caller);
          return { mayRead, mark: this.#access.rightsOf(caller).readingMark };
        },
      },
    });
    // Whoever committed gets his answer first.
    this.#datastores.onCommit(({ treeChanged }) => {
      const { version, tree, close } = this.#datastores.view('running');
      close();
      setImmediate(() => subscriptions.committed({ version, tree }, treeChanged));
    });
    return subscriptions;
  }

  sessionStarted(session: SessionInfo): void {
    this.#sessions.set(session.session, session);
  }

  /** The session is gone: its locks with it (RFC 6241 §7.5). */
  sessionEnded(session: number): void {
    this.#sessions.delete(session);
    this.#datastores.releaseSession(session);
  }

  #authorize(caller: Caller): Authorize | undefined {
    const rights = this.#access.rightsOf(caller);
    return rights.writesAll ? undefined : authorizeBy(rights);
  }
}

function replaced(lists: EntryLists, list: EntryList): EntryLists {
  const own = (known: EntryList) => (known.schema === list.schema ? list : known);
  return new Map(Array.from(lists, ([above, below]) => [above, below.map(own)]));
}

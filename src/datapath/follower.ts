/**
 * The tables follow the store.
 *
 *   1. a fresh snapshot; what changed since the version that is applied
 *   2. changed tunnel addresses and modes, in one moment
 *   3. shared addresses that are new or changed; those that go, after the rows
 *   4. rows: those that changed; or all of them anew when that is not on record, when an AFTR came or went, or when its
 *      addresses changed; at a start those that changed since the image of the table, if there is one
 *
 * Up to HELD_ROWS changed rows become visible in one moment. More do so row by row. Either way removals come after everything new, so
 * that a gateway whose only binding moves to another prefix is never without one, and goes on counting.
 */

import type { Ipv4Prefix } from '../address.ts';
import { readConfiguration } from '../state/configuration-reader.generated.ts';
import { ContentHash } from '../state/content-hash.ts';
import { aftrOfTable, isOperational, withLearnedAftrs } from '../state/learned/tables.ts';
import { BINDING_CAPACITY, MAX_PORT_SETS, SERVED_PREFIX_CAPACITY } from '../state/limits.ts';
import type { Softwire as Configuration } from '../state/model.generated.ts';
import { DamageError } from '../state/model-values.ts';
import type { StoreReader } from '../state/reader.ts';
import type { RowChange } from '../state/request.ts';
import { inSlices } from '../state/row-changes.ts';
import { prefixNumber } from '../state/rows.ts';
import type { Pages } from './arena.ts';
import { planInstances } from './configuration.ts';
import type { Role } from './engine.ts';
import { endpointsOf, isOfGateway, withServed } from './followed-configuration.ts';
import { Forwarding } from './forwarding.ts';
import type { KeptOf, KeptTable } from './kept-table.ts';
import type { PreparedChange, WantedRow } from './table.ts';

export type Store = Pick<
  StoreReader,
  'renew' | 'configuration' | 'served' | 'learnedAftr' | 'passingBindings' | 'changes' | 'contentHash'
>;

export const ROLES: readonly Role[] = ['gateway', 'aftr'];

const HELD_ROWS = 1_000;
const SLICE_ROWS = 5_000;
const PARTED = 'its content hash is not that of the rows it gave';
const NOTHING = readConfiguration({});

export class Follower {
  readonly #store: Store;
  readonly #workers: number;
  readonly #pages: Pages;
  readonly #kept: KeptTable | undefined;
  readonly #onForwarding: (role: Role, forwarding: Forwarding) => void;
  readonly #forwarding = new Map<Role, Forwarding>();
  #version = -1;
  /** Whether the tables may lack rows of the configuration: reading them all anew was begun and did not come to its end. */
  #isBehind = false;
  #configuration: Configuration = NOTHING;
  #broadcasts: readonly number[] = [];
  #hosts: readonly number[] = [];
  #hash: ContentHash | undefined = new ContentHash();
  #summing: Promise<void> = Promise.resolve();
  #damage = '';
  /** Whether the sum of the rows is another than the store says of this version. */
  #hasParted = false;
  #isFollowing = false;
  /** How often the tables may have changed. */
  #follows = 0;
  #rowsRead = 0;
  /** The version of the store in which damage was met. */
  #damagedVersion = -1;

  /**
   * `onForwarding` is told what a role forwards by when it gets its first instance, before a row is read. `kept` is where the table of
   * an AFTR is kept from one start to the next.
   */
  constructor(
    store: Store,
    workers: number,
    pages: Pages,
    onForwarding: (role: Role, forwarding: Forwarding) => void = () => undefined,
    kept?: KeptTable,
  ) {
    this.#kept = kept;
    this.#onForwarding = onForwarding;
    this.#store = store;
    this.#workers = workers;
    this.#pages = pages;
  }

  /** The version that is applied; -1 before the first. */
  get version(): number {
    return this.#version;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** How many rows of the store were read so far, each as often as it was. */
  get rowsRead(): number {
    return this.#rowsRead;
  }

  /**
   * Sum over the rows that were applied, or what an image has of it, and not a word of the store: it differs from that of the store when the two have
   * parted. Empty while rows are applied, and while it is made after all rows were read anew.
   */
  get contentHash(): string {
    return this.#isFollowing ? '' : (this.#hash?.text ?? '');
  }

  /** When the sum is made. */
  get summed(): Promise<void> {
    return this.#summing;
  }

  /**
   * Damage of the store that was met while it was followed; empty when there is none. What was read before it is
   * forwarded by, the rest as before: `version` has not moved.
   */
  get damage(): string {
    return this.#damage !== '' || !this.#hasParted ? this.#damage : PARTED;
  }

  /** Makes the broadcast addresses of this device's links, and its own addresses on them, those given, for all roles. */
  setLinkAddresses(broadcasts: readonly number[], hosts: readonly number[]): void {
    this.#broadcasts = broadcasts;
    this.#hosts = hosts;
    for (const forwarding of this.#forwarding.values()) forwarding.setLinkAddresses(broadcasts, hosts);
  }

  /** What a role forwards by; undefined as long as it never had an instance. */
  forwarding(role: Role): Forwarding | undefined {
    return this.#forwarding.get(role);
  }

  /**
   * Keeps the table of the AFTRs for the next start, when it is known to be just that of the store. Workers have ended, and nothing is
   * asked any more. @throws Error of the file system
   */
  keep(): void {
    const aftrs = this.#forwarding.get('aftr');
    const of = this.#keptOf();
    if (aftrs && of) this.#kept?.keep(aftrs, of);
    else this.#kept?.remove();
  }

  /**
   * Keeps it while it is in use, when that is due: a start behind a crash has little to read then. True when it was kept; `ending` ends it before.
   * @throws Error of the file system
   */
  async keepInCalm(ending?: AbortSignal): Promise<boolean> {
    const aftrs = this.#forwarding.get('aftr');
    const of = this.#keptOf();
    if (!aftrs || !of || this.#isFollowing || !this.#kept?.isDue(aftrs)) return false;
    const follows = this.#follows;
    return this.#kept.keepMeanwhile(aftrs, of, () => this.#follows !== follows || ending?.aborted === true);
  }

  /** What the table is of; undefined as long as it is not known to be just that of the store. */
  #keptOf(): KeptOf | undefined {
    const contentHash = this.#store.contentHash();
    const isGood = !this.#isBehind && this.damage === '' && this.#hash?.text === contentHash;
    return isGood ? { version: this.#version, contentHash } : undefined;
  }

  /**
   * Brings the tables to the newest version of the store; true when the small tree changed with it. A version with damage
   * is left, and only a newer one tried. @throws DamageError when there is nothing yet to forward by
   */
  async follow(): Promise<boolean> {
    // It reads the snapshot that this one renews.
    await this.#summing;
    const version = this.#store.renew();
    if (version === this.#version || version === this.#damagedVersion) return false;
    this.#isFollowing = true;
    this.#follows++;
    try {
      const treeChanged = await this.#followTo(version);
      if (this.#damagedVersion >= 0) this.#damage = '';
      this.#damagedVersion = -1;
      return treeChanged;
    } catch (error) {
      if (!(error instanceof DamageError) || this.#version < 0) throw error;
      this.#damagedVersion = version;
      this.#damage = error.message;
      return false;
    } finally {
      this.#isFollowing = false;
    }
  }

  async #followTo(version: number): Promise<boolean> {
    const changes = this.#version < 0 ? undefined : await this.#store.changes(this.#version);
    const areGatewaysChanged = changes?.rows?.some(({ instance }) => isOfGateway(instance)) ?? true;
    const treeChanged = !changes || changes.treeChanged || areGatewaysChanged;
    let isWhole = this.#isBehind || changes?.rows === undefined;
    let sinceImage: readonly RowChange[] | undefined;
    let removeUnshared = (): void => undefined;
    if (treeChanged) {
      const before = this.#configuration;
      const configured = readConfiguration(this.#store.configuration());
      const withAftrs = withLearnedAftrs(configured, (gateway) => this.#store.learnedAftr(gateway));
      this.#configuration = withServed(withAftrs, this.#store.served());
      this.#setInstances(withAftrs);
      isWhole ||= endpointsOf(before) !== endpointsOf(this.#configuration);
      this.#isBehind = isWhole;
      await this.#synchronizeGateways();
      if (this.#version < 0) sinceImage = await this.#restore(version);
      removeUnshared = this.#forwarding.get('aftr')?.putSharedAddresses() ?? removeUnshared;
    }
    if (sinceImage) await this.#replay(sinceImage);
    else if (isWhole) await this.#synchronizeBindings();
    else await this.#applyRows(changes?.rows ?? []);
    this.#isBehind = false;
    removeUnshared();
    for (const forwarding of this.#forwarding.values()) forwarding.releaseNumbers();
    this.#version = version;
    this.#compare();
    return treeChanged;
  }

  /** `configured` is the configuration without what gateways learned to serve. */
  #setInstances(configured: Configuration): void {
    for (const role of ROLES) {
      const plans = planInstances(role, this.#configuration, configured);
      if (plans.length > 0 && !this.#forwarding.has(role)) {
        const capacity = role === 'gateway' ? SERVED_PREFIX_CAPACITY : BINDING_CAPACITY + MAX_PORT_SETS;
        const seed = role === 'aftr' ? this.#kept?.seed : undefined;
        const forwarding = new Forwarding(role, this.#workers, capacity, this.#pages, seed);
        this.#forwarding.set(role, forwarding);
        this.#onForwarding(role, forwarding);
      }
      this.#forwarding.get(role)?.setInstances(plans);
      this.#forwarding.get(role)?.setLinkAddresses(this.#broadcasts, this.#hosts);
    }
  }

  async #synchronizeGateways(): Promise<void> {
    await this.#forwarding.get('gateway')?.synchronizeServedPrefixes(pause);
  }

  /**
   * Takes the rows as they were kept, if they were those of a version of this store, and gives what changed since: behind a crash the
   * image is of the last orderly end, or of a calm moment after it.
   */
  async #restore(version: number): Promise<readonly RowChange[] | undefined> {
    const aftrs = this.#forwarding.get('aftr');
    const of = aftrs && this.#kept?.of;
    const since = of && (await this.#changesSince(of, version));
    if (!(await this.#kept?.restore(aftrs, since && of))) return undefined;
    this.#hash = new ContentHash(of?.contentHash);
    return since;
  }

  /** Undefined when that is not on record, or when what was kept is not what the store had in that version. */
  async #changesSince(kept: KeptOf, version: number): Promise<readonly RowChange[] | undefined> {
    const hash = new ContentHash(this.#store.contentHash());
    try {
      const rows = kept.version === version ? [] : (await this.#store.changes(kept.version))?.rows;
      if (!rows) return undefined;
      await inSlices(rows, ({ instance, before, after }) => {
        if (after) hash.subtractBinding(instance, after);
        if (before) hash.addBinding(instance, before);
      });
      return hash.text === kept.contentHash ? rows : undefined;
    } catch {
      // Damage of the history, whatever it did to who read it. The rows may be whole.
      return undefined;
    }
  }

  async #synchronizeBindings(): Promise<void> {
    const aftrs = this.#forwarding.get('aftr');
    this.#hash = undefined;
    this.#kept?.changed(Number.POSITIVE_INFINITY);
    this.#isBehind = true;
    if (aftrs?.bindings === 0) await aftrs.rows.load(this.#store.passingBindings(), aftrOfTable, pause);
    else await aftrs?.rows.synchronize(this.#wantedBindings(aftrs), pause);
    this.#isBehind = false;
    this.#damage = '';
    this.#rowsRead += aftrs?.bindings ?? 0;
    // Without a sum, nothing is said to be equal to the store.
    this.#summing = this.#sum().catch((error: unknown) => {
      if (!(error instanceof DamageError)) throw error;
      this.#damage = error.message;
    });
  }

  /** In slices, after the rows are forwarded by: nobody waits for it. */
  async #sum(): Promise<void> {
    const hash = new ContentHash();
    let rows = 0;
    for (const { instance, binding } of this.#store.passingBindings()) {
      hash.addBinding(instance, binding);
      if (++rows % SLICE_ROWS === 0) await pause();
    }
    this.#hash = hash;
    this.#rowsRead += rows;
    this.#compare();
  }

  /** Rows may be damaged so that each looks like one: in their sum it is seen. */
  #compare(): void {
    if (this.#hash) this.#hasParted = this.#hash.text !== this.#store.contentHash();
  }

  *#wantedBindings(aftrs: Forwarding): Generator<WantedRow> {
    for (const { instance, binding } of this.#store.passingBindings()) {
      const aftr = aftrOfTable(instance);
      const row = aftr === undefined ? undefined : aftrs.rows.wantedBinding(aftr, binding);
      if (row) yield row;
    }
  }

  /** What changed since the image. No packet is forwarded yet, and the table may be full: so first goes what goes. */
  async #replay(rows: readonly RowChange[]): Promise<void> {
    const aftrs = this.#forwarding.get('aftr');
    this.#rowsRead += rows.length;
    this.#kept?.changed(rows.length);
    await inSlices(rows, (row) => this.#hashRow(row));
    if (aftrs) await showEach(aftrs, await withoutMoved(rows), [true, false]);
  }

  async #applyRows(rows: readonly RowChange[]): Promise<void> {
    const aftrs = this.#forwarding.get('aftr');
    this.#rowsRead += rows.length;
    this.#kept?.changed(rows.length);
    await inSlices(rows, (row) => this.#hashRow(row));
    const forwarded = await withoutMoved(rows);
    if (!aftrs || forwarded.length === 0) return;
    if (forwarded.length <= HELD_ROWS) {
      const inOrder = [...forwarded.filter(({ after }) => after), ...forwarded.filter(({ after }) => !after)];
      aftrs.rows.showTogether(prepared(aftrs, inOrder));
      return;
    }
    await showEach(aftrs, forwarded, [false, true]);
  }

  #hashRow({ instance, before, after }: RowChange): void {
    if (before) this.#hash?.subtractBinding(instance, before);
    if (after) this.#hash?.addBinding(instance, after);
  }
}

/** One change after the other, removals or what is new first. */
async function showEach(aftrs: Forwarding, rows: readonly RowChange[], order: readonly boolean[]): Promise<void> {
  for (const isRemoval of order) {
    await inSlices(rows, (row) => {
      if ((row.after === undefined) === isRemoval) aftrs.rows.showEach(prepared(aftrs, [row]));
    });
  }
}

/** Each change when it is asked for. */
function* prepared(aftrs: Forwarding, rows: readonly RowChange[]): Generator<PreparedChange | undefined> {
  for (const { instance, before, after } of rows) {
    const aftr = aftrOfTable(instance) ?? instance;
    const wanted = after && aftrs.rows.wantedBinding(aftr, after);
    const gone = after ?? before;
    if (wanted) yield aftrs.rows.preparePut(wanted);
    else if (gone) yield aftrs.rows.prepareRemovalOf(aftr, gone);
  }
}

/** The rows that bindings are forwarded by. One that moves between running's table and the learned one is there all the time. */
async function withoutMoved(rows: readonly RowChange[]): Promise<readonly RowChange[]> {
  if (!rows.some(({ instance }) => isOperational(instance))) return rows;
  /** By AFTR. */
  const put = new Map<string, Set<number>>();
  const numberOf = ({ address, length }: Ipv4Prefix) => prefixNumber(address, length);
  await inSlices(rows, ({ instance, after }) => {
    const aftr = aftrOfTable(instance);
    if (!after || aftr === undefined) return;
    const numbers = put.get(aftr) ?? new Set();
    numbers.add(numberOf(after));
    put.set(aftr, numbers);
  });
  const forwarded: RowChange[] = [];
  await inSlices(rows, (row) => {
    const aftr = aftrOfTable(row.instance);
    if (aftr === undefined) return;
    if (row.after || !row.before || !put.get(aftr)?.has(numberOf(row.before))) forwarded.push(row);
  });
  return forwarded;
}

/** Lets messages and timers have their turn. */
function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * What the alarms are made of, brought to them:
 *
 *   1. each second the datapath is asked what its workers saw, which costs it next to nothing
 *   2. every few seconds, and less often where a look at the kernel takes long, it is asked whether its instances forward
 *   3. a connection that is lost and a version that was not followed to in time are seen at once, binding tables and the
 *      configuration at each commit
 */

import { performance } from 'node:perf_hooks';
import type { InstanceState } from '../../control.ts';
import type { Log } from '../../log.ts';
import type { DataNode } from '../../state/data.ts';
import type { Datastores } from '../../state/datastores.ts';
import { learnedTable } from '../../state/learned/tables.ts';
import { BINDING_CAPACITY } from '../../state/limits.ts';
import type { DatapathClient } from '../datapath-client.ts';
import type { EventLog } from '../events/event-log.ts';
import type { StoreWatch } from '../store-watch.ts';
import { alarmControl, alarmState } from './alarm-data.ts';
import { AlarmFile } from './alarm-file.ts';
import { AlarmList } from './alarm-list.ts';
import type { ConfiguredInstance } from './instances.ts';
import type { Moment, RouteConditions, TableFill } from './monitor.ts';
import { AlarmMonitor } from './monitor.ts';

const LOOK_MS = 1_000;
/** From a loss of the connection to the look at whether it came back. */
const GONE_MS = 350;
const STATUS_MS = 5_000;
const THRESHOLD = 'softwire-num-threshold';
/** A look at the kernel may cost this part of the time. */
const STATUS_PART = 0.05;

export interface AlarmWatchParts {
  /** Where the list is kept. */
  readonly file: string;
  readonly datapath: Pick<DatapathClient, 'observe' | 'status' | 'behind' | 'isConnected' | 'onChange'>;
  readonly datastores: Pick<Datastores, 'head' | 'onCommit' | 'diskProblem'>;
  /** The root of the running configuration. */
  readonly configuration: () => DataNode;
  readonly watch: Pick<StoreWatch, 'problems'>;
  /** What is wrong with routes that are advertised, at a moment of the steady clock. */
  readonly routes: (steadyMs: number) => RouteConditions;
  readonly events: Pick<EventLog, 'add'>;
  readonly log: Log;
}

export class AlarmWatch {
  readonly #parts: AlarmWatchParts;
  readonly #file: AlarmFile;
  readonly list: AlarmList;
  readonly #monitor: AlarmMonitor;
  #timers: NodeJS.Timeout[] = [];
  #goneTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;
  /** Of the steady clock. */
  #nextStatusMs = 0;
  /** What the datapath last said of its instances. */
  #states: readonly InstanceState[] | undefined;
  #written: readonly unknown[] = [];
  /** By AFTR: part of the small tree. */
  #portSets: ReadonlyMap<string, number> = new Map();

  constructor(parts: AlarmWatchParts) {
    this.#parts = parts;
    this.#file = new AlarmFile(parts.file, parts.log);
    const control = () => alarmControl(parts.configuration());
    this.list = new AlarmList(() => control().maxChanges, this.#file.read());
    const tell = (event: Readonly<Record<string, unknown>>, time: Date) => parts.events.add(event, time);
    this.#monitor = new AlarmMonitor({ list: this.list, control, tell }, now());
  }

  start(): void {
    const { datapath, datastores } = this.#parts;
    this.#timers = [setInterval(() => void this.look(), LOOK_MS).unref()];
    datapath.onChange(() => {
      clearTimeout(this.#goneTimer);
      this.#goneTimer = setTimeout(() => void this.look(), datapath.isConnected ? 0 : GONE_MS).unref();
      this.#seeLink(false);
    });
    datastores.onCommit(({ treeChanged }) => {
      if (treeChanged) this.list.trim();
      // Whoever waits for the commit does not wait for this.
      setImmediate(() => this.#seeConfiguration(treeChanged));
    });
    this.#seeConfiguration(true);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [...this.#timers, this.#goneTimer]) clearTimeout(timer);
    await this.#looking;
    await this.#file.close();
  }

  /** The state of ietf-alarms, as RFC 7951 JSON. */
  state(): Readonly<Record<string, unknown>> {
    return alarmState(this.list);
  }

  /** Writes the list where it is kept, when it is another than was written. */
  keep(): void {
    const { alarms } = this.list;
    if (alarms.length === this.#written.length && alarms.every((alarm, i) => alarm === this.#written[i])) return;
    this.#written = alarms;
    this.#file.write(alarms);
  }

  /** One look at everything that is asked for; calls wait for each other's. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#parts.log.error({ error: String(error) }, 'alarms could not be looked after'))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { datapath, watch, datastores } = this.#parts;
    const seen = await datapath.observe();
    if (this.#isClosed) return;
    this.#seeLink(seen !== undefined);
    if (seen) this.#monitor.observation(now(), seen);
    if (seen && now().steadyMs >= this.#nextStatusMs) await this.#askStatus();
    if (this.#isClosed) return;
    this.#monitor.store(now(), watch.problems);
    this.#monitor.disk(now(), datastores.diskProblem);
    this.#monitor.routes(now(), this.#parts.routes(now().steadyMs));
    this.#monitor.instances(now(), this.#instances(), this.#states);
    this.keep();
  }

  async #askStatus(): Promise<void> {
    const begun = now().steadyMs;
    this.#states = (await this.#parts.datapath.status())?.instances;
    const tookMs = now().steadyMs - begun;
    this.#nextStatusMs = begun + Math.max(STATUS_MS, tookMs / STATUS_PART);
  }

  #seeLink(hasAnswered: boolean): void {
    const { isConnected, behind } = this.#parts.datapath;
    const wasDown = this.#monitor.isDown;
    this.#monitor.datapath(now(), { isConnected, hasAnswered, behind });
    if (this.#monitor.isDown === wasDown) return;
    // What it said before is not so any more.
    this.#states = undefined;
    this.#nextStatusMs = 0;
  }

  /** The numbers of bindings follow each commit, the rest only the small tree. */
  #seeConfiguration(treeChanged: boolean): void {
    if (this.#isClosed) return;
    if (treeChanged) {
      this.#nextStatusMs = 0;
      this.#portSets = new Map(this.#aftrs().map((aftr) => [aftr.leaf('name') ?? '', countPortSets(aftr)]));
    }
    this.#monitor.tables(now(), this.#tables());
    this.keep();
  }

  #aftrs(): DataNode[] {
    return this.#parts.configuration().child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  }

  #tables(): TableFill[] {
    const { counts } = this.#parts.datastores.head();
    const fills = this.#aftrs().map((aftr) => {
      const name = aftr.leaf('name') ?? '';
      return {
        aftr: name,
        entries: (counts.get(name) ?? 0) + (counts.get(learnedTable(name)) ?? 0) + (this.#portSets.get(name) ?? 0),
        limit: aftr.leaf('softwire-num-max'),
        threshold: Number(aftr.leaf(THRESHOLD) ?? aftr.schema.child(THRESHOLD)?.defaults[0]),
      };
    });
    const all = fills.reduce((sum, { entries }) => sum + entries, 0);
    return fills.map(({ limit, ...fill }) => {
      const isOfDevice = limit === undefined || Number(limit) >= BINDING_CAPACITY;
      return isOfDevice ? { ...fill, entries: all, limit: BINDING_CAPACITY } : { ...fill, limit: Number(limit) };
    });
  }

  #instances(): ConfiguredInstance[] {
    const softwire = this.#parts.configuration().child('softwire', 'gi-4over6');
    return (['gateway', 'aftr'] as const).flatMap((role) =>
      (softwire?.entries(role) ?? []).map((node) => ({
        role,
        name: node.leaf('name') ?? '',
        enabled: node.leaf('enabled') !== 'false',
      })),
    );
  }
}

function now(): Moment {
  return { wallMs: Date.now(), steadyMs: performance.now() };
}

function countPortSets(aftr: DataNode): number {
  const shared = aftr.child('binding-table')?.entries('shared-address') ?? [];
  return shared.reduce((sum, entry) => sum + entry.entries('port-set').length, 0);
}

/**
 * What becomes an event: the base events of RFC 6470, and those of our model. Everyone who has something to tell calls
 * this; nothing here waits or fails.
 */

import type { ConfirmationEvent } from '../../state/confirmed.ts';
import { aftrOfTable, changesRunning } from '../../state/learned/tables.ts';
import type { Caller, Change, Participant, Tally } from '../../state/request.ts';
import { colons } from '../softwire-state.ts';
import type { ConfigEdit } from './config-edits.ts';
import { configEdits } from './config-edits.ts';
import type { EventLog } from './event-log.ts';
import type { ReaderEdits } from './reader-edits.ts';
import { READERS, readerEdits } from './reader-edits.ts';

/** Why a session ended (RFC 6470 §2.2). */
export type TerminationReason = 'closed' | 'killed' | 'dropped' | 'timeout' | 'bad-hello' | 'other';

/** A session as the events name it. */
export type Party = Pick<Caller, 'user' | 'session' | 'source'>;

type Json = Readonly<Record<string, unknown>>;

export class EventSources implements Participant {
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** A commit of running: told when it is durable. */
  async prepare(change: Change): ReturnType<Participant['prepare']> {
    const { edits, isCoarse } = configEdits(change);
    const readers = isCoarse ? await readerEdits(change) : undefined;
    return async (version, contentHash) => {
      if (changesRunning(change.treeChanged, change.tallies))
        this.#configChanged(change.caller, 'running', edits, readers);
      if (change.savesStartup) this.startupChanged(change.caller);
      for (const [aftr, tally] of bindingTallies(change)) {
        this.#log.add({
          'gi-4over6:binding-table-changed': {
            aftr,
            version: String(version),
            'content-hash': colons(contentHash),
            user: change.caller.user,
            ...tally,
          },
        });
      }
    };
  }

  /** Startup was copied to, saved or deleted: which of its nodes differ is not looked at. */
  startupChanged(caller: Caller): void {
    this.#configChanged(caller, 'startup', []);
  }

  #configChanged(
    caller: Caller,
    datastore: 'running' | 'startup',
    edits: readonly ConfigEdit[],
    readers?: ReaderEdits,
  ): void {
    const edit = edits.length === 0 ? {} : { edit: edits };
    this.#base('netconf-config-change', { 'changed-by': changedBy(caller), datastore, ...edit }, readers);
  }

  sessionStarted(party: Party): void {
    this.#base('netconf-session-start', session(party));
  }

  /** `killedBy` is the session that ended this one. */
  sessionEnded(party: Party, reason: TerminationReason, killedBy?: number): void {
    const killer = killedBy === undefined ? {} : { 'killed-by': killedBy };
    this.#base('netconf-session-end', { ...session(party), ...killer, 'termination-reason': reason });
  }

  /** A confirmed commit; one that a restart or the end of its session takes back is cancelled. */
  confirmation({ event, pending, caller }: ConfirmationEvent): void {
    if (event === 'failed') return;
    const name = event === 'session-end' || event === 'restart' ? 'cancel' : event;
    const timeout = name === 'start' || name === 'extend' ? { timeout: Math.round(pending.timeoutMs / 1_000) } : {};
    const by = name === 'timeout' ? {} : session(caller ?? pending);
    this.#base('netconf-confirmed-commit', { ...by, 'confirm-event': name, ...timeout });
  }

  /** Capabilities of the hello that came and went since an earlier run of the program. */
  capabilitiesChanged(before: readonly string[], after: readonly string[]): void {
    const base = (capability: string) => capability.replace(/\?.*$/s, '');
    const [old, fresh] = [before.map(base), after.map(base)];
    const lists = {
      'added-capability': after.filter((capability) => !old.includes(base(capability))),
      'deleted-capability': before.filter((capability) => !fresh.includes(base(capability))),
      'modified-capability': after.filter(
        (capability) => old.includes(base(capability)) && !before.includes(capability),
      ),
    };
    const filled = Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
    this.#base('netconf-capability-change', { 'changed-by': { server: [null] }, ...filled });
  }

  /** RFC 8525 §3: the set of modules and features is another than before. */
  libraryChanged(contentId: string): void {
    this.#log.add({ 'ietf-yang-library:yang-library-update': { 'content-id': contentId } });
  }

  #base(name: string, event: Json, readers?: ReaderEdits): void {
    this.#log.add({ [`ietf-netconf-notifications:${name}`]: event, ...(readers && { [READERS]: readers }) });
  }
}

function changedBy(caller: Caller): Json {
  return caller.face === 'system' ? { server: [null] } : session(caller);
}

function session({ user, session, source }: Party): Json {
  return { username: user, 'session-id': session, ...(source === undefined ? {} : { 'source-host': source }) };
}

/** What becomes of the bindings of each AFTR, learned ones included. */
function bindingTallies({ tallies }: Change): ReadonlyMap<string, Tally> {
  const sums = new Map<string, Tally>();
  for (const [table, { added, changed, removed }] of tallies) {
    const aftr = aftrOfTable(table);
    if (aftr === undefined) continue;
    const sum = sums.get(aftr) ?? { added: 0, changed: 0, removed: 0 };
    sums.set(aftr, { added: sum.added + added, changed: sum.changed + changed, removed: sum.removed + removed });
  }
  return sums;
}

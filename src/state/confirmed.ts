/**
 * The confirmed commit (RFC 6241 §8.4): a commit that is taken back unless it is confirmed in time. One can be pending:
 *
 *   1. a commit with `confirmed` starts it; running as it was before is the base that a rollback returns to
 *   2. another one with `confirmed` extends it: a new deadline, the same base
 *   3. a commit without `confirmed` confirms it
 *   4. the deadline, cancel-commit, the end of the session take it back: an ordinary commit, by the user `system`
 *
 * The pending commit is written in the transaction of the commit itself, and goes in the one that confirms it or takes it
 * back. After a restart of ours one without token is taken back, one with a token keeps its deadline; after a boot of the
 * kernel both are taken back.
 *
 * Where the RFC leaves a choice:
 *
 *   - Who may confirm, extend, cancel: with a token, whoever names it, and nobody without (RFC 6241 §8.4.5.1, cancel-commit);
 *     else the session that issued it. Anybody else's commit is refused in-use, a token that is not the one invalid-value.
 *   - An extension that names no token of its own keeps the one there is: only a deadline or a cancel ends a persistent one.
 *   - Edits of running by others than the issuing session are refused in-use, since a rollback would take them along. Those
 *     of the issuing session go through, confirm nothing and are taken back with the rest.
 *   - An edit through RESTCONF confirms one without token and is refused in-use by one with (RFC 8040 §1.4).
 *   - The lock of running is denied to other sessions (RFC 6241 §7.5), so a rollback never meets one of theirs: it does not
 *     ask for locks, nor for the consent of validation and participants, since what returns has been running before.
 *   - The candidate's changes stay on top of running, whatever running becomes. What was committed and taken back is in
 *     neither.
 */

import { ManagementError } from './errors.ts';
import { lockDenied } from './partial-locks.ts';
import type { Caller } from './request.ts';

/** What makes a commit a confirmed one. */
export interface Confirmed {
  readonly timeoutMs: number;
  /** Token that whoever confirms or cancels must name; without it, the session must live on. */
  readonly persist?: string | undefined;
}

export interface CommitParameters {
  readonly confirmed?: Confirmed | undefined;
  /** The token of the pending commit that this one confirms or extends. */
  readonly persistId?: string | undefined;
}

export interface PendingCommit {
  /** The version that a rollback returns to. */
  readonly base: number;
  readonly user: string;
  /** The session that issued it; 0 when it is over. */
  readonly session: number;
  /** RFC 3339. */
  readonly deadline: string;
  readonly timeoutMs: number;
  readonly persist?: string | undefined;
}

/** Why a pending commit is taken back. */
export type TakeBackReason = 'cancel' | 'timeout' | 'session-end' | 'restart';

/** What happened to a pending commit; `failed` when it could not be taken back, which is tried again. */
export interface ConfirmationEvent {
  readonly event: 'start' | 'extend' | 'complete' | TakeBackReason | 'failed';
  readonly pending: PendingCommit;
  /** Whose operation it was; undefined when it was nobody's. */
  readonly caller?: Caller | undefined;
  readonly error?: unknown;
}

/** Time of day, and timers of at most 2^31 - 1 ms. */
export interface Clock {
  now(): number;
  /** Returns what stops it. */
  setTimer(work: () => void, ms: number): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  setTimer: (work, ms) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** The same, held by no session and no token: the next start takes it back. */
export function withoutHolder(pending: PendingCommit | undefined): PendingCommit | undefined {
  return pending && { ...pending, session: 0, persist: undefined };
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const RETRY_MS = 10_000;

/** Keeps the pending commit, its deadline, and the rules about who may do what meanwhile. */
export class Confirmation {
  readonly #clock: Clock;
  readonly #onDue: (reason: TakeBackReason) => void;
  #pending: PendingCommit | undefined;
  /** Whether it is to be taken back, and was not yet. */
  #isDue = false;
  #stopTimer: () => void = () => undefined;
  #isClosed = false;

  /** `onDue` is called when the pending commit is to be taken back. */
  constructor(clock: Clock, onDue: (reason: TakeBackReason) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get pending(): PendingCommit | undefined {
    return this.#pending;
  }

  /** Whether the pending commit is still to be taken back when that has its turn. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** What is pending from now on, as the store has it. The time left is never more than was asked for, whatever the clock says. */
  set(pending: PendingCommit | undefined): void {
    this.#stopTimer();
    this.#isDue = false;
    this.#pending = pending;
    if (!pending) return;
    const left = Date.parse(pending.deadline) - this.#clock.now();
    this.#count('timeout', Math.max(0, Math.min(left, pending.timeoutMs)));
  }

  /** It could not be taken back: that is tried again. */
  retry(reason: TakeBackReason): void {
    this.#stopTimer();
    this.#count(reason, RETRY_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  #count(reason: TakeBackReason, ms: number): void {
    if (this.#isClosed) return;
    const part = Math.min(ms, LONGEST_TIMER_MS);
    this.#stopTimer = this.#clock.setTimer(() => {
      if (part < ms) this.#count(reason, ms - part);
      else {
        this.#isDue = true;
        this.#onDue(reason);
      }
    }, part);
  }

  /** A session ended; whether the pending commit goes with it. */
  endSession(session: number): boolean {
    const pending = this.#pending;
    if (!pending || session === 0 || pending.session !== session) return false;
    if (pending.persist === undefined) return true;
    this.#pending = { ...pending, session: 0 };
    return false;
  }

  /**
   * What a commit onto version `version` leaves pending; null when it confirms, undefined when it has to do with none.
   * @throws ManagementError in-use, invalid-value when the caller is not the one to follow a pending commit up
   */
  afterCommit(
    caller: Caller,
    { confirmed, persistId }: CommitParameters,
    version: number,
  ): PendingCommit | null | undefined {
    const pending = this.#pending;
    this.#requirePersistId(persistId);
    if (pending && persistId === undefined && (pending.persist !== undefined || !isIssuer(pending, caller))) {
      throw inUse(pending);
    }
    if (!confirmed) return pending && null;
    const { timeoutMs, persist = pending?.persist } = confirmed;
    const deadline = new Date(this.#clock.now() + timeoutMs).toISOString();
    const { user, session } = caller;
    return { base: pending?.base ?? version, user, session, deadline, timeoutMs, persist };
  }

  /**
   * What an edit of running leaves pending; null when it confirms, undefined when all stays as it is.
   * @throws ManagementError in-use
   */
  afterEdit(caller: Caller): null | undefined {
    const pending = this.#pending;
    if (!pending || isIssuer(pending, caller)) return undefined;
    if (caller.face === 'restconf' && pending.persist === undefined) return null;
    throw inUse(pending);
  }

  /** @throws ManagementError when there is nothing to cancel, or the caller is not the one to do it */
  requireCancel(caller: Caller, persistId: string | undefined): void {
    const pending = this.#pending;
    this.#requirePersistId(persistId);
    if (!pending) {
      throw new ManagementError('operation-failed', { type: 'protocol', message: 'no confirmed commit is pending' });
    }
    if (persistId !== undefined) return;
    if (pending.persist !== undefined) {
      const message = 'the pending confirmed commit has a token: expected it as persist-id';
      throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'persist-id' } });
    }
    if (!isIssuer(pending, caller)) throw inUse(pending);
  }

  /** @throws ManagementError lock-denied while another session's confirmed commit is pending (RFC 6241 §7.5) */
  requireLock(caller: Caller): void {
    const pending = this.#pending;
    if (!pending || isIssuer(pending, caller)) return;
    throw lockDenied('running', pending.session, `${about(pending)} is pending`);
  }

  /** @throws ManagementError in-use while one is pending, whoever issued it (RFC 5717 §2.6.2) */
  requireNone(): void {
    if (this.#pending) throw inUse(this.#pending, 'outstanding-confirmed-commit');
  }

  #requirePersistId(persistId: string | undefined): void {
    const pending = this.#pending;
    if (persistId === undefined || pending?.persist === persistId) return;
    const reason = pending
      ? 'that is not the token of the pending confirmed commit'
      : 'no confirmed commit is pending, it may have been confirmed or taken back';
    throw new ManagementError('invalid-value', {
      type: 'protocol',
      message: `persist-id '${persistId}': ${reason}`,
      info: { 'bad-element': 'persist-id' },
    });
  }
}

/** Session 0 is nobody's own. */
function isIssuer(pending: PendingCommit, caller: Caller): boolean {
  return caller.session !== 0 && pending.session === caller.session;
}

function about({ user, session, deadline }: PendingCommit): string {
  const where = session === 0 ? '' : ` in session ${session}`;
  return `a confirmed commit of user ${user}${where}, to be confirmed until ${deadline},`;
}

function inUse(pending: PendingCommit, appTag?: string): ManagementError {
  const message = `${about(pending)} is pending: running changes for nobody else before it is confirmed or cancelled`;
  return new ManagementError('in-use', { type: 'protocol', message, appTag });
}

/**
 * Who may come in: the users of ietf-system (RFC 7317 §3.5), for SSH, RESTCONF basic authentication and the console.
 *
 * A password check goes this way:
 * 1. a source with failures behind it waits its turn, twice as long for each failure, but not for a remembered password of a user
 *    with none;
 * 2. a password verified less than five minutes ago is known by its HMAC under a key of this process;
 * 3. else a worker thread compares it with the hash; an unknown user costs the same time;
 * 4. a failure is noted for the source, a success forgives the failures of that user from there; where too much waits, nothing is judged.
 */

import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { costOf } from '../sha-crypt.ts';
import type { DataNode } from '../state/data.ts';
import { entryId } from '../state/data.ts';
import { PasswordPool } from './password-pool.ts';
import { sourceGroup } from './source-group.ts';

export const USER_LIMITS = {
  /** How long a verified password is known without hashing it again. */
  rememberedMs: 5 * 60_000,
  /** Wait after the first failure of a source; it doubles with each further one. */
  firstWaitMs: 100,
  longestWaitMs: 10_000,
  /** An attempt that would have to wait longer than this in the queue of its source is refused at once, unjudged. */
  longestQueueMs: 30_000,
  /** A source without attempts for this long starts afresh. */
  sourceForgottenMs: 10 * 60_000,
  /** Sources kept; the one longest unused goes first. */
  sources: 10_000,
  /** Forms in which remembered passwords came; the one longest unused goes first. */
  words: 1_000,
  /** User names counted apart for one source; the others count together. */
  usersPerSource: 32,
} as const;

export interface AuthorizedKey {
  /** Algorithm name such as ssh-ed25519. */
  readonly algorithm: string;
  /** The key blob of RFC 4253 §6.6. */
  readonly data: Buffer;
}

/** What comes of an attempt; `busy` when it was not judged, since the source or the pool has too much waiting. */
export type Verdict = 'right' | 'wrong' | 'busy';

interface Remembered {
  readonly user: string;
  readonly entry: string;
  /** The configuration in which the entry was like that. */
  configuration: DataNode;
  readonly mac: Buffer;
  readonly until: number;
}

interface Source {
  readonly failures: Map<string, number>;
  total: number;
  /** When the next attempt may be made. */
  next: number;
  lastUsed: number;
}

/** The users of the running configuration; `configuration` gives the root of its small tree. */
export class Users {
  readonly #configuration: () => DataNode;
  readonly #find: (root: DataNode, user: string) => DataNode | undefined;
  readonly #pool: PasswordPool;
  readonly #key = randomBytes(32);
  readonly #wordsSalt = randomBytes(32).toString('hex');
  readonly #remembered = new Map<string, Remembered>();
  /** By `#wordsKey`, the oldest first. */
  readonly #words = new Map<string, Remembered>();
  readonly #sources = new Map<string, Source>();
  readonly #closing = new AbortController();
  readonly #dummySalt = randomBytes(6).toString('hex');

  /** `find` gives the entry of a user, with a leaf `password`; those of ietf-system without it. `maxTasks` as in PasswordPool. */
  constructor(configuration: () => DataNode, find = userEntry, maxTasks?: number) {
    this.#pool = new PasswordPool(maxTasks);
    this.#configuration = configuration;
    this.#find = find;
    setMaxListeners(0, this.#closing.signal);
  }

  exists(user: string): boolean {
    return this.#entry(user) !== undefined;
  }

  authorizedKeys(user: string): readonly AuthorizedKey[] {
    const keys = this.#entry(user)?.entries('authorized-key') ?? [];
    return keys.map((key) => ({
      algorithm: key.leaf('algorithm') ?? '',
      data: Buffer.from(key.leaf('key-data') ?? '', 'base64'),
    }));
  }

  /**
   * Whether this is the password of the user. `source` is the client's address without port. Answers false, never an
   * error: unknown user, no password, a hash other than `$5$` and `$6$`, a source or pool with too much waiting.
   */
  async verifyPassword(user: string, password: string, source: string): Promise<boolean> {
    return (await this.judgePassword(user, password, source)) === 'right';
  }

  /** The same, with what was not judged apart. */
  async judgePassword(user: string, password: string, source: string): Promise<Verdict> {
    const from = sourceGroup(source);
    if (this.#needNotWait(from, user, password)) return 'right';
    if (!(await this.#turn(from))) return 'busy';
    const entry = this.#entry(user);
    if (this.#isRemembered(entry, user, password)) {
      this.#forgive(from, user);
      return 'right';
    }
    const hash = entry?.leaf('password');
    const matches = await this.#pool.matches(password, hash ?? this.#dummyHash());
    if (matches === undefined) return 'busy';
    if (!entry || hash === undefined || !matches || this.#entry(user)?.leaf('password') !== hash) {
      this.#fail(from, user);
      return 'wrong';
    }
    const until = Date.now() + USER_LIMITS.rememberedMs;
    const [configuration, mac] = [this.#configuration(), this.#mac(user, password)];
    this.#remembered.set(user, { user, entry: fingerprint(entry), configuration, mac, until });
    this.#forgive(from, user);
    return 'right';
  }

  /**
   * The user whose password came in these very words before and is remembered, while nothing from `source` has failed: what
   * `verifyPassword` would find without having to wait.
   */
  knownBy(words: string, source: string): string | undefined {
    if (this.#sources.size > 0 && this.#sources.has(sourceGroup(source))) return undefined;
    const known = this.#words.get(this.#wordsKey(words));
    if (!known || this.#remembered.get(known.user) !== known || known.until <= Date.now()) return undefined;
    const isSame = known.configuration === this.#configuration() || this.#isSame(known, this.#entry(known.user));
    return isSame ? known.user : undefined;
  }

  /** From now on `knownBy` finds the user by these words, if they hold the password that is remembered of him, and as long as it is. */
  rememberWords(words: string, user: string, password: string): void {
    const known = this.#remembered.get(user);
    if (!known || !this.#isRemembered(this.#entry(user), user, password)) return;
    const key = this.#wordsKey(words);
    this.#words.delete(key);
    this.#words.set(key, known);
    const [oldest] = this.#words.keys();
    if (this.#words.size > USER_LIMITS.words && oldest !== undefined) this.#words.delete(oldest);
  }

  /** The configuration changed: drops what is remembered of users whose entry is no longer the same. */
  forget(): void {
    for (const [user, { entry }] of this.#remembered) {
      const now = this.#entry(user);
      if (!now || fingerprint(now) !== entry) this.#remembered.delete(user);
    }
  }

  /** Ends the threads; attempts that still wait fail. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.close();
  }

  #entry(user: string): DataNode | undefined {
    return this.#find(this.#configuration(), user);
  }

  #isRemembered(entry: DataNode | undefined, user: string, password: string): boolean {
    const known = entry && this.#remembered.get(user);
    if (!known || known.until <= Date.now() || !this.#isSame(known, entry)) return false;
    return timingSafeEqual(known.mac, this.#mac(user, password));
  }

  /** Whether the entry is as it was when the password was right. A configuration is another object when something in it changed. */
  #isSame(known: Remembered, entry: DataNode | undefined): boolean {
    const configuration = this.#configuration();
    if (known.configuration === configuration) return true;
    if (!entry || known.entry !== fingerprint(entry)) return false;
    known.configuration = configuration;
    return true;
  }

  /**
   * Whether a user comes in without waiting for the failures of others from there: with the password that is remembered, and as long as
   * nothing of this user's failed. A first attempt with another password ends that before it is judged: guesses that wait and right ones
   * that do not could be told apart.
   */
  #needNotWait(from: string, user: string, password: string): boolean {
    const failures = this.#sources.get(from)?.failures;
    // '' may be anybody.
    if (!failures || failures.has(user) || failures.has('') || !this.#remembered.has(user)) return false;
    if (this.#isRemembered(this.#entry(user), user, password)) return true;
    failures.set(countedAs(failures, user), 0);
    return false;
  }

  /** What stands for words that hold a password: a hash that only this process can make, and that never leaves it. */
  #wordsKey(words: string): string {
    return hash('sha256', `${this.#wordsSalt}${words}`, 'base64');
  }

  #mac(user: string, password: string): Buffer {
    return createHmac('sha256', this.#key).update(`${user}\u0000${password}`).digest();
  }

  /** A hash nobody's password has, as expensive as the first one configured. */
  #dummyHash(): string {
    const users = this.#configuration().child('system', 'ietf-system')?.child('authentication')?.entries('user') ?? [];
    const cost = users.map((entry) => costOf(entry.leaf('password') ?? '')).find((text) => text !== undefined);
    return `${cost ?? '$6$'}${this.#dummySalt}$none`;
  }

  /** Waits until the source may try; false when too many of its attempts wait already. */
  async #turn(from: string): Promise<boolean> {
    const source = this.#sources.get(from);
    if (!source) return true;
    const now = Date.now();
    if (now - source.lastUsed > USER_LIMITS.sourceForgottenMs) {
      this.#sources.delete(from);
      return true;
    }
    source.lastUsed = now;
    const start = Math.max(now, source.next);
    if (start - now > USER_LIMITS.longestQueueMs) return false;
    source.next = start + waitAfter(source.total);
    if (start === now) return true;
    return sleep(start - now, true, { signal: this.#closing.signal }).catch(() => false);
  }

  #fail(from: string, user: string): void {
    const now = Date.now();
    const source = this.#sources.get(from) ?? { failures: new Map(), total: 0, next: 0, lastUsed: now };
    const name = countedAs(source.failures, user);
    source.failures.set(name, (source.failures.get(name) ?? 0) + 1);
    source.total++;
    source.lastUsed = now;
    source.next = Math.max(source.next, now + waitAfter(source.total));
    // Set anew, so that the map stays in order of last failure.
    this.#sources.delete(from);
    this.#sources.set(from, source);
    for (const [name, { lastUsed }] of this.#sources) {
      if (this.#sources.size <= USER_LIMITS.sources && now - lastUsed <= USER_LIMITS.sourceForgottenMs) break;
      this.#sources.delete(name);
    }
  }

  /** Only the failures of this user are forgiven: a valid account must not pay for guesses at another. */
  #forgive(from: string, user: string): void {
    const source = this.#sources.get(from);
    const failures = source?.failures.get(user);
    if (!source || failures === undefined) return;
    source.failures.delete(user);
    source.total -= failures;
    if (source.total === 0) this.#sources.delete(from);
  }
}

function userEntry(root: DataNode, user: string): DataNode | undefined {
  const authentication = root.child('system', 'ietf-system')?.child('authentication');
  const schema = authentication?.schema.child('user');
  return schema && authentication?.get(entryId(schema, [user]));
}

/** The name under which failures of a user are counted. */
function countedAs(failures: ReadonlyMap<string, number>, user: string): string {
  return !failures.has(user) && failures.size >= USER_LIMITS.usersPerSource ? '' : user;
}

function waitAfter(failures: number): number {
  return Math.min(USER_LIMITS.firstWaitMs * 2 ** (failures - 1), USER_LIMITS.longestWaitMs);
}

/** Everything in a user's entry as one text. */
function fingerprint(node: DataNode): string {
  return JSON.stringify([node.schema.name, node.value, node.children().map(fingerprint)]);
}

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix } from '../../src/address.ts';
import type { Clock, CommitParameters, ConfirmationEvent } from '../../src/state/confirmed.ts';
import type { DatastoreOptions, Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeToJson } from '../../src/state/json.ts';
import type { Caller, DatastoreName, Participant } from '../../src/state/request.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('confirmed commit');

const OTHER: Caller = { user: 'other', session: 2, face: 'netconf' };
const HTTP: Caller = { user: 'web', session: 0, face: 'restconf' };
const G = '2001:db8:a::1';
const MINUTE = 60_000;

/** A clock that goes when it is told to. */
class Hands implements Clock {
  #now = Date.parse('2026-01-01T00:00:00Z');
  #timers: { readonly at: number; readonly work: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  setTimer(work: () => void, ms: number): () => void {
    assert.ok(ms >= 0 && ms < 2 ** 31, `a timer of ${ms} ms`);
    const timer = { at: this.#now + ms, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#now = next.at;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.work();
    }
    this.#now = end;
  }

  /** Sets the time of day, as an operator or NTP does; timers do not notice. */
  set(ms: number): void {
    const step = ms - this.#now;
    this.#now = ms;
    this.#timers = this.#timers.map(({ at, work }) => ({ at: at + step, work }));
  }

  get timers(): number {
    return this.#timers.length;
  }
}

interface Box {
  datastores: Datastores;
  readonly clock: Hands;
  readonly events: string[];
  reopen(more?: Partial<DatastoreOptions>): Promise<void>;
}

/** Running has the AFTR `a` with the binding 192.0.2.1/32. */
async function withBox(body: (box: Box) => Promise<void>, more: Partial<DatastoreOptions> = {}): Promise<void> {
  const clock = new Hands();
  const events: string[] = [];
  const onConfirmation = ({ event }: ConfirmationEvent) => void events.push(event);
  await withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', G))));
      const box = {
        datastores,
        clock,
        events,
        reopen: async (other: Partial<DatastoreOptions> = {}) => {
          box.datastores = await reopen(other);
        },
      };
      await body(box);
    },
    { clock, onConfirmation, ...more },
  );
}

const row = (number: number) => request(aftr(binding(`192.0.2.${number}/32`, G)), { target: 'candidate' });
const confirmed = (timeoutMs: number, persist?: string): CommitParameters => ({ confirmed: { timeoutMs, persist } });
const TOKEN: CommitParameters = { persistId: 'token' };

/** Last octets of the bound addresses. */
function bound(datastores: Datastores, datastore: DatastoreName = 'running'): string {
  const view = datastores.view(datastore);
  const found = [...view.bindings('a')].map(
    ({ address, length }) => formatIpv4Prefix(address, length).split(/[./]/)[3],
  );
  view.close();
  return found.join(' ');
}

/** The outcome of an operation: `ok`, or the tag of its refusal. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof ManagementError) return error.tag;
    throw error;
  }
}

/** All work asked for so far is done. */
const settled = ({ datastores }: Box) => datastores.forgetOld();

/** Binds 192.0.2.`number` in the candidate and commits. */
async function commit({ datastores }: Box, number: number, parameters: CommitParameters, caller = OPERATOR) {
  await datastores.edit(caller, row(number));
  await datastores.commit(caller, undefined, undefined, parameters);
}

// Each begins with a confirmed commit of 192.0.2.2 for ten minutes by session 1: [what, token, then, rows, events, pending].
type Step = (box: Box) => Promise<unknown> | unknown;
const lives: readonly (readonly [string, string | undefined, Step, string, string, boolean])[] = [
  ['nothing happens', undefined, ({ clock }) => clock.advance(10 * MINUTE - 1), '1 2', 'start', true],
  ['the time runs out', undefined, ({ clock }) => clock.advance(10 * MINUTE), '1', 'start timeout', false],
  ['the time runs out, with a token', 'token', ({ clock }) => clock.advance(10 * MINUTE), '1', 'start timeout', false],
  ['confirmed', undefined, ({ datastores }) => datastores.commit(OPERATOR), '1 2', 'start complete', false],
  ['confirmed with more changes', undefined, (box) => commit(box, 3, {}), '1 2 3', 'start complete', false],
  [
    'confirmed by another with the token',
    'token',
    (box) => commit(box, 3, TOKEN, OTHER),
    '1 2 3',
    'start complete',
    false,
  ],
  ['cancelled', undefined, ({ datastores }) => datastores.cancelCommit(OPERATOR), '1', 'start cancel', false],
  [
    'cancelled by another with the token',
    'token',
    ({ datastores }) => datastores.cancelCommit(OTHER, 'token'),
    '1',
    'start cancel',
    false,
  ],
  ['its session ends', undefined, ({ datastores }) => datastores.releaseSession(1), '1', 'start session-end', false],
  ['its session ends, with a token', 'token', ({ datastores }) => datastores.releaseSession(1), '1 2', 'start', true],
  ['another session ends', undefined, ({ datastores }) => datastores.releaseSession(2), '1 2', 'start', true],
  [
    'extended: one deadline, both changes',
    undefined,
    async (box) => {
      box.clock.advance(9 * MINUTE);
      await commit(box, 3, confirmed(10 * MINUTE));
      box.clock.advance(9 * MINUTE);
      assert.is(bound(box.datastores), '1 2 3');
      box.clock.advance(MINUTE);
    },
    '1',
    'start extend timeout',
    false,
  ],
  [
    'extended by another with the token, which stays',
    'token',
    async (box) => {
      await box.datastores.commit(OTHER, undefined, undefined, { ...confirmed(MINUTE), ...TOKEN });
      box.datastores.releaseSession(2);
    },
    '1 2',
    'start extend',
    true,
  ],
  [
    'extended with a new token: the old one is none',
    'token',
    async ({ datastores }) => {
      await datastores.commit(OTHER, undefined, undefined, { ...confirmed(MINUTE, 'new'), ...TOKEN });
      assert.is(await outcome(datastores.commit(OTHER, undefined, undefined, TOKEN)), 'invalid-value');
    },
    '1 2',
    'start extend',
    true,
  ],
  [
    'an edit by its own session is taken back too',
    undefined,
    async ({ datastores, clock }) => {
      await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.9/32', G))));
      assert.is(bound(datastores), '1 2 9');
      clock.advance(10 * MINUTE);
    },
    '1',
    'start timeout',
    false,
  ],
  [
    'an edit through RESTCONF confirms',
    undefined,
    ({ datastores }) => datastores.edit(HTTP, request(aftr(binding('192.0.2.9/32', G)))),
    '1 2 9',
    'start complete',
    false,
  ],
];
for (const [what, token, then, rows, events, isPending] of lives) {
  test(what, () =>
    withBox(async (box) => {
      await commit(box, 2, confirmed(10 * MINUTE, token));
      assert.is(bound(box.datastores), '1 2');
      await then(box);
      await settled(box);
      assert.is(bound(box.datastores), rows);
      assert.is(box.events.join(' '), events);
      assert.is(box.datastores.pendingCommit !== undefined, isPending);
    }),
  );
}

// [what, token of the pending commit, operation, outcome]; nothing changes when it is refused.
type Operation = (datastores: Datastores) => Promise<unknown>;
const commits =
  (caller: Caller, parameters: CommitParameters = {}): Operation =>
  (datastores) =>
    datastores.commit(caller, undefined, undefined, parameters);
const edits =
  (caller: Caller): Operation =>
  (datastores) =>
    datastores.edit(caller, request(aftr(binding('192.0.2.9/32', G))));
const refusals: readonly (readonly [string, string | undefined, Operation, string])[] = [
  ['commit of another session', undefined, commits(OTHER), 'in-use'],
  ['confirmed commit of another session', undefined, commits(OTHER, confirmed(MINUTE)), 'in-use'],
  ['commit with a token where there is none', undefined, commits(OPERATOR, TOKEN), 'invalid-value'],
  ['commit of its session without the token', 'token', commits(OPERATOR), 'in-use'],
  ['commit of another session without the token', 'token', commits(OTHER), 'in-use'],
  ['commit with another token', 'token', commits(OPERATOR, { persistId: 'other' }), 'invalid-value'],
  ['cancel of another session', undefined, (datastores) => datastores.cancelCommit(OTHER), 'in-use'],
  ['cancel with a token where there is none', undefined, (d) => d.cancelCommit(OPERATOR, 'token'), 'invalid-value'],
  ['cancel of its session without the token', 'token', (d) => d.cancelCommit(OPERATOR), 'invalid-value'],
  ['cancel with another token', 'token', (d) => d.cancelCommit(OTHER, 'other'), 'invalid-value'],
  ['edit of running by another session', undefined, edits(OTHER), 'in-use'],
  ['edit of running by another session, with a token', 'token', edits(OTHER), 'in-use'],
  ['edit through RESTCONF, with a token', 'token', edits(HTTP), 'in-use'],
  ['copy to running by another session', undefined, (d) => d.copy(OTHER, 'candidate', 'running'), 'in-use'],
  ['roll-back of running by another session', undefined, (d) => d.rollBack(OTHER, 1, 'running'), 'in-use'],
  ['lock of running by another session', undefined, (d) => d.lock(OTHER, 'running'), 'lock-denied'],
  ['lock of running by another session, with a token', 'token', (d) => d.lock(OTHER, 'running'), 'lock-denied'],
  ['lock of running by its session', undefined, (d) => d.lock(OPERATOR, 'running'), 'ok'],
  ['lock of the candidate by another session', undefined, (d) => d.lock(OTHER, 'candidate'), 'ok'],
  [
    'cancel with the token while another session holds the lock of running',
    'token',
    async (datastores) => {
      await datastores.lock(OPERATOR, 'running');
      await datastores.cancelCommit(OTHER, 'token');
    },
    'in-use',
  ],
];
for (const [what, token, operation, expected] of refusals) {
  test(`while one is pending: ${what} is ${expected}`, () =>
    withBox(async (box) => {
      await commit(box, 2, confirmed(MINUTE, token));
      const { version } = box.datastores.head();
      assert.is(await outcome(operation(box.datastores)), expected);
      assert.equal([bound(box.datastores), box.datastores.head().version], ['1 2', version]);
      assert.is.not(box.datastores.pendingCommit, undefined);
      box.clock.advance(MINUTE);
      await settled(box);
      assert.is(bound(box.datastores), '1', 'its end is what it would have been');
    }));
}

const withoutPending: readonly (readonly [string, Operation, string])[] = [
  ['commit with a token', commits(OPERATOR, TOKEN), 'invalid-value'],
  ['cancel', (datastores) => datastores.cancelCommit(OPERATOR), 'operation-failed'],
  ['cancel with a token', (datastores) => datastores.cancelCommit(OPERATOR, 'token'), 'invalid-value'],
];
for (const [what, operation, expected] of withoutPending) {
  test(`while none is pending: ${what} is ${expected}`, () =>
    withBox(async ({ datastores }) => {
      assert.is(await outcome(operation(datastores)), expected);
    }));
}

test('the refusal of a lock names the session, 0 when it is over', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE, 'token'));
    const holder = () =>
      box.datastores.lock(OTHER, 'running').catch((error) => (error as ManagementError).info['session-id']);
    assert.is(await holder(), '1');
    box.datastores.releaseSession(1);
    assert.is(await holder(), '0');
  }));

test('everything returns: rows, the small tree, the content hash; as a commit by the system', () =>
  withBox(async ({ datastores, clock }) => {
    const before = datastores.head();
    const view = datastores.view('running');
    const tree = treeToJson(view.tree);
    view.close();
    const seen: string[] = [];
    datastores.onCommit(({ caller, comment, removed }) => void seen.push(`${caller.user}: ${comment}, ${removed}`));
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 7 }), { target: 'candidate' }));
    await datastores.edit(OPERATOR, request(softwire({ name: 'b', enabled: false }), { target: 'candidate' }));
    await datastores.edit(OPERATOR, row(2));
    await datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE));
    clock.advance(MINUTE);
    await datastores.forgetOld();
    const after = datastores.view('running');
    assert.equal(treeToJson(after.tree), tree);
    assert.is(datastores.head().contentHash, before.contentHash);
    assert.is(datastores.head().version, before.version + 2);
    assert.is(after.history.summary(before.version + 2)?.caller.user, 'system');
    after.close();
    assert.is(seen[1], `system: back to version ${before.version}: confirmed commit not confirmed in time, 1`);
  }));

test('the candidate: nothing of what was taken back, and what was edited since', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE));
    await box.datastores.edit(OTHER, row(3));
    box.clock.advance(MINUTE);
    await settled(box);
    assert.equal([bound(box.datastores), bound(box.datastores, 'candidate')], ['1', '1 3']);
  }));

test('with nothing to commit: it is pending all the same, and covers what its session does next', () =>
  withBox(async (box) => {
    const { version } = box.datastores.head();
    await box.datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE));
    assert.is(box.datastores.pendingCommit?.base, version);
    assert.is(box.datastores.head().version, version);
    await commit(box, 2, confirmed(MINUTE));
    await box.datastores.cancelCommit(OPERATOR);
    assert.is(bound(box.datastores), '1');
    await box.datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE));
    box.clock.advance(MINUTE);
    await settled(box);
    assert.is(box.datastores.head().version, version + 2, 'taking nothing back makes no version');
    assert.is(box.datastores.pendingCommit, undefined);
  }));

test('a refused confirmed commit leaves nothing pending', () =>
  withBox(async ({ datastores, clock }) => {
    const outside = softwire({ name: 'a', 'binding-table': { binding: [binding('198.51.100.1/32', G)] } });
    await datastores.edit(OPERATOR, request(outside, { target: 'candidate' }));
    assert.is(await outcome(datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE))), 'operation-failed');
    assert.equal([datastores.pendingCommit, clock.timers], [undefined, 0]);
  }));

test('a refused confirming commit confirms nothing', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE));
    const outside = softwire({ name: 'a', 'binding-table': { binding: [binding('198.51.100.1/32', G)] } });
    await box.datastores.edit(OPERATOR, request(outside, { target: 'candidate' }));
    assert.is(await outcome(box.datastores.commit(OPERATOR)), 'operation-failed');
    box.clock.advance(MINUTE);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('the longest timeout there is', () =>
  withBox(async (box) => {
    const timeoutMs = (2 ** 32 - 1) * 1_000;
    await commit(box, 2, confirmed(timeoutMs));
    box.clock.advance(timeoutMs - 1);
    await settled(box);
    assert.is(bound(box.datastores), '1 2');
    box.clock.advance(1);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('a clock that is set while one is pending changes nothing', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE));
    box.clock.set(box.clock.now() + 60 * MINUTE);
    await settled(box);
    assert.is(bound(box.datastores), '1 2');
    box.clock.set(box.clock.now() - 600 * MINUTE);
    box.clock.advance(MINUTE);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('a confirm that was asked for before the time ran out counts', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE));
    const confirm = box.datastores.commit(OPERATOR);
    box.clock.advance(MINUTE);
    await confirm;
    await settled(box);
    assert.equal([bound(box.datastores), box.events.join(' ')], ['1 2', 'start complete']);
  }));

test('an extension that was asked for before the time ran out counts', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE));
    const extend = box.datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE));
    box.clock.advance(MINUTE);
    await extend;
    await settled(box);
    assert.equal([bound(box.datastores), box.events.join(' ')], ['1 2', 'start extend']);
    box.clock.advance(MINUTE);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('a session that ends with its confirmed commit still in the queue takes it along', () =>
  withBox(async (box) => {
    const { datastores } = box;
    await datastores.edit(OPERATOR, row(2));
    const begun = datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE));
    datastores.releaseSession(1);
    await begun;
    await settled(box);
    assert.equal([bound(datastores), box.events.join(' ')], ['1', 'start session-end']);
  }));

test('taking back is tried again until it works; participants cannot refuse it', () =>
  withBox(async (box) => {
    let failures = 2;
    let refusals = 0;
    const participant: Participant = {
      prepare: async ({ isReturn }) => {
        if (isReturn && failures-- > 0) throw new ManagementError('resource-denied', { message: 'the disk is full' });
        if (!isReturn) refusals++;
        return async () => undefined;
      },
    };
    box.datastores.addParticipant(participant);
    await commit(box, 2, confirmed(MINUTE));
    for (const rows of ['1 2', '1 2', '1']) {
      box.clock.advance(rows === '1' || box.events.length > 1 ? 10_000 : MINUTE);
      await settled(box);
      assert.is(bound(box.datastores), rows);
    }
    assert.is(box.events.join(' '), 'start failed failed timeout');
    assert.is(refusals, 1);
  }));

test('what validation says does not keep running from returning', () => {
  let isStrict = false;
  const strict = () => (isStrict ? [new ManagementError('operation-failed', { message: 'not any more' })] : []);
  return withBox(
    async (box) => {
      await box.datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 7 }), { target: 'candidate' }));
      await commit(box, 2, confirmed(MINUTE));
      isStrict = true;
      box.clock.advance(MINUTE);
      await settled(box);
      assert.equal([bound(box.datastores), box.events.join(' ')], ['1', 'start timeout']);
    },
    { validate: strict },
  );
});

// [what, token, minutes the process is away, boot id, startup, rows after it, pending after it, rows at last]
const restarts: readonly (readonly [string, string | undefined, number, string, string, boolean, string])[] = [
  ['without token', undefined, 1, 'boot-1', '1', false, '1'],
  ['with a token keeps its deadline', 'token', 1, 'boot-1', '1 2', true, '1'],
  ['with a token, its time over', 'token', 11, 'boot-1', '1', false, '1'],
  ['without token at a boot', undefined, 1, 'boot-2', '1', false, '1'],
  ['with a token at a boot', 'token', 1, 'boot-2', '1', false, '1'],
];
for (const startup of [false, true]) {
  for (const [what, token, away, bootId, rows, isPending, atLast] of restarts) {
    test(`a restart, ${what}; startup ${startup ? 'on' : 'off'}`, () =>
      withBox(
        async (box) => {
          if (startup) await box.datastores.copy(OPERATOR, 'running', 'startup');
          await commit(box, 2, confirmed(10 * MINUTE, token));
          const left = box.clock.timers;
          const pause = box.reopen({ bootId });
          box.clock.advance(away * MINUTE);
          await pause;
          box.clock.advance(0);
          await settled(box);
          assert.is(left, 1);
          assert.is(bound(box.datastores), rows);
          assert.is(box.datastores.pendingCommit !== undefined, isPending);
          box.clock.advance((10 - away) * MINUTE - 1);
          await settled(box);
          assert.is(bound(box.datastores), rows, 'until the deadline');
          box.clock.advance(1);
          await settled(box);
          assert.is(bound(box.datastores), atLast);
          await box.reopen({ bootId });
          assert.is(bound(box.datastores), atLast, 'for good');
        },
        { startup },
      ));
  }
}

test('after a restart: the token counts, a session of the same number does not', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE, 'token'));
    await box.reopen();
    assert.is(await outcome(edits(OPERATOR)(box.datastores)), 'in-use');
    box.datastores.releaseSession(1);
    await box.datastores.commit(OTHER, undefined, undefined, TOKEN);
    box.clock.advance(MINUTE);
    await box.reopen();
    assert.equal([bound(box.datastores), box.datastores.pendingCommit], ['1 2', undefined]);
  }));

test('a clock that went back before a restart does not move the deadline away', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(10 * MINUTE, 'token'));
    box.clock.set(box.clock.now() - 600 * MINUTE);
    await box.reopen();
    box.clock.advance(10 * MINUTE - 1);
    await settled(box);
    assert.is(bound(box.datastores), '1 2');
    box.clock.advance(1);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('session 0 is nobody: RESTCONF is not the session that is over', () =>
  withBox(async (box) => {
    await commit(box, 2, confirmed(MINUTE, 'token'));
    box.datastores.releaseSession(1);
    await settled(box);
    assert.is(await outcome(edits(HTTP)(box.datastores)), 'in-use');
  }));

test('history from the base on is kept while one is pending', () =>
  withBox(async (box) => {
    const limit = request({ 'gi-4over6:softwire': { history: { 'maximum-changes': 1 } } });
    await box.datastores.edit(OPERATOR, limit);
    await commit(box, 2, confirmed(MINUTE));
    for (let number = 3; number < 20; number++) {
      await box.datastores.edit(OPERATOR, request(aftr(binding(`192.0.2.${number}/32`, G))));
    }
    box.clock.advance(MINUTE);
    await settled(box);
    assert.is(bound(box.datastores), '1');
  }));

test('a bulk commit: pending in the same transaction, taken back as a whole', () =>
  withBox(async (box) => {
    const pool = softwire({ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/8'] });
    await box.datastores.edit(OPERATOR, request(pool));
    const { contentHash } = box.datastores.head();
    const entries = Array.from({ length: 20_500 }, (_, number) =>
      binding(`10.0.${number >>> 8}.${number & 255}/32`, G),
    );
    const table = softwire({ name: 'a', 'binding-table': { binding: entries } });
    await box.datastores.edit(OPERATOR, request(table, { target: 'candidate' }));
    await box.datastores.commit(OPERATOR, undefined, undefined, confirmed(MINUTE, 'token'));
    await box.reopen();
    assert.is(box.datastores.head().counts.get('a'), 20_501);
    assert.is(box.datastores.pendingCommit?.persist, 'token');
    await box.datastores.cancelCommit(OTHER, 'token');
    assert.is(box.datastores.head().counts.get('a'), 1);
    assert.is(box.datastores.head().contentHash, contentHash);
    await box.reopen();
    assert.is(box.datastores.pendingCommit, undefined);
  }));

test.run();

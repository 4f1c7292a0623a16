import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PasswordPool } from '../../src/mgmt/password-pool.ts';
import { USER_LIMITS, Users } from '../../src/mgmt/users.ts';
import { shaCrypt } from '../../src/sha-crypt.ts';
import { DataNode } from '../../src/state/data.ts';
import type { SchemaNodeDump } from '../../src/state/schema.ts';
import { Schema } from '../../src/state/schema.ts';

const test = suite('users');

function dump(id: number, parent: number, name: string, more: Partial<SchemaNodeDump>): SchemaNodeDump {
  return { id, parent, name, module: 'ietf-system', kind: 'leaf', config: true, type: 'string', ...more };
}

const schema = new Schema({
  modules: [
    {
      name: 'ietf-system',
      namespace: 'urn:ietf:params:xml:ns:yang:ietf-system',
      prefix: 'sys',
      implemented: true,
      features: [],
    },
  ],
  nodes: [
    dump(1, -1, 'system', { kind: 'container' }),
    dump(2, 1, 'authentication', { kind: 'container' }),
    dump(3, 2, 'user', { kind: 'list', keys: ['name'] }),
    dump(4, 3, 'name', {}),
    dump(5, 3, 'password', {}),
    dump(6, 3, 'authorized-key', { kind: 'list', keys: ['name'] }),
    dump(7, 6, 'name', {}),
    dump(8, 6, 'algorithm', {}),
    dump(9, 6, 'key-data', { type: 'binary' }),
  ],
});

function leaf(parent: DataNode, name: string, value: string): void {
  const node = parent.schema.child(name);
  if (node) parent.add(new DataNode(node, value));
}

function inner(parent: DataNode, name: string, keys: Readonly<Record<string, string>> = {}): DataNode {
  const node = new DataNode(parent.schema.child(name) ?? schema.root);
  for (const [key, value] of Object.entries(keys)) leaf(node, key, value);
  return parent.add(node);
}

const KEY_DATA = Buffer.from('blob').toString('base64');

/** alice with a password and a key, bob with none; `set` writes another password for alice. */
async function withUsers(body: (users: Users, set: (hash: string) => void) => Promise<void>): Promise<void> {
  const root = new DataNode(schema.root);
  const authentication = inner(inner(root, 'system'), 'authentication');
  const alice = inner(authentication, 'user', { name: 'alice', password: hashOf('secret') });
  inner(alice, 'authorized-key', { name: 'laptop', algorithm: 'ssh-ed25519', 'key-data': KEY_DATA });
  inner(authentication, 'user', { name: 'bob' });
  const users = new Users(() => root);
  try {
    await body(users, (hash) => {
      leaf(alice, 'password', hash);
      users.forget();
    });
  } finally {
    await users.close();
  }
}

function hashOf(password: string, rounds = 1000): string {
  return shaCrypt(password, `$6$rounds=${rounds}$salt`) ?? '';
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Milliseconds of the quickest of five: a busy machine makes others longer. */
async function quickest(work: (turn: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn++) times.push(await timed(() => work(turn)));
  return Math.min(...times);
}

test('exists and authorizedKeys', () =>
  withUsers(async (users) => {
    assert.ok(users.exists('alice'));
    assert.not.ok(users.exists('mallory'));
    assert.not.ok(users.exists('__proto__'));
    assert.equal(users.authorizedKeys('alice'), [{ algorithm: 'ssh-ed25519', data: Buffer.from('blob') }]);
    assert.equal(users.authorizedKeys('bob'), []);
    assert.equal(users.authorizedKeys('mallory'), []);
  }));

const answers = [
  ['alice', 'secret', true, 'right'],
  ['alice', 'Secret', false, 'wrong password'],
  ['alice', '', false, 'empty password'],
  ['bob', '', false, 'user without password'],
  ['mallory', 'secret', false, 'unknown user'],
  ['', 'secret', false, 'empty name'],
] as const;
for (const [user, password, expected, why] of answers) {
  test(`${user}/${password}: ${why}`, () =>
    withUsers(async (users) => assert.is(await users.verifyPassword(user, password, '192.0.2.1'), expected)));
}

for (const clear of ['$0$secret', 'secret', '$1$salt$XMeRVSLLkuIEOnCmIoxS10']) {
  test(`the password leaf ${clear} lets nobody in`, () =>
    withUsers(async (users, set) => {
      set(clear);
      assert.not.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1'));
      assert.not.ok(await users.verifyPassword('alice', clear, '192.0.2.2'));
    }));
}

test('a verified password is remembered: the second check needs no hashing', () =>
  withUsers(async (users, set) => {
    set(hashOf('secret', 100_000));
    const first = await timed(() => users.verifyPassword('alice', 'secret', '192.0.2.1'));
    const second = await quickest(async () => assert.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1')));
    assert.ok(second < first / 5, `${second} ms after ${first} ms`);
  }));

test('a remembered password does not let a wrong one in', () =>
  withUsers(async (users) => {
    assert.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1'));
    assert.not.ok(await users.verifyPassword('alice', 'secret2', '192.0.2.1'));
    assert.not.ok(await users.verifyPassword('bob', 'secret', '192.0.2.2'));
  }));

test('a new password counts at once and the old one no longer', () =>
  withUsers(async (users, set) => {
    assert.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1'));
    set(hashOf('other'));
    assert.not.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1'));
    assert.ok(await users.verifyPassword('alice', 'other', '192.0.2.2'));
  }));

test('words that held a password are known while it is remembered, and no others', () =>
  withUsers(async (users, set) => {
    const [right, wrong, from] = ['Basic right', 'Basic wrong', '192.0.2.1'];
    users.rememberWords(right, 'alice', 'secret');
    assert.is(users.knownBy(right, from), undefined, 'nothing was verified');
    assert.ok(await users.verifyPassword('alice', 'secret', from));
    users.rememberWords(right, 'alice', 'secret');
    users.rememberWords(wrong, 'alice', 'secret2');
    users.rememberWords(wrong, 'bob', 'secret');
    assert.is(users.knownBy(right, from), 'alice');
    assert.is(users.knownBy(wrong, from), undefined, 'the password in them was never right');
    await users.verifyPassword('mallory', 'x', '192.0.2.2');
    assert.is(users.knownBy(right, '192.0.2.2'), undefined, 'that source has to wait');
    assert.is(users.knownBy(right, from), 'alice');
    set(hashOf('other'));
    assert.is(users.knownBy(right, from), undefined, 'the password is another one');
    assert.ok(await users.verifyPassword('alice', 'other', from));
    assert.is(users.knownBy(right, from), undefined, 'the other one is remembered');
  }));

test('an unknown user costs what a known one costs', () =>
  withUsers(async (users, set) => {
    set(hashOf('secret', 100_000));
    await users.verifyPassword('mallory', 'x', '192.0.2.1');
    const known = await quickest((turn) => users.verifyPassword('alice', 'x', `192.0.2.${10 + turn}`));
    const unknown = await quickest((turn) => users.verifyPassword('mallory', 'x', `192.0.2.${20 + turn}`));
    assert.ok(unknown > known / 3 && unknown < known * 3, `${unknown} ms against ${known} ms`);
  }));

test('each failure doubles the wait of its source, and of no other', () =>
  withUsers(async (users) => {
    for (let i = 0; i < 3; i++) await users.verifyPassword('mallory', 'x', '192.0.2.1');
    const slowed = await timed(() => users.verifyPassword('alice', 'secret', '192.0.2.1'));
    const other = await quickest((turn) => users.verifyPassword('alice', 'secret', `192.0.2.${9 + turn}`));
    assert.ok(slowed >= USER_LIMITS.firstWaitMs * 4 * 0.9, `${slowed} ms`);
    assert.ok(other < USER_LIMITS.firstWaitMs, `${other} ms`);
  }));

test('the addresses of one IPv6 /64 are one source', () =>
  withUsers(async (users) => {
    for (let i = 0; i < 2; i++) await users.verifyPassword('mallory', 'x', `2001:db8::${i}:1`);
    const slowed = await timed(() => users.verifyPassword('alice', 'secret', '2001:db8:0:0:ffff::7'));
    const other = await quickest((turn) => users.verifyPassword('alice', 'secret', `2001:db8:0:${1 + turn}::1`));
    assert.ok(slowed >= USER_LIMITS.firstWaitMs * 1.5, `${slowed} ms`);
    assert.ok(other < USER_LIMITS.firstWaitMs, `${other} ms`);
  }));

test('a success forgives the failures of its user only', () =>
  withUsers(async (users) => {
    await users.verifyPassword('alice', 'x', '192.0.2.1');
    assert.ok(await users.verifyPassword('alice', 'secret', '192.0.2.1'));
    const forgiven = await quickest(() => users.verifyPassword('alice', 'secret', '192.0.2.1'));
    assert.ok(forgiven < USER_LIMITS.firstWaitMs, `${forgiven} ms`);
    for (let i = 0; i < 2; i++) await users.verifyPassword('mallory', 'x', '192.0.2.1');
    await users.verifyPassword('alice', 'secret', '192.0.2.1');
    const slowed = await timed(() => users.verifyPassword('mallory', 'x', '192.0.2.1'));
    assert.ok(slowed >= USER_LIMITS.firstWaitMs * 1.5, `${slowed} ms`);
  }));

/** Which of two attempts answers first: the one under test, or one that its source makes wait. */
async function isFirst(attempt: () => Promise<boolean>, waiting: () => Promise<unknown>): Promise<boolean> {
  const others = waiting().then(() => 'waiting');
  const first = await Promise.race([attempt().then(() => 'attempt'), others]);
  await others;
  return first === 'attempt';
}

test('a remembered password does not wait for the failures of others from there', () =>
  withUsers(async (users) => {
    const from = '192.0.2.1';
    const mallory = () => users.verifyPassword('mallory', 'x', from);
    assert.ok(await users.verifyPassword('alice', 'secret', from));
    for (let i = 0; i < 3; i++) await mallory();
    const alice = (password: string) => () => users.verifyPassword('alice', password, from);
    assert.ok(await isFirst(alice('secret'), mallory));
    assert.ok(await isFirst(alice('secret'), mallory), 'as often as it comes');
  }));

test('of a user with a failure from there nothing is known at once, so a guess that is wrong looks like one that is right', () =>
  withUsers(async (users) => {
    const from = '192.0.2.1';
    const mallory = () => users.verifyPassword('mallory', 'x', from);
    const alice = (password: string) => () => users.verifyPassword('alice', password, from);
    assert.ok(await users.verifyPassword('alice', 'secret', from));
    for (let i = 0; i < 2; i++) await mallory();
    // The guess waits, and the right password behind it, while neither is judged.
    const guess = alice('guess')();
    const order: string[] = [];
    const right = alice('secret')().then(() => order.push('right'));
    await guess.then(() => order.push('guess'));
    await right;
    assert.equal(order, ['guess', 'right']);
    assert.ok(await isFirst(alice('secret'), mallory), 'the right password forgave the guess');
  }));

test('where failures are no longer counted by user, each password waits', () =>
  withUsers(async (users) => {
    const from = '192.0.2.1';
    assert.ok(await users.verifyPassword('alice', 'secret', from));
    // At the same time, from a source without failures: none of these waits.
    const names = Array.from({ length: USER_LIMITS.usersPerSource + 1 }, (_, index) => `user-${index}`);
    await Promise.all(names.map((name) => users.verifyPassword(name, 'x', from)));
    let isJudged = false;
    const attempt = users.verifyPassword('alice', 'secret', from).then(() => {
      isJudged = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.not.ok(isJudged);
    await users.close();
    await attempt;
  }));

test('what the queue of a source has no room for is not judged, and so not wrong', () =>
  withUsers(async (users) => {
    await Promise.all(Array.from({ length: 10 }, () => users.judgePassword('mallory', 'x', '192.0.2.1')));
    // These wait for 10 s each.
    for (let i = 0; i < 5; i++) void users.judgePassword('mallory', 'x', '192.0.2.1');
    assert.is(await users.judgePassword('alice', 'secret', '192.0.2.1'), 'busy');
    assert.is(await users.verifyPassword('alice', 'secret', '192.0.2.1'), false);
    assert.is(await users.judgePassword('alice', 'secret', '192.0.2.2'), 'right');
    assert.is(await users.judgePassword('bob', 'secret', '192.0.2.2'), 'wrong');
  }));

test('what the pool has no room for is no failure', () =>
  withUsers(async (users) => {
    const all = Array.from({ length: 100 }, () => users.judgePassword('alice', 'secret', '192.0.2.1'));
    const verdicts = await Promise.all(all);
    assert.equal([...new Set(verdicts)].sort(), ['busy', 'right']);
    assert.is(await users.judgePassword('alice', 'secret', '192.0.2.1'), 'right');
    users.rememberWords('words', 'alice', 'secret');
    assert.is(users.knownBy('words', '192.0.2.1'), 'alice', 'nothing failed');
  }));

test('attempts of one source at the same time wait behind each other and at last fail at once', () =>
  withUsers(async (users) => {
    for (let i = 0; i < 3; i++) await users.verifyPassword('mallory', 'x', '192.0.2.1');
    let waiting = 0;
    let refused = 0;
    for (let i = 0; i < 200; i++) {
      waiting++;
      users.verifyPassword('mallory', 'x', '192.0.2.1').then((ok) => {
        waiting--;
        if (!ok) refused++;
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(refused >= 100, `${refused} refused`);
    assert.ok(waiting > 0 && waiting < 100, `${waiting} waiting`);
  }));

test('a pool with room for more does not take a right password for a wrong one when all come at once', async () => {
  const hash = hashOf('secret');
  const verdicts = async (maxTasks?: number) => {
    const pool = new PasswordPool(maxTasks);
    const all = await Promise.all(Array.from({ length: 100 }, () => pool.matches('secret', hash)));
    await pool.close();
    return all.filter((matches) => matches).length;
  };
  assert.is(await verdicts(), 64);
  assert.is(await verdicts(256), 100);
});

test.run();

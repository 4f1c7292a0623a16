import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeToJson } from '../../src/state/json.ts';
import type { Caller, DatastoreName } from '../../src/state/request.ts';
import { aftr, binding, OPERATOR, request, softwire, tree, withDatastores } from '../helpers/state.ts';

const test = suite('datastores');
const OTHER: Caller = { user: 'other', session: 2, face: 'netconf' };
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

function rows(datastores: Datastores, datastore: DatastoreName = 'running'): string[] {
  const view = datastores.view(datastore);
  const found = [...view.bindings('a')].map(
    ({ address, length, gatewayIpv6Address, description }) =>
      `${formatIpv4Prefix(address, length)} ${formatIpv6(gatewayIpv6Address)}${description === undefined ? '' : ` ${description}`}`,
  );
  assert.is(view.count('a'), found.length);
  view.close();
  return found;
}

async function refused(promise: Promise<unknown>): Promise<ManagementError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ManagementError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  softwire({ name: 'a', 'binding-table': { binding: entries } });
const P = '192.0.2.1/32';

// [why, edit, expected rows or [tag, path]] on a table of one binding 192.0.2.1/32 -> G1 described `one`.
const edits: readonly (readonly [
  string,
  Record<string, unknown>,
  readonly string[] | { tag: string; path?: string },
])[] = [
  ['merge changes one leaf', table({ 'ipv4-prefix': P, 'gateway-ipv6-address': G2 }), [`${P} ${G2} one`]],
  ['merge adds an entry', table(binding('192.0.2.0/28', G2)), [`192.0.2.0/28 ${G2}`, `${P} ${G1} one`]],
  ['replace drops other leaves', table(binding(P, G2, { '@operation': 'replace' })), [`${P} ${G2}`]],
  [
    'create of an existing entry',
    table(binding(P, G2, { '@operation': 'create' })),
    { tag: 'data-exists', path: `[ipv4-prefix='${P}']` },
  ],
  [
    'create of a new entry',
    table(binding('192.0.2.2/32', G2, { '@operation': 'create' })),
    [`${P} ${G1} one`, `192.0.2.2/32 ${G2}`],
  ],
  ['delete', table({ 'ipv4-prefix': P, '@operation': 'delete' }), []],
  [
    'delete of an absent entry',
    table({ 'ipv4-prefix': '192.0.2.9/32', '@operation': 'delete' }),
    { tag: 'data-missing' },
  ],
  ['remove of an absent entry', table({ 'ipv4-prefix': '192.0.2.9/32', '@operation': 'remove' }), [`${P} ${G1} one`]],
  [
    'a new entry without gateway',
    table({ 'ipv4-prefix': '192.0.2.9/32' }),
    { tag: 'data-missing', path: 'gateway-ipv6-address' },
  ],
  [
    'the whole table replaced',
    softwire({ name: 'a', 'binding-table': { '@operation': 'replace', binding: [binding('192.0.2.7/32', G2)] } }),
    [`192.0.2.7/32 ${G2}`],
  ],
  ['the whole table deleted', softwire({ name: 'a', 'binding-table': { '@operation': 'delete' } }), []],
  ['the AFTR deleted', softwire({ name: 'a', '@operation': 'delete' }), []],
  ['create of an AFTR that exists', softwire({ name: 'a', '@operation': 'create' }), { tag: 'data-exists' }],
  [
    'outside every pool',
    table(binding('198.51.100.1/32', G1)),
    { tag: 'operation-failed', path: "[ipv4-prefix='198.51.100.1/32']" },
  ],
];
for (const [why, edit, expected] of edits) {
  test(`edit: ${why}`, () =>
    withDatastores(async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G1, { description: 'one' }))));
      const { version, contentHash } = datastores.head();
      if (Array.isArray(expected)) {
        await datastores.edit(OPERATOR, request(edit));
        assert.equal(rows(datastores), expected);
      } else {
        const wanted = expected as { tag: string; path?: string };
        const error = await refused(datastores.edit(OPERATOR, request(edit)));
        assert.is(error.tag, wanted.tag);
        assert.ok((error.path ?? '').includes(wanted.path ?? ''), error.path);
        assert.equal(rows(datastores), [`${P} ${G1} one`]);
        assert.equal([datastores.head().version, datastores.head().contentHash], [version, contentHash]);
      }
    }));
}

test('default operation none reaches only what is there', () =>
  withDatastores(async (datastores) => {
    const deletion = table({ 'ipv4-prefix': P, '@operation': 'delete' });
    const error = await refused(datastores.edit(OPERATOR, request(deletion, { defaultOperation: 'none' })));
    assert.is(error.tag, 'data-missing');
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    await datastores.edit(OPERATOR, request(deletion, { defaultOperation: 'none' }));
    assert.equal(rows(datastores), []);
  }));

test('default operation replace at the root', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.2/32', G2)), { defaultOperation: 'replace' }));
    assert.equal(rows(datastores), [`192.0.2.2/32 ${G2}`]);
  }));

test('an edit that changes nothing makes no version; a change makes one', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const { version } = datastores.head();
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    assert.is(datastores.head().version, version);
    await datastores.edit(OPERATOR, request(aftr(binding(P, G2))));
    assert.is(datastores.head().version, version + 1);
  }));

test('the content hash follows the rows and not their order', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const empty = datastores.head().contentHash;
    await datastores.edit(OPERATOR, request(table(binding(P, G1), binding('192.0.2.2/32', G2))));
    const both = datastores.head().contentHash;
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { '@operation': 'delete' } })));
    assert.is(datastores.head().contentHash, empty);
    await datastores.edit(OPERATOR, request(table(binding('192.0.2.2/32', G2))));
    await datastores.edit(OPERATOR, request(table(binding(P, G1))));
    assert.is(datastores.head().contentHash, both);
    assert.is.not(both, empty);
  }));

test('candidate: invisible until commit, discarded, and following running elsewhere', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const candidate = { target: 'candidate' } as const;
    await datastores.edit(OPERATOR, request(table(binding('192.0.2.2/32', G2)), candidate));
    assert.equal(rows(datastores), [`${P} ${G1}`]);
    await datastores.edit(OTHER, request(table(binding('192.0.2.3/32', G1))));
    assert.equal(rows(datastores, 'candidate'), [`${P} ${G1}`, `192.0.2.2/32 ${G2}`, `192.0.2.3/32 ${G1}`]);
    await datastores.commit(OPERATOR);
    assert.equal(rows(datastores).length, 3);
    assert.not(datastores.candidateModified);
    await datastores.edit(OPERATOR, request(table({ 'ipv4-prefix': P, '@operation': 'delete' }), candidate));
    await datastores.discard(OPERATOR);
    assert.equal(rows(datastores, 'candidate').length, 3);
  }));

test('an invalid candidate is refused at commit and stays', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(OPERATOR, request(table(binding('203.0.113.1/32', G1)), { target: 'candidate' }));
    const error = await refused(datastores.commit(OPERATOR));
    assert.is(error.appTag, 'outside-pool');
    assert.equal(rows(datastores), []);
    assert.equal(rows(datastores, 'candidate').length, 1);
  }));

test('locks', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.lock(OPERATOR, 'running');
    const held = await refused(datastores.lock(OTHER, 'running'));
    assert.equal([held.tag, held.info['session-id']], ['lock-denied', '1']);
    assert.is((await refused(datastores.lock(OPERATOR, 'running'))).tag, 'lock-denied');
    assert.is((await refused(datastores.edit(OTHER, request(table(binding(P, G1)))))).tag, 'in-use');
    const restconf: Caller = { user: 'x', session: 0, face: 'restconf' };
    assert.is((await refused(datastores.edit(restconf, request(table(binding(P, G1)))))).tag, 'in-use');
    await datastores.edit(OPERATOR, request(table(binding(P, G1))));
    assert.throws(
      () => datastores.unlock(OTHER, 'running'),
      (error: unknown) => error instanceof ManagementError,
    );
    datastores.unlock(OPERATOR, 'running');
    await datastores.edit(OPERATOR, request(table(binding(P, G2)), { target: 'candidate' }));
    assert.is((await refused(datastores.lock(OTHER, 'candidate'))).info['session-id'], '0');
    await datastores.discard(OPERATOR);
    await datastores.lock(OTHER, 'candidate');
    await datastores.edit(OTHER, request(table(binding(P, G2)), { target: 'candidate' }));
    datastores.releaseSession(OTHER.session);
    assert.not(datastores.candidateModified);
    assert.is(datastores.lockOwner('candidate'), undefined);
  }));

test('a participant that refuses changes nothing', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const told: number[] = [];
    datastores.addParticipant({ prepare: async () => async (version) => void told.push(version) });
    datastores.addParticipant({
      prepare: async ({ rows: changes }) => {
        if ([...changes].length > 1) throw new ManagementError('resource-denied', { message: 'one at a time' });
        return async () => undefined;
      },
    });
    const { version, contentHash } = datastores.head();
    const error = await refused(datastores.edit(OPERATOR, request(table(binding(P, G1), binding('192.0.2.2/32', G1)))));
    assert.is(error.tag, 'resource-denied');
    assert.equal([datastores.head().version, datastores.head().contentHash, told.length], [version, contentHash, 0]);
    await datastores.edit(OPERATOR, request(table(binding(P, G1))));
    assert.equal(told, [version + 1]);
  }));

test('a view is a snapshot', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const view = datastores.view('running');
    await datastores.edit(OPERATOR, request(table(binding(P, G2), binding('192.0.2.2/32', G2))));
    assert.is([...view.bindings('a')].length, 1);
    assert.is(view.count('a'), 1);
    assert.is(formatIpv6(view.binding('a', 0xc0000201, 32)?.gatewayIpv6Address ?? new Uint8Array(16)), G1);
    view.close();
    assert.is(rows(datastores).length, 2);
  }));

test('longest match', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.0/24', G1), binding(P, G2))));
    const view = datastores.view('running');
    assert.is(view.longestMatch('a', 0xc0000201)?.length, 32);
    assert.is(view.longestMatch('a', 0xc0000202)?.length, 24);
    assert.is(view.longestMatch('a', 0xc0000302), undefined);
    view.close();
  }));

test('everything acknowledged is there after opening anew, the candidate is not', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    await datastores.edit(OPERATOR, request(table(binding(P, G2)), { target: 'candidate' }));
    const before = datastores.head();
    const again = await reopen();
    assert.equal(again.head(), before);
    assert.equal(rows(again), [`${P} ${G1}`]);
    assert.equal(rows(again, 'candidate'), [`${P} ${G1}`]);
  }));

test('startup: running returns to it at a boot, not at a restart', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      const saved = datastores.head().contentHash;
      await datastores.edit(OPERATOR, request(table(binding(P, G2), binding('192.0.2.2/32', G2))));
      assert.equal(rows(datastores, 'startup'), [`${P} ${G1}`]);
      const restarted = await reopen();
      assert.is(rows(restarted).length, 2);
      const booted = await reopen({ bootId: 'boot-2' });
      assert.equal(rows(booted), [`${P} ${G1}`]);
      assert.is(booted.head().contentHash, saved);
    },
    { startup: true },
  ));

test('copy-config of a whole configuration, and of equal source and target', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    await datastores.copy(OPERATOR, tree(aftr(binding('192.0.2.8/29', G2))), 'running');
    assert.equal(rows(datastores), [`192.0.2.8/29 ${G2}`]);
    assert.is((await refused(datastores.copy(OPERATOR, 'running', 'running'))).tag, 'invalid-value');
    assert.is((await refused(datastores.copy(OPERATOR, 'running', 'startup'))).tag, 'operation-not-supported');
  }));

test('write rights are asked for each node, at commit for the difference', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const asked: string[] = [];
    const deny = (word: string) => (node: { path: string }, operation: string) => {
      asked.push(`${operation} ${node.path}`);
      return !`${operation} ${node.path}`.includes(word);
    };
    const error = await refused(datastores.edit(OPERATOR, request(table(binding(P, G2))), deny('update')));
    assert.is(error.tag, 'access-denied');
    assert.ok(error.path?.endsWith('gateway-ipv6-address'), error.path);
    await datastores.edit(
      OPERATOR,
      request(table({ 'ipv4-prefix': P, '@operation': 'delete' }), { target: 'candidate' }),
    );
    assert.is((await refused(datastores.commit(OPERATOR, deny('delete')))).tag, 'access-denied');
    assert.is(rows(datastores).length, 1);
    await datastores.commit(OPERATOR, deny('update'));
    assert.is(rows(datastores).length, 0);
  }));

test('test-only changes nothing and says what would be refused', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(OPERATOR, request(table(binding(P, G1)), { testOption: 'test-only' }));
    assert.equal(rows(datastores), []);
    const error = await refused(
      datastores.edit(OPERATOR, request(table(binding('203.0.113.1/32', G1)), { testOption: 'test-only' })),
    );
    assert.is(error.appTag, 'outside-pool');
  }));

test('the small tree reads back as it was written', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const view = datastores.view('running');
    assert.equal(treeToJson(view.tree), {
      'gi-4over6:softwire': {
        aftr: [{ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24'], 'binding-table': {} }],
      },
    });
    view.close();
  }));

test('copy asks for rights to what it changes in its target, whatever running holds', () =>
  withDatastores(
    async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
      await datastores.edit(OPERATOR, request(table(binding(P, G2)), { target: 'candidate' }));
      const asked: string[] = [];
      const nobody = (node: { path: string }, access: string) => {
        asked.push(`${access} ${node.path.replace(/.*binding-table/, '')}`);
        return false;
      };
      assert.is((await refused(datastores.copy(OTHER, 'running', 'candidate', nobody))).tag, 'access-denied');
      assert.equal(asked, [`update /binding[ipv4-prefix='${P}']/gateway-ipv6-address`]);
      assert.ok(datastores.candidateModified);
      await datastores.copy(OPERATOR, 'running', 'startup');
      await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 9 })));
      assert.is((await refused(datastores.copy(OTHER, 'running', 'startup', nobody))).tag, 'access-denied');
      await datastores.copy(OTHER, 'running', 'startup', () => true);
      await datastores.copy(OTHER, 'running', 'startup', nobody);
    },
    { startup: true },
  ));

test('what a session asked for and did not live to see is dropped with its lock', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.lock(OTHER, 'candidate');
    const slow = datastores.edit(OPERATOR, request(table(binding(P, G1))));
    const late = datastores.edit(OTHER, request(table(binding(P, G2)), { target: 'candidate' })).catch(() => undefined);
    datastores.releaseSession(OTHER.session);
    await Promise.all([slow, late]);
    await datastores.validate('running');
    assert.not(datastores.candidateModified);
  }));

test('a lock is met by who has the right to the change, and a change of what is not there says so', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(OPERATOR, request(table(binding(P, G1))));
    await datastores.edit(OPERATOR, request(table(binding(P, G2)), { target: 'candidate' }));
    const { version } = datastores.head();
    await datastores.lock(OTHER, 'running');
    const missing = { 'ipv4-prefix': '192.0.2.9/32', '@operation': 'delete' };
    assert.is((await refused(datastores.edit(OPERATOR, request(table(missing))))).tag, 'data-missing');
    for (const [authorize, tag] of [
      [() => false, 'access-denied'],
      [() => true, 'in-use'],
    ] as const) {
      for (const change of [
        datastores.edit(OPERATOR, request(table(binding(P, G2))), authorize),
        datastores.copy(OPERATOR, 'candidate', 'running', authorize),
        datastores.rollBack(OPERATOR, version - 1, 'running', authorize),
        datastores.commit(OPERATOR, authorize),
      ]) {
        assert.is((await refused(change)).tag, tag);
      }
    }
    assert.is(datastores.head().version, version);
  }));

test('a precondition is asked when the edit has its turn, and its refusal is the answer', () =>
  withDatastores(async (datastores) => {
    const created = await datastores.edit(OPERATOR, request(aftr()));
    assert.is(created.version, datastores.head().version);
    const refusal = new ManagementError('operation-failed', { message: 'on purpose' });
    const seen: number[] = [];
    const precondition = async () => {
      seen.push(datastores.head().version);
      throw refusal;
    };
    const first = datastores.edit(OPERATOR, request(table(binding(P, G1))));
    const second = refused(datastores.edit(OPERATOR, { ...request(table(binding(P, G2))), precondition }));
    assert.is((await first).version, created.version + 1);
    assert.is(await second, refusal);
    assert.equal(seen, [created.version + 1]);
    assert.equal(rows(datastores), [`${P} ${G1}`]);
  }));

test('a start after restarts() is like one after a boot of the kernel: running returns to startup', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      await datastores.edit(OPERATOR, request(table(binding('192.0.2.9/32', G1))));
      const again = await reopen();
      assert.is(again.head().counts.get('a'), 2, 'the same kernel');
      await again.restarts();
      assert.is((await reopen()).head().counts.get('a'), 1);
    },
    { startup: true },
  ));

test.run();

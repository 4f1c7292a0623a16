// needs: addon
/** Routes advertised over RESTCONF to a management process of the real program: what is taken, refused, shown, and what ends it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../../src/address.ts';
import { shaCrypt } from '../../../src/sha-crypt.ts';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import { dataIn, getData, subtree } from '../../helpers/nmda-requests.ts';
import { ADMIN } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('advertise');

const GATEWAY = '2001:db8:a::1';
const G1 = 'g1:g1-password';
const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const OPERATION = '/restconf/operations/gi-4over6:advertise-routes';

function source(name: string, gateway: string, more: Readonly<Record<string, unknown>> = {}) {
  const password = shaCrypt(`${name}-password`, '$6$rounds=1000$salt');
  const allowed = ['192.0.2.0/24'];
  return { name, 'gateway-ipv6-address': gateway, password, 'allowed-prefix': allowed, ...more };
}

const SOURCES = {
  'gi-4over6:softwire': {
    aftr: [{ name: 'a', 'route-source': [source('g1', GATEWAY), source('g2', '2001:db8:a::2')] }],
  },
};

/** What routes come to. */
function hashOf(...routes: readonly string[]): string {
  return new RouteHash(
    routes.map((text) => {
      const prefix = parseIpv4Prefix(text);
      if (!prefix) throw new Error(text);
      return prefixNumber(prefix.address, prefix.length);
    }),
  ).text;
}

type Json = Readonly<Record<string, unknown>>;

async function post(box: ProgramBox, input: Json, user = G1) {
  const body = JSON.stringify({ 'gi-4over6:input': { 'gateway-ipv6-address': GATEWAY, ...input } });
  return box.curl(OPERATION, { method: 'POST', body, user });
}

interface Answer {
  readonly session: string;
  readonly sequence: string;
  readonly 'hold-time': number;
  readonly accepted?: readonly string[];
  readonly refused?: readonly Json[];
}

async function accepted(box: ProgramBox, input: Json, user = G1): Promise<Answer> {
  const reply = await post(box, input, user);
  assert.is(reply.status, 200, reply.body);
  return (JSON.parse(reply.body) as { 'gi-4over6:output': Answer })['gi-4over6:output'];
}

/** Opens a session and tells of these routes. */
async function begin(box: ProgramBox, ...route: readonly string[]): Promise<string> {
  const { session } = await accepted(box, { open: [null] });
  await accepted(box, { session, sequence: '1', route, 'content-hash': hashOf(...route) });
  return session;
}

async function withSources(body: (box: ProgramBox) => Promise<void>): Promise<void> {
  await program.run(async (box) => {
    await box.merge(SOURCES);
    await body(box);
  });
}

/** Entries of binding in operational: prefix and gateway. */
async function operational(box: ProgramBox): Promise<string[]> {
  const filter = '<softwire xmlns="urn:gi-4over6"><aftr><binding-table><binding/></binding-table></aftr></softwire>';
  const reply = dataIn(await box.netconf.rpc(getData('operational', subtree(filter))));
  return [...reply.matchAll(/<ipv4-prefix>(.*?)<\/ipv4-prefix>.*?<origin>(.*?)<\/origin>/gs)].map(
    ([, prefix, origin]) => `${prefix} ${origin}`,
  );
}

async function sourceState(box: ProgramBox, name = 'g1'): Promise<Json> {
  const { body } = await box.curl(`${AFTR}/route-source=${name}?content=nonconfig`);
  return (JSON.parse(body) as { 'gi-4over6:route-source': readonly Json[] })['gi-4over6:route-source'][0] ?? {};
}

async function eventually(is: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_000 && !(await is()); i++) await new Promise((resolve) => setTimeout(resolve, 50));
}

const program = await startProgram();

test('a route becomes a binding of operational, and is in no configuration; withdrawn it is gone', () =>
  withSources(async (box) => {
    const tag = await box.tag();
    const session = await begin(box, '192.0.2.0/28', '8.8.8.0/24', '0.0.0.0/0');
    assert.is(await box.tag(), tag, 'state data is no change of the configuration');
    assert.equal(await operational(box), ['192.0.2.0/28 learned']);
    const running = await box.curl('/restconf/data/gi-4over6:softwire?content=config');
    assert.not.match(running.body, '192.0.2.0/28');
    const state = await sourceState(box);
    assert.is(state['session-state'], 'established');
    assert.equal(state['learned-route'], [{ 'ipv4-prefix': '192.0.2.0/28' }]);
    const refused = (state['refused-route'] as readonly Json[]).map((entry) => [entry['ipv4-prefix'], entry.reason]);
    assert.equal(refused, [
      ['0.0.0.0/0', 'default-route'],
      ['8.8.8.0/24', 'not-allowed'],
    ]);
    assert.is(state.refusals, '2');
    const withdrawn = { withdrawn: ['192.0.2.0/28'], 'content-hash': hashOf('8.8.8.0/24', '0.0.0.0/0') };
    await accepted(box, { session, sequence: '2', ...withdrawn });
    assert.equal(await operational(box), []);
    await accepted(box, { session, sequence: '3', close: [null] });
    assert.is((await sourceState(box))['session-state'], 'idle');
  }));

test('single routes and single sources are read by their keys', () =>
  withSources(async (box) => {
    await begin(box, '192.0.2.0/28', '192.0.2.16/28', '8.8.8.0/24');
    const read = async (path: string) => {
      const { status, body } = await box.curl(`${AFTR}/${path}`);
      return status === 200 ? Object.values(JSON.parse(body) as Json)[0] : status;
    };
    const [learned, refused] = ['learned-route', 'refused-route'].map((list) => `route-source=g1/${list}=`);
    assert.equal(await read(`${learned}192.0.2.16%2F28`), [{ 'ipv4-prefix': '192.0.2.16/28' }]);
    assert.is(await read(`${learned}192.0.2.32%2F28`), 404);
    assert.is(await read(`${learned}8.8.8.0%2F24`), 404, 'it is refused');
    const [entry] = (await read(`${refused}8.8.8.0%2F24`)) as readonly Json[];
    assert.is(entry?.reason, 'not-allowed');
    assert.is(await read(`${refused}192.0.2.16%2F28`), 404);
    assert.is((await sourceState(box, 'g2'))['session-state'], 'idle');
    const keyed = (prefix: string) =>
      `<softwire xmlns="urn:gi-4over6"><aftr><route-source><name>g1</name><learned-route><ipv4-prefix>${prefix}</ipv4-prefix></learned-route></route-source></aftr></softwire>`;
    const reply = await box.netconf.rpc(`<get><filter type="subtree">${keyed('192.0.2.0/28')}</filter></get>`);
    assert.match(reply, '192.0.2.0/28');
    assert.not.match(reply, '192.0.2.16/28');
  }));

test('a refused route is an alarm with its reasons', () =>
  withSources(async (box) => {
    await begin(box, '8.8.8.0/24');
    let alarms = '';
    await eventually(async () => {
      alarms = (await box.curl('/restconf/data/ietf-alarms:alarms/alarm-list')).body;
      return alarms.includes('routes-refused');
    });
    // The text of an earlier test may stand for a minute.
    assert.match(alarms, /routes that it advertises are refused \([a-z, -]*not-allowed\)/);
  }));

test('a source of which nothing is bound is a problem, which says why; one bound route ends it', () =>
  withSources(async (box) => {
    const problems = async () => {
      const { body } = await box.curl('/restconf/data/gi-4over6:softwire/state?content=nonconfig');
      const state = (JSON.parse(body) as { 'gi-4over6:state': { readonly problem?: readonly string[] } })[
        'gi-4over6:state'
      ];
      return (state.problem ?? []).filter((text) => text.includes('route source'));
    };
    const session = await begin(box, '8.8.8.0/24');
    assert.equal(await problems(), ['AFTR a: route source g1: none of its routes is bound (not-allowed).']);
    const more = { route: ['192.0.2.0/28'], 'content-hash': hashOf('8.8.8.0/24', '192.0.2.0/28') };
    await accepted(box, { session, sequence: '2', ...more });
    assert.equal(await problems(), []);
  }));

test('lookup finds a learned binding, and at an earlier moment one that is gone', () =>
  withSources(async (box) => {
    const session = await begin(box, '192.0.2.0/28');
    const ask = async (more: Json = {}) => {
      const body = JSON.stringify({ 'gi-4over6:input': { 'ipv4-address': '192.0.2.5', ...more } });
      return (await box.curl(`${AFTR}/lookup`, { method: 'POST', body })).body;
    };
    const now = await ask();
    assert.match(now, '"origin":"learned"');
    const time = new Date().toISOString();
    await accepted(box, { session, sequence: '2', close: [null] });
    assert.not.match(await ask(), '192.0.2.0/28');
    const then = await ask({ time });
    assert.match(then, '"ipv4-prefix":"192.0.2.0/28"');
    assert.match(then, '"until"');
  }));

test('the answer says what is refused, and of what an operator changed meanwhile', () =>
  withSources(async (box) => {
    const { session, 'hold-time': holdTime } = await accepted(box, { open: [null] });
    assert.is(holdTime, 90);
    const routes = ['192.0.2.0/28', '198.51.100.0/24'];
    const first = await accepted(box, { session, sequence: '1', route: routes, 'content-hash': hashOf(...routes) });
    assert.equal(first.refused, [{ 'ipv4-prefix': '198.51.100.0/24', reason: 'not-allowed' }]);
    await box.addBindings([{ 'ipv4-prefix': '192.0.2.3/32', 'gateway-ipv6-address': '2001:db8:a::9' }]);
    assert.equal(await operational(box), ['192.0.2.3/32 static']);
    const hash = { 'content-hash': hashOf(...routes) };
    let sequence = 2;
    let refused: readonly Json[] = [];
    await eventually(async () => {
      refused = (await accepted(box, { session, sequence: String(sequence++), ...hash })).refused ?? [];
      return refused.length > 0;
    });
    assert.equal(refused, [{ 'ipv4-prefix': '192.0.2.0/28', reason: 'bound-already' }]);
  }));

test('promotion makes a learned binding static in one commit, and a withdrawal does not take it', () =>
  withSources(async (box) => {
    const session = await begin(box, '192.0.2.0/28', '192.0.2.16/28');
    const body = JSON.stringify({ 'gi-4over6:input': { 'ipv4-prefix': '192.0.2.0/28' } });
    const path = `${AFTR}/route-source=g1/promote`;
    const reply = await box.curl(path, { method: 'POST', body });
    assert.equal(JSON.parse(reply.body), { 'gi-4over6:output': { bindings: 1 } });
    assert.equal(await operational(box), ['192.0.2.0/28 static', '192.0.2.16/28 learned']);
    await accepted(box, { session, sequence: '2', close: [null] });
    assert.equal(await operational(box), ['192.0.2.0/28 static']);
    const again = await box.curl(path, { method: 'POST', body });
    assert.is(again.tag, 'data-missing');
  }));

// [why, message after a session with 192.0.2.0/28 as sequence 1, error-app-tag]
const refusedMessages: readonly (readonly [string, (session: string) => Json, string])[] = [
  ['the same number again', (session) => ({ session, sequence: '1', route: ['192.0.2.16/28'] }), 'replayed'],
  ['a number that leaves one out', (session) => ({ session, sequence: '3', route: ['192.0.2.16/28'] }), 'out-of-order'],
  [
    'a session that nobody opened',
    () => ({ session: '1', sequence: '2', route: ['192.0.2.16/28'] }),
    'unknown-session',
  ],
  [
    'routes that come to something else',
    (session) => ({ session, sequence: '2', route: ['192.0.2.16/28'], 'content-hash': hashOf('192.0.2.16/28') }),
    'content-differs',
  ],
  ['no content-hash', (session) => ({ session, sequence: '2', route: ['192.0.2.16/28'] }), 'content-differs'],
  [
    'another tunnel address',
    (session) => ({ session, sequence: '2', route: ['192.0.2.16/28'], 'gateway-ipv6-address': '2001:db8:a::2' }),
    'other-tunnel-address',
  ],
  ['an end that was told of before', (session) => ({ session, sequence: '1', close: [null] }), 'replayed'],
  ['an end that leaves a message out', (session) => ({ session, sequence: '3', close: [null] }), 'out-of-order'],
  ['an end of a session that nobody opened', () => ({ session: '1', sequence: '2', close: [null] }), 'unknown-session'],
  [
    'an end beside routes',
    (session) => ({ session, sequence: '2', close: [null], route: ['192.0.2.16/28'] }),
    'malformed',
  ],
  ['open beside routes', () => ({ open: [null], route: ['192.0.2.16/28'] }), ''],
];
for (const [why, message, appTag] of refusedMessages) {
  test(`${why}: it changes nothing and says why`, () =>
    withSources(async (box) => {
      const session = await begin(box, '192.0.2.0/28');
      const reply = await post(box, message(session));
      assert.ok(reply.status >= 400, reply.body);
      if (appTag !== '') assert.match(reply.body, `"error-app-tag":"${appTag}"`);
      assert.equal(await operational(box), ['192.0.2.0/28 learned']);
      if (appTag !== '') assert.ok(String((await sourceState(box))['last-problem']).length > 0);
      // The session stands where it stood.
      const hash = hashOf('192.0.2.0/28', '192.0.2.16/28');
      await accepted(box, { session, sequence: '2', route: ['192.0.2.16/28'], 'content-hash': hash });
      assert.equal(await operational(box), ['192.0.2.0/28 learned', '192.0.2.16/28 learned']);
    }));
}

for (const [what, body] of [
  ['no JSON', '{'],
  [
    'a leaf that is not in the model',
    '{"gi-4over6:input":{"gateway-ipv6-address":"2001:db8:a::1","open":[null],"x":1}}',
  ],
  [
    'no prefix',
    '{"gi-4over6:input":{"gateway-ipv6-address":"2001:db8:a::1","session":"1","sequence":"1","route":["x"]}}',
  ],
  ['nothing', ''],
] as const) {
  test(`a malformed advertisement (${what}) is refused`, () =>
    withSources(async (box) => {
      await begin(box, '192.0.2.0/28');
      const reply = await box.curl(OPERATION, { method: 'POST', body, user: G1 });
      assert.is(reply.status, 400, reply.body);
      assert.equal(await operational(box), ['192.0.2.0/28 learned']);
    }));
}

for (const [who, user, status] of [
  ['a wrong password', 'g1:wrong', 401],
  ['a name that is no source', 'g9:g1-password', 401],
  ['a user', ADMIN, 403],
  ['nobody', '', 401],
] as const) {
  test(`${who} advertises nothing`, () =>
    withSources(async (box) => {
      const reply = await post(box, { open: [null] }, user);
      assert.equal([reply.status, reply.tag], [status, 'access-denied']);
    }));
}

test('a route source is no user: it reads and edits nothing', () =>
  withSources(async (box) => {
    for (const path of [
      '/restconf/data',
      AFTR,
      '/restconf/operations',
      '/restconf/operations/gi-4over6:list-versions',
    ]) {
      assert.is((await box.curl(path, { user: G1 })).status, 401, path);
    }
    const asUser = await box.netconf.rpc(
      `<advertise-routes xmlns="urn:gi-4over6"><gateway-ipv6-address>${GATEWAY}</gateway-ipv6-address><open/></advertise-routes>`,
    );
    assert.match(asUser, '<error-tag>access-denied</error-tag>');
  }));

test('a session that was replaced is gone; until the new one is whole, the routes stay', () =>
  withSources(async (box) => {
    const old = await begin(box, '192.0.2.0/28');
    const { session } = await accepted(box, { open: [null] });
    assert.equal(await operational(box), ['192.0.2.0/28 learned']);
    await accepted(box, { session, sequence: '1', more: [null], route: ['192.0.2.16/28'] });
    assert.equal(await operational(box), ['192.0.2.0/28 learned'], 'a part counts for nothing');
    const hash = hashOf('192.0.2.16/28', '192.0.2.32/28');
    await accepted(box, { session, sequence: '2', route: ['192.0.2.32/28'], 'content-hash': hash });
    assert.equal(await operational(box), ['192.0.2.16/28 learned', '192.0.2.32/28 learned']);
    const reply = await post(box, { session: old, sequence: '2', 'content-hash': hashOf('192.0.2.0/28') });
    assert.match(reply.body, 'unknown-session');
  }));

test('a silent source becomes stale after its hold time, and its bindings go after the grace time', () =>
  withSources(async (box) => {
    // Long enough for a busy machine to do what is to be done before they are over.
    const times = { 'hold-time': 12, 'grace-time': 6 };
    await box.merge({
      'gi-4over6:softwire': { aftr: [{ name: 'a', 'route-source': [source('g1', GATEWAY, times)] }] },
    });
    await begin(box, '192.0.2.0/28');
    await eventually(async () => (await sourceState(box))['session-state'] === 'stale');
    assert.equal(await operational(box), ['192.0.2.0/28 learned'], 'stale bindings are forwarded by');
    const [route] = (await sourceState(box))['learned-route'] as readonly Json[];
    assert.ok(typeof route?.expires === 'string');
    const { session } = await accepted(box, { open: [null] });
    await eventually(async () => (await operational(box)).length === 0);
    assert.equal(await operational(box), []);
    assert.is((await sourceState(box))['session-state'], 'idle');
    const all = { route: ['192.0.2.0/28'], 'content-hash': hashOf('192.0.2.0/28') };
    await accepted(box, { session, sequence: '1', ...all });
    assert.equal(await operational(box), ['192.0.2.0/28 learned'], 'one that was opened before goes on');
  }));

test('a restart of the AFTR keeps learned bindings as stale, and a new session takes them over', () =>
  withSources(async (box) => {
    const session = await begin(box, '192.0.2.0/28', '192.0.2.16/28');
    await box.management.restart('SIGKILL');
    const state = await sourceState(box);
    assert.is(state['session-state'], 'stale');
    const learned = (await sourceState(box))['learned-route'] as readonly Json[];
    assert.equal(
      learned.map((route) => [route['ipv4-prefix'], typeof route.expires]),
      [
        ['192.0.2.0/28', 'string'],
        ['192.0.2.16/28', 'string'],
      ],
    );
    const reply = await post(box, { session, sequence: '2', 'content-hash': hashOf('192.0.2.0/28', '192.0.2.16/28') });
    assert.match(reply.body, 'unknown-session');
    await begin(box, '192.0.2.16/28', '192.0.2.32/28');
    const fresh = await sourceState(box);
    assert.is(fresh['session-state'], 'established');
    assert.equal(fresh['learned-route'], [{ 'ipv4-prefix': '192.0.2.16/28' }, { 'ipv4-prefix': '192.0.2.32/28' }]);
  }));

test('the time of stale routes does not begin anew at each restart of the AFTR', () =>
  withSources(async (box) => {
    // Over RESTCONF: a restart ends the session that `merge` has.
    const keepFor = async (grace: number) => {
      const times = { 'hold-time': 3, 'grace-time': grace };
      const body = JSON.stringify({ 'gi-4over6:route-source': [source('g1', GATEWAY, times)] });
      const { status } = await box.curl(`${AFTR}/route-source=g1`, { method: 'PATCH', body });
      assert.is(status, 204);
    };
    await keepFor(600);
    const expires = async () =>
      ((await sourceState(box))['learned-route'] as readonly Json[] | undefined)?.[0]?.expires;
    await begin(box, '192.0.2.0/28');
    await box.management.restart('SIGKILL');
    const first = await expires();
    assert.type(first, 'string');
    await box.management.restart('SIGKILL');
    assert.is(await expires(), first);
    await keepFor(20);
    await begin(box, '192.0.2.0/28');
    await box.management.restart('SIGTERM');
    const second = await expires();
    assert.ok(String(second) < String(first), `${second}: it has been heard of since`);
    await box.management.restart('SIGKILL', [], async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(String(second)) - Date.now())));
    });
    await eventually(async () => (await expires()) === undefined);
    assert.is(await expires(), undefined, 'it was over while nothing ran');
    assert.ok(Date.now() - Date.parse(String(second)) < 22_000, 'at once, not after another hold and grace time');
  }));

test('a source known by a certificate, where none is asked for: status and answer say so', () =>
  program.run(async (box) => {
    const { password: _none, ...known } = source('g1', GATEWAY, {
      'certificate-fingerprint': Array(32).fill('AB').join(':'),
    });
    await box.merge({
      'gi-4over6:softwire': { aftr: [{ name: 'a', 'route-source': [known] }] },
    });
    const { body } = await box.curl('/restconf/data/gi-4over6:softwire/state?content=nonconfig', { user: ADMIN });
    assert.match(body, /Route source g1 of AFTR a is to be known by its certificate.*client-ca\.crt/);
    assert.match(box.management.log(), 'route sources cannot be known');
    const reply = await post(box, { open: [null] }, '');
    assert.is(reply.status, 401);
    assert.match(reply.body, 'client-ca.crt');
  }));

test('stop', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

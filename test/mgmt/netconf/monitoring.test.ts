// needs: addon
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLocal, untilAlone, withSessions } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, getConfig, lock } from '../../helpers/netconf-requests.ts';
import { eventually } from '../../helpers/program.ts';
import { yanglintIn } from '../../yang/yanglint.ts';

/** ietf-netconf-monitoring (RFC 6022) against the running program. */
const test = suite('netconf monitoring');

const NCM = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"';
const WAIT_MS = 60_000;
const startedAt = Date.now();
const management = await startManagement(['--startup']);

const connect = () => openLocal(management);

function withClient(body: (client: RawClient) => Promise<void>): () => Promise<void> {
  return () =>
    withSessions(connect, 1, async (client) => {
      await untilAlone(client as RawClient);
      await body(client as RawClient);
    });
}

/** Waits until it is so. */
function until(condition: () => Promise<boolean>): Promise<true> {
  return eventually(WAIT_MS, async () => ((await condition()) ? true : undefined));
}

const sessionOf = (client: RawClient) => /<session-id>(\d+)</.exec(client.hello)?.[1] ?? '';

/** What netconf-state holds below these elements. */
async function state(client: RawClient, content: string): Promise<string> {
  const reply = await client.rpc(`<get><filter><netconf-state ${NCM}>${content}</netconf-state></filter></get>`);
  return new RegExp(`<netconf-state ${NCM}>(.*)</netconf-state>`, 's').exec(reply)?.[1] ?? reply;
}

function numbers(text: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...text.matchAll(/<([\w-]+)>(\d+)<\/\1>/g)].map(([, name, value]) => [name, Number(value)]),
  );
}

async function session(client: RawClient, id: string): Promise<string> {
  return state(client, `<sessions><session><session-id>${id}</session-id></session></sessions>`);
}

const statistics = async (client: RawClient) => numbers(await state(client, '<statistics/>'));

test(
  'N100: capabilities are those of the hello',
  withClient(async (client) => {
    const listed = [...(await state(client, '<capabilities/>')).matchAll(/<capability>([^<]*)</g)].map(
      ([, text]) => text,
    );
    const greeted = [...client.hello.matchAll(/<capability>([^<]*)</g)].map(([, text]) => text);
    // Those of IETF and IANA, and ours: none of a program that only brings their text.
    const others = greeted.filter((text = '') => !/^urn:(?:ietf:params:|gi-4over6)/.test(text));
    assert.equal(others, []);
    assert.equal([...listed].sort(), [...greeted].sort());
    // Modules of the IETF and our own, and of no other program.
    for (const uri of greeted) assert.match(uri ?? '', /^urn:(ietf:|gi-4over6\b)/);
  }),
);

test(
  'N100: each datastore, with its lock, whose it is and since when',
  withClient(async (client) => {
    const other = await connect();
    const names = async () =>
      [...(await state(client, '<datastores/>')).matchAll(/<datastore>(.*?)<\/datastore>/gs)].map(
        ([, text = '']) => text,
      );
    assert.equal(
      await names(),
      ['running', 'candidate', 'startup'].map((name) => `<name>${name}</name>`),
    );
    const before = Date.now();
    for (const name of ['running', 'candidate', 'startup']) assert.is(outcome(await other.rpc(lock(name))), 'ok');
    const after = Date.now();
    for (const text of await names()) {
      const [, by, time = ''] =
        /<locks><global-lock><locked-by-session>(\d+)<\/locked-by-session><locked-time>([^<]*)<\/locked-time><\/global-lock><\/locks>$/.exec(
          text,
        ) ?? [];
      assert.is(by, sessionOf(other), text);
      assert.ok(Date.parse(time) >= before && Date.parse(time) <= after, text);
    }
    await other.rpc('<close-session/>');
    await until(async () => !(await names()).join('').includes('locks'));
    other.end();
  }),
);

test(
  'N100: sessions with transport, user, source and login time',
  withClient(async (client) => {
    const local = await session(client, sessionOf(client));
    assert.match(
      local,
      /<transport xmlns:gi-4over6="urn:gi-4over6">gi-4over6:netconf-local<\/transport><username>root<\/username><login-time>/,
    );
    assert.not.match(local, 'source-host');
    const before = Date.now();
    const remote = (await RawClient.ssh(management.netconfPort, 'admin', { password: management.password })).greet(
      '1.1',
    );
    assert.is(outcome(await remote.rpc(getConfig())), 'data');
    const found = await session(client, sessionOf(remote));
    assert.match(
      found,
      /<transport[^>]*>[^<:]*:netconf-ssh<\/transport><username>admin<\/username><source-host>127\.0\.0\.1<\/source-host>/,
    );
    const login = Date.parse(/<login-time>([^<]*)</.exec(found)?.[1] ?? '');
    assert.ok(login >= before && login <= Date.now());
    remote.end();
    await until(async () => !(await session(client, sessionOf(remote))).includes('<session>'));
  }),
);

test(
  'N100: each session counts its requests, the bad ones, its errors and notifications',
  withClient(async (client) => {
    const other = await connect();
    const counts = async () => {
      const { 'session-id': _, ...rest } = numbers(await session(client, sessionOf(other)));
      return rest;
    };
    const none = { 'in-rpcs': 0, 'in-bad-rpcs': 0, 'out-rpc-errors': 0, 'out-notifications': 0 };
    assert.equal(await counts(), none);
    const all = await statistics(client);
    await other.rpc(getConfig());
    await other.rpc('<discard-changes/>');
    assert.equal(await counts(), { ...none, 'in-rpcs': 2 });
    for (const bad of ['<rpc', `<rpc ${NC}><get/></rpc>`, `<hello ${NC}/>`]) {
      other.send(bad);
      assert.is.not(outcome(await other.receive()), 'ok');
    }
    assert.equal(await counts(), { ...none, 'in-rpcs': 2, 'in-bad-rpcs': 3, 'out-rpc-errors': 3 });
    // A correct rpc whose operation is refused before the library sees it, by libyang, and by the operation itself.
    for (const refused of ['<nothing/>', '<get-config/>', '<unlock><target><running/></target></unlock>']) {
      assert.is.not(outcome(await other.rpc(refused)), 'ok');
    }
    assert.equal(await counts(), { ...none, 'in-rpcs': 5, 'in-bad-rpcs': 3, 'out-rpc-errors': 6 });
    await other.rpc('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>');
    assert.is(outcome(await client.rpc(edit(AFTR))), 'ok');
    await until(async () => ((await counts())['out-notifications'] ?? 0) > 0);
    other.end();
    const after = await statistics(client);
    assert.is((after['in-bad-rpcs'] ?? 0) - (all['in-bad-rpcs'] ?? 0), 3);
    assert.is((after['out-rpc-errors'] ?? 0) - (all['out-rpc-errors'] ?? 0), 6);
    assert.ok((after['in-rpcs'] ?? 0) - (all['in-rpcs'] ?? 0) >= 6);
    assert.ok((after['out-notifications'] ?? 0) > (all['out-notifications'] ?? 0));
  }),
);

// [how a session ends, in-bad-hellos and dropped-sessions after it]
const ENDINGS: readonly (readonly [string, (client: RawClient, other: RawClient) => Promise<unknown>, 0 | 1, 0 | 1])[] =
  [
    ['by close-session', (client) => client.rpc('<close-session/>'), 0, 0],
    [
      'by kill-session',
      (client, other) => other.rpc(`<kill-session><session-id>${sessionOf(client)}</session-id></kill-session>`),
      0,
      0,
    ],
    ['because the client goes', async (client) => client.end(), 0, 1],
    ['because of its framing', async (client) => client.write('\n#0\n'), 0, 1],
  ];
for (const [how, end, badHellos, dropped] of ENDINGS) {
  test(
    `N100: a session that ends ${how} is counted so`,
    withClient(async (client) => {
      const before = await statistics(client);
      const other = await connect();
      assert.is(outcome(await other.rpc(getConfig())), 'data');
      await end(other, client);
      await until(async () => !(await session(client, sessionOf(other))).includes('<session>'));
      const after = await statistics(client);
      const grown = ['in-sessions', 'in-bad-hellos', 'dropped-sessions'].map(
        (name) => (after[name] ?? 0) - (before[name] ?? 0),
      );
      assert.equal(grown, [1, badHellos, dropped]);
      other.end();
    }),
  );
}

test(
  'N100: a bad hello is counted, and the time since when',
  withClient(async (client) => {
    const before = await statistics(client);
    const bad = await RawClient.local(management.socket);
    bad.write(`<hello ${NC}/>]]>]]>`);
    assert.ok(await bad.closes());
    const after = await statistics(client);
    const grown = ['in-sessions', 'in-bad-hellos', 'dropped-sessions'].map(
      (name) => (after[name] ?? 0) - (before[name] ?? 0),
    );
    assert.equal(grown, [1, 1, 0]);
    const start = Date.parse(/<netconf-start-time>([^<]*)</.exec(await state(client, '<statistics/>'))?.[1] ?? '');
    assert.ok(start >= startedAt && start <= Date.now());
  }),
);

/** identifier and version of each schema that is listed. */
async function schemas(client: RawClient): Promise<[string, string][]> {
  const listed = await state(client, '<schemas/>');
  return [
    ...listed.matchAll(
      /<schema><identifier>([^<]*)<\/identifier><version>([^<]*)<\/version><format[^>]*>[^<]*yang<\/format>/g,
    ),
  ].map(([, name = '', version = '']) => [name, version]);
}

const getSchema = (identifier: string, more = '') =>
  `<get-schema ${NCM}><identifier>${identifier}</identifier>${more}</get-schema>`;
const unescaped = (text: string) =>
  text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');

test(
  'N101: get-schema by identifier, version and format; what is not there is invalid-value',
  withClient(async (client) => {
    for (const [name, version] of await schemas(client)) {
      const plain = await client.rpc(getSchema(name));
      assert.is(await client.rpc(getSchema(name, `<version>${version}</version><format>yang</format>`)), plain, name);
      assert.is(outcome(await client.rpc(getSchema(name, '<version>1999-01-01</version>'))), 'invalid-value', name);
    }
    const yin = await client.rpc(
      getSchema('gi-4over6', `<format xmlns:m="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring">m:yin</format>`),
    );
    assert.match(unescaped(yin), '<module name="gi-4over6"');
    assert.is(outcome(await client.rpc(getSchema('gi-4over6', '<format>xsd</format>'))), 'invalid-value');
    assert.is(outcome(await client.rpc(getSchema('gi-4over6', '<format>nothing</format>'))), 'invalid-value');
    assert.is(outcome(await client.rpc(`<get-schema ${NCM}/>`)), 'missing-element');
  }),
);

test(
  'N102: every module and whatever it imports or includes can be had, and compiles from what was sent alone',
  withClient(async (client) => {
    const dir = mkdtempSync(join(tmpdir(), 'gi4over6-schemas-'));
    try {
      const found = await schemas(client);
      const files: string[] = [];
      for (const [name, version] of found) {
        const reply = await client.rpc(getSchema(name, version === '' ? '' : `<version>${version}</version>`));
        const text = unescaped(/<data[^>]*>(.*)<\/data>/s.exec(reply)?.[1] ?? '');
        for (const [, other = ''] of text.matchAll(/^ {2}(?:import|include) "?([\w.-]+)"?\s*[{;]/gm)) {
          assert.ok(
            found.some(([known]) => known === other),
            `${name} needs ${other}`,
          );
        }
        files.push(join(dir, `${name}${version === '' ? '' : `@${version}`}.yang`));
        writeFileSync(files.at(-1) ?? '', text);
      }
      assert.ok(files.length > 20);
      for (const file of files) {
        const { accepted, complaints } = yanglintIn([dir], file);
        assert.is(complaints, '', file);
        assert.ok(accepted, file);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }),
);

test('the program ends cleanly', async () => {
  assert.is(await management.stop(), 0);
});

test.run();

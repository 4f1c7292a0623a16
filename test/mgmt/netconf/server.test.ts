// needs: addon
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { shaCrypt } from '../../../src/sha-crypt.ts';
import { outcomes, untilUnlocked } from '../../helpers/local-sessions.ts';
import type { Management } from '../../helpers/management.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, getConfig, NC_PREFIX, RESET, table } from '../../helpers/netconf-requests.ts';

const test = suite('netconf server');
const P = '192.0.2.1/32';
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

/** Runs a body with a client on the local socket. */
async function withClient(management: Management, body: (client: RawClient) => Promise<void>): Promise<void> {
  const client = (await RawClient.local(management.socket)).greet('1.1');
  try {
    await body(client);
  } finally {
    client.end();
  }
}

// One management process for the whole file; the last test ends it.
const management = await startManagement();
{
  const with_ = (body: (client: RawClient) => Promise<void>) => () => withClient(management, body);

  test('N01 N07 N08: hello with a session-id, chunks under 1.1, marks under 1.0', async () => {
    for (const versions of [['1.1'], ['1.0'], ['1.0', '1.1']] as const) {
      const client = await RawClient.local(management.socket);
      assert.match(client.hello, /<session-id>[1-9]\d*<\/session-id>/);
      assert.match(client.hello, /urn:ietf:params:netconf:base:1\.1/);
      client.greet(...versions);
      assert.is(outcome(await client.rpc(getConfig())), 'data', versions.join());
      client.end();
    }
  });

  test(
    'N12: fifty pipelined requests are answered in order',
    with_(async (client) => {
      for (let id = 1; id <= 50; id++)
        client.send(`<rpc ${NC} message-id="${id}">${id % 2 ? getConfig() : '<discard-changes/>'}</rpc>`);
      for (let id = 1; id <= 50; id++) assert.match(await client.receive(), new RegExp(`message-id="${id}"`));
    }),
  );

  const faults: readonly (readonly [string, string, string])[] = [
    ['N13 without message-id', `<rpc ${NC}><get/></rpc>`, 'missing-attribute'],
    ['N15 not well-formed', `<rpc ${NC} message-id="1"><get></rpc>`, 'malformed-message'],
    ['N16 with a document type', `<!DOCTYPE rpc><rpc ${NC} message-id="1"><get/></rpc>`, 'malformed-message'],
    ['N17 of an unknown operation', `<rpc ${NC} message-id="1"><foo/></rpc>`, 'operation-not-supported'],
    ['N18 of an unknown namespace', `<rpc ${NC} message-id="1"><foo xmlns="urn:x"/></rpc>`, 'unknown-namespace'],
    ['N19 without target', `<rpc ${NC} message-id="1"><edit-config><config/></edit-config></rpc>`, 'missing-element'],
    [
      'N27 of an unknown source',
      `<rpc ${NC} message-id="1"><get-config><source><nowhere/></source></get-config></rpc>`,
      'unknown-element',
    ],
    ...[
      ['an attribute of an operation', '<get foo="1"/>', 'unknown-attribute'],
      ['an operation on an operation', `<get ${NC_PREFIX} nc:operation="delete"/>`, 'unknown-attribute'],
      ['an attribute of a parameter', '<lock><target foo="1"><running/></target></lock>', 'unknown-attribute'],
      ['text for a datastore', '<lock><target>running</target></lock>', 'bad-element'],
      ['text in an operation', '<get-config>x<source><running/></source></get-config>', 'bad-element'],
      ['a parameter of nobody', '<lock><target><running/></target><foo xmlns="urn:x"/></lock>', 'unknown-namespace'],
    ].map(
      ([why, operation, tag]) => [`with ${why}`, `<rpc ${NC} message-id="1">${operation}</rpc>`, tag ?? ''] as const,
    ),
    ['with an unknown parameter', `<rpc ${NC} message-id="1"><commit><now/></commit></rpc>`, 'unknown-element'],
    [
      'with a bad default-operation',
      `<rpc ${NC} message-id="1">${edit('', '<default-operation>foo</default-operation>')}</rpc>`,
      'invalid-value',
    ],
    [
      'N85 with an unknown with-defaults',
      `<rpc ${NC} message-id="1"><get-config><source><running/></source><with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">foo</with-defaults></get-config></rpc>`,
      'invalid-value',
    ],
    ['N23 that kills its own session', '', 'invalid-value'],
    [
      'that kills nobody',
      `<rpc ${NC} message-id="1"><kill-session><session-id>4000000</session-id></kill-session></rpc>`,
      'invalid-value',
    ],
    [
      'N71 with equal source and target',
      `<rpc ${NC} message-id="1"><copy-config><target><running/></target><source><running/></source></copy-config></rpc>`,
      'invalid-value',
    ],
    [
      'N68 that unlocks what is not locked',
      `<rpc ${NC} message-id="1"><unlock><target><running/></target></unlock></rpc>`,
      'operation-failed',
    ],
    [
      'N101 for an unknown schema',
      `<rpc ${NC} message-id="1"><get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>nothing</identifier></get-schema></rpc>`,
      'invalid-value',
    ],
  ];
  for (const [why, message, expected] of faults) {
    test(
      `a request ${why}: ${expected}, and the session goes on`,
      with_(async (client) => {
        const own = /<session-id>(\d+)</.exec(client.hello)?.[1];
        client.send(
          message || `<rpc ${NC} message-id="1"><kill-session><session-id>${own}</session-id></kill-session></rpc>`,
        );
        assert.is(outcome(await client.receive()), expected);
        assert.is(outcome(await client.rpc(getConfig())), 'data');
      }),
    );
  }

  const error = (type: string, tag: string, message: string, info = '') =>
    `<rpc-error ${NC}><error-type>${type}</error-type><error-tag>${tag}</error-tag><error-severity>error</error-severity>` +
    `<error-message xml:lang="en">${message}</error-message>${info}</rpc-error></rpc-reply>`;
  const wholeReplies = [
    [
      'N13 without message-id',
      `<rpc ${NC} a="b"><get/></rpc>`,
      `<rpc-reply ${NC} a="b">${error(
        'rpc',
        'missing-attribute',
        'an rpc needs the attribute message-id',
        '<error-info><bad-attribute>message-id</bad-attribute><bad-element>rpc</bad-element></error-info>',
      )}`,
    ],
    [
      'N15 that is not well-formed',
      `<rpc ${NC} message-id="1"><get></rpc>`,
      `<rpc-reply ${NC}>${error('rpc', 'malformed-message', 'not well-formed XML: 1:79: unexpected close tag.')}`,
    ],
    [
      'N18 of an unknown namespace',
      `<rpc ${NC} message-id="1"><x:foo xmlns:x="urn:x"/></rpc>`,
      `<rpc-reply ${NC} message-id="1">${error(
        'protocol',
        'unknown-namespace',
        "operation foo: no module has the namespace 'urn:x'",
        '<error-info><bad-element>foo</bad-element><bad-namespace>urn:x</bad-namespace></error-info>',
      )}`,
    ],
  ] as const;
  for (const [why, message, expected] of wholeReplies) {
    test(
      `a request ${why}: the whole answer`,
      with_(async (client) => {
        client.send(message);
        assert.is(await client.receive(), expected);
        assert.is(outcome(await client.rpc(getConfig())), 'data');
      }),
    );
  }

  test(
    'N14: attributes of the request come back',
    with_(async (client) => {
      client.send(`<rpc ${NC} xmlns:ex="urn:ex" message-id="a&amp;b" ex:user-id="fred"><discard-changes/></rpc>`);
      const reply = await client.receive();
      assert.match(reply, /message-id="a&amp;b"/);
      assert.match(reply, /ex:user-id="fred"/);
    }),
  );

  test(
    'N20: rpc-error in the order of the schema, with xml:lang',
    with_(async (client) => {
      const reply = await client.rpc('<foo/>');
      assert.match(
        reply,
        /<error-type>protocol<\/error-type><error-tag>operation-not-supported<\/error-tag><error-severity>error<\/error-severity><error-message xml:lang="en">/,
      );
    }),
  );

  test(
    'N21: every fault of one edit in one reply',
    with_(async (client) => {
      const reply = await client.rpc(edit(table(`${binding('x', G1)}${binding(P, 'y')}`)));
      assert.is(outcome(reply), 'invalid-value invalid-value');
    }),
  );

  test(
    'N22: close-session answers ok and closes',
    with_(async (client) => {
      assert.is(outcome(await client.rpc('<close-session/>')), 'ok');
      assert.ok(await client.closes());
    }),
  );

  test(
    'N24: kill-session ends another session and frees its locks',
    with_(async (client) => {
      const victim = (await RawClient.local(management.socket)).greet('1.1');
      assert.is(outcome(await victim.rpc('<lock><target><candidate/></target></lock>')), 'ok');
      const id = /<session-id>(\d+)</.exec(victim.hello)?.[1];
      assert.is(outcome(await client.rpc('<lock><target><candidate/></target></lock>')), 'lock-denied');
      assert.is(outcome(await client.rpc(`<kill-session><session-id>${id}</session-id></kill-session>`)), 'ok');
      assert.ok(await victim.closes());
      assert.is(outcome(await client.rpc('<lock><target><candidate/></target></lock>')), 'ok');
    }),
  );

  test(
    'N25 N67: a lock is denied at once, and freed when its session drops',
    with_(async (client) => {
      const holder = (await RawClient.local(management.socket)).greet('1.1');
      await holder.rpc('<lock><target><running/></target></lock>');
      const id = /<session-id>(\d+)</.exec(holder.hello)?.[1];
      const reply = await client.rpc('<lock><target><running/></target></lock>');
      assert.is(outcome(reply), 'lock-denied');
      assert.match(reply, new RegExp(`<session-id>${id}</session-id>`));
      assert.is(outcome(await client.rpc(edit(AFTR))), 'in-use');
      holder.end();
      await untilUnlocked(management);
      assert.is(outcome(await client.rpc('<lock><target><running/></target></lock>')), 'ok');
    }),
  );

  test(
    'N65 N66 N70: commit while running is locked, lock of a modified candidate, lock twice',
    with_(async (client) => {
      const other = (await RawClient.local(management.socket)).greet('1.1');
      await other.rpc('<lock><target><running/></target></lock>');
      await client.rpc(edit(AFTR, '', 'candidate'));
      assert.equal(await outcomes(client, ['<commit/>', '<lock><target><candidate/></target></lock>']), [
        'in-use',
        'lock-denied',
      ]);
      assert.is(outcome(await other.rpc('<lock><target><running/></target></lock>')), 'lock-denied');
      other.end();
      await client.rpc('<discard-changes/>');
      await untilUnlocked(management);
    }),
  );

  test(
    'N26 N62 N63 N64: candidate and running',
    with_(async (client) => {
      await client.rpc(RESET);
      await client.rpc(edit(AFTR));
      const other = (await RawClient.local(management.socket)).greet('1.1');
      assert.is(outcome(await client.rpc(edit(table(binding(P, G1)), '', 'candidate'))), 'ok');
      assert.match(await other.rpc(getConfig('', 'candidate')), /192\.0\.2\.1\/32/);
      assert.not.match(await other.rpc(getConfig()), /192\.0\.2\.1\/32/);
      assert.is(outcome(await client.rpc('<discard-changes/>')), 'ok');
      assert.not.match(await other.rpc(getConfig('', 'candidate')), /192\.0\.2\.1\/32/);
      assert.is(outcome(await client.rpc(edit(table(binding('203.0.113.1/32', G1)), '', 'candidate'))), 'ok');
      assert.equal(
        await outcomes(client, [
          '<validate><source><candidate/></source></validate>',
          '<commit/>',
          '<discard-changes/>',
        ]),
        ['operation-failed', 'operation-failed', 'ok'],
      );
      assert.is(outcome(await client.rpc(edit(table(binding(P, G1)), '', 'candidate'))), 'ok');
      assert.equal(await outcomes(client, ['<validate><source><candidate/></source></validate>', '<commit/>']), [
        'ok',
        'ok',
      ]);
      assert.match(await other.rpc(getConfig()), /192\.0\.2\.1\/32/);
      other.end();
    }),
  );

  test(
    'N71 N74: copy-config and validate with an inline configuration',
    with_(async (client) => {
      await client.rpc(RESET);
      const whole = (await client.rpc(getConfig())).replace(/^.*?<data[^>]*>|<\/data>.*$/gs, '');
      const config = `<config>${whole}${AFTR.replace('</aftr>', `<binding-table>${binding(P, G1)}</binding-table></aftr>`)}</config>`;
      assert.is(outcome(await client.rpc(`<validate><source>${config}</source></validate>`)), 'ok');
      assert.is(
        outcome(await client.rpc(`<validate><source>${config.replace(P, '203.0.113.1/32')}</source></validate>`)),
        'operation-failed',
      );
      assert.is(
        outcome(await client.rpc(`<copy-config><target><candidate/></target><source>${config}</source></copy-config>`)),
        'ok',
      );
      assert.is(outcome(await client.rpc('<commit/>')), 'ok');
      assert.match(await client.rpc(getConfig()), /192\.0\.2\.1\/32/);
    }),
  );

  test(
    'N37 N100: get has configuration and state',
    with_(async (client) => {
      await client.rpc(RESET);
      await client.rpc(edit(AFTR));
      const reply = await client.rpc('<get/>');
      for (const part of [
        /<configured-version>\d+</,
        /<content-hash>/,
        /<netconf-state/,
        /<yang-library/,
        /<session-id>\d+</,
      ])
        assert.match(reply, part);
    }),
  );

  test(
    'N101 N102: get-schema of every module, twice',
    with_(async (client) => {
      const reply = await client.rpc(
        '<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><schemas/></netconf-state></filter></get>',
      );
      const names = [...reply.matchAll(/<identifier>([^<]+)</g)].map(([, name]) => name);
      assert.ok(names.includes('gi-4over6') && names.length > 10);
      for (const name of [...names, ...names]) {
        const text = await client.rpc(
          `<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>${name}</identifier></get-schema>`,
        );
        assert.match(text, new RegExp(`module ${name} \\{`));
      }
    }),
  );

  test(
    'N116 N117: the action lookup',
    with_(async (client) => {
      await client.rpc(RESET);
      await client.rpc(edit(AFTR));
      await client.rpc(edit(table(binding('192.0.2.0/28', G1) + binding(P, G2))));
      const lookup = (name: string, address: string) =>
        client.rpc(
          `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>${name}</name><lookup><ipv4-address>${address}</ipv4-address></lookup></aftr></softwire></action>`,
        );
      assert.match(await lookup('a', '192.0.2.1'), /192\.0\.2\.1\/32.*a::2/s);
      assert.match(await lookup('a', '192.0.2.2'), /192\.0\.2\.0\/28.*a::1/s);
      assert.is(outcome(await lookup('a', '192.0.2.200')), 'ok');
      assert.is(outcome(await lookup('b', '192.0.2.1')), 'data-missing');
      assert.is(outcome(await lookup('a', 'x')), 'invalid-value');
    }),
  );

  test(
    'a path in a rule comes back as it went, with a prefix before each name',
    with_(async (client) => {
      const path = "/gi:softwire/gi:aftr[gi:name='a']/gi:binding-table";
      const rule = `<rule-list><name>r</name><group>*</group><rule><name>x</name><path xmlns:gi="urn:gi-4over6">${path}</path><action>deny</action></rule></rule-list>`;
      const nacm = (inside: string) =>
        edit(`<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm">${inside}</nacm>`);
      assert.is(outcome(await client.rpc(nacm(rule))), 'ok');
      const [config = ''] = /<nacm .*<\/nacm>/s.exec(await client.rpc(getConfig())) ?? [];
      assert.match(config, path.replaceAll('gi:', 'gi-4over6:'));
      assert.is(outcome(await client.rpc(edit(config))), 'ok');
    }),
  );

  test(
    'a password that comes in clear is kept as a hash',
    with_(async (client) => {
      const user = (password: string) =>
        edit(
          `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>bob</name><password>${password}</password></user></authentication></system>`,
        );
      assert.is(outcome(await client.rpc(user('$0$pass w\u00f6rd'))), 'ok');
      const [, hash = ''] = /<name>bob<\/name><password>([^<]*)</.exec(await client.rpc(getConfig())) ?? [];
      assert.match(hash, /^\$6\$[./0-9A-Za-z]{16}\$/);
      assert.is(shaCrypt('pass w\u00f6rd', hash), hash);
      assert.match(await client.rpc(user('secret')), 'expected a password hash, as `openssl passwd -6` makes it');
      assert.not.match(await client.rpc(getConfig()), '$0$');
    }),
  );

  test(
    'the operation list-versions',
    with_(async (client) => {
      await client.rpc(edit(AFTR));
      const list = (input: string) => client.rpc(`<list-versions ${GI}>${input}</list-versions>`);
      assert.match(
        await list('<maximum>1</maximum>'),
        /<version xmlns="urn:gi-4over6"><number>\d+<\/number><time>[^<]+<\/time><user>root<\/user>.*<face>local<\/face>/,
      );
      assert.is(outcome(await list('<before>1</before>')), 'ok');
      assert.is(outcome(await list('<maximum>0</maximum>')), 'invalid-value');
      assert.is(outcome(await list('<minimum>1</minimum>')), 'unknown-element');
    }),
  );

  test('N113: over SSH, with a password; a wrong one is refused', async () => {
    const client = (await RawClient.ssh(management.netconfPort, 'admin', { password: management.password })).greet(
      '1.1',
    );
    assert.is(outcome(await client.rpc(getConfig())), 'data');
    client.end();
    let refused = false;
    await RawClient.ssh(management.netconfPort, 'admin', { password: 'wrong' }).catch(() => {
      refused = true;
    });
    assert.ok(refused);
  });

  test(
    'N104 N105 N107: a user without rights reads nothing, edits nothing, executes only what is allowed',
    with_(async (root) => {
      await root.rpc(RESET);
      await root.rpc(edit(AFTR));
      const hash = /"password[^<]*<password>([^<]+)<|<password>([^<]+)</.exec(await root.rpc(getConfig()))?.[2];
      const user = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>guest</name><password>${hash}</password></user></authentication></system>`;
      assert.is(outcome(await root.rpc(edit(user))), 'ok');
      const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: management.password })).greet(
        '1.1',
      );
      assert.not.match(await guest.rpc(getConfig()), /softwire|password/);
      assert.is(outcome(await guest.rpc(edit(table(binding(P, G1))))), 'access-denied');
      assert.is(outcome(await guest.rpc('<kill-session><session-id>1</session-id></kill-session>')), 'access-denied');
      guest.end();
    }),
  );

  test(
    'N113: a public key of the configuration opens a session, another does not',
    with_(async (root) => {
      const [known, unknown] = [ssh2.utils.generateKeyPairSync('ed25519'), ssh2.utils.generateKeyPairSync('ed25519')];
      const data = known.public.split(' ')[1];
      const key = `<authorized-key><name>k</name><algorithm>ssh-ed25519</algorithm><key-data>${data}</key-data></authorized-key>`;
      const user = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>olga</name>${key}</user></authentication></system>`;
      assert.is(outcome(await root.rpc(edit(user))), 'ok');
      const client = (await RawClient.ssh(management.netconfPort, 'olga', { privateKey: known.private })).greet('1.1');
      // In no group she may execute nothing, but she is there.
      assert.is(outcome(await client.rpc(getConfig())), 'access-denied');
      client.end();
      let refused = false;
      await RawClient.ssh(management.netconfPort, 'olga', { privateKey: unknown.private }).catch(() => {
        refused = true;
      });
      assert.ok(refused);
    }),
  );

  test(
    'kill -9 loses no acknowledged commit',
    with_(async (client) => {
      await client.rpc(RESET);
      assert.is(outcome(await client.rpc(edit(AFTR))), 'ok');
      assert.is(outcome(await client.rpc(edit(table(binding(P, G1))))), 'ok');
      await management.restart('SIGKILL');
      await withClient(management, async (again) => {
        assert.match(await again.rpc(getConfig()), /192\.0\.2\.1\/32/);
      });
    }),
  );

  test('a stop on SIGTERM ends with code 0', async () => {
    assert.is(await management.stop(), 0);
  });
}
test.run();

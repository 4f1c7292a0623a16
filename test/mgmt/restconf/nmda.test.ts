// needs: addon
/** The datastores of NMDA as resources (RFC 8527), of the running program, with curl. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { binding, edit, getConfig, table } from '../../helpers/netconf-requests.ts';
import { dataIn, getData, subtree } from '../../helpers/nmda-requests.ts';
import type { CurlOptions, CurlReply } from '../../helpers/restconf.ts';
import { GUEST, XML_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: datastores of NMDA');
const program = await startProgram(['--startup']);

const DS = '/restconf/ds/ietf-datastores:';
const DATA = '/restconf/data';
const AFTR = '/gi-4over6:softwire/aftr=a';
const TABLE = `${AFTR}/binding-table`;
const B = { 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8:a::1' };
const B_PATH = `${TABLE}/binding=192.0.2.1%2F32`;
const XML = { headers: [`Accept: ${XML_TYPE}`] };
const body = (more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ 'gi-4over6:binding': [{ ...B, ...more }] });

const brief = ({ status, tag }: CurlReply) => [status, tag];

/** The reply without what differs from request to request. */
async function told(box: ProgramBox, path: string, options: CurlOptions = {}): Promise<readonly unknown[]> {
  const { status, body: text, headers } = await box.curl(path, options);
  return [status, text, headers['content-type'], headers.etag, headers['last-modified']];
}

test('R62: running and intended are the configuration of {+restconf}/data, with the same tag, in both encodings', () =>
  program.run(async (box) => {
    await box.addBindings([B]);
    for (const path of [
      '',
      '/gi-4over6:softwire',
      AFTR,
      `${TABLE}/binding`,
      B_PATH,
      `${AFTR}/ipv4-pool=192.0.2.0%2F24`,
    ]) {
      for (const options of [{}, XML]) {
        const expected = await told(box, `${DATA}${path}?content=config`, options);
        assert.is(expected[0], 200);
        assert.equal(await told(box, `${DS}running${path}`, options), expected, path);
        assert.equal(await told(box, `${DS}running${path}?content=config`, options), expected, path);
        assert.equal(await told(box, `${DS}intended${path}`, options), expected, path);
      }
    }
    const tag = await box.tag();
    assert.is((await box.curl(`${DS}running${AFTR}`, { headers: [`If-None-Match: ${tag}`] })).status, 304);
  }));

test('R62: conventional datastores hold no state, and nothing else where only that is wanted', () =>
  program.run(async ({ curl }) => {
    for (const name of ['running', 'intended', 'candidate', 'startup']) {
      const datastore = `${DS}${name}`;
      assert.equal(brief(await curl(`${datastore}/gi-4over6:softwire-state`)), [404, 'invalid-value'], name);
      assert.equal(brief(await curl(`${datastore}/gi-4over6:softwire/aftr?content=nonconfig`)), [404, 'invalid-value']);
      assert.is((await curl(`${datastore}?content=nonconfig`)).body, '{"ietf-restconf:data":{}}');
    }
    // RFC 8040 §3.5.4, paragraph 3, is not for these (RFC 8527 §3.2).
    assert.is((await curl(`${DS}running${AFTR}/hop-limit`)).status, 404);
    const whole = JSON.parse((await curl(`${DS}running${AFTR}?with-defaults=report-all`)).body);
    assert.is(whole['gi-4over6:aftr'][0]['hop-limit'], 64);
  }));

test('R62: depth and fields work as for {+restconf}/data', () =>
  program.run(async (box) => {
    await box.addBindings([B]);
    for (const query of [
      'depth=2',
      'fields=name;ipv4-pool',
      'fields=binding-table(binding(ipv4-prefix))',
      'with-defaults=trim',
    ]) {
      const expected = await told(box, `${DATA}${AFTR}?content=config&${query}`);
      assert.equal(await told(box, `${DS}running${AFTR}?${query}`), expected, query);
    }
  }));

const UNKNOWN = [
  '',
  '/running',
  '/ietf-datastores:dynamic',
  '/ietf-netconf:running',
  '/gi-4over6:running',
  '/ietf-datastores',
];
for (const path of UNKNOWN) {
  test(`R62: /restconf/ds${path} is not there`, () =>
    program.run(async ({ curl }) => {
      for (const method of ['GET', 'PUT', 'OPTIONS']) {
        const reply = await curl(`/restconf/ds${path}`, method === 'PUT' ? { method, body: '{}' } : { method });
        assert.equal(brief(reply), [404, 'invalid-value'], method);
      }
    }));
}

test('R62: what is not edited answers 405 with the methods that it takes', () =>
  program.run(async ({ curl, tag, addBindings }) => {
    await addBindings([B]);
    const before = await tag();
    for (const name of ['operational', 'intended', 'startup']) {
      for (const [method, path] of [
        ['PUT', ''],
        ['PATCH', ''],
        ['POST', ''],
        ['POST', TABLE],
        ['PUT', B_PATH],
        ['PATCH', B_PATH],
        ['DELETE', B_PATH],
      ] as const) {
        const reply = await curl(`${DS}${name}${path}`, method === 'DELETE' ? { method } : { method, body: body() });
        assert.equal(brief(reply), [405, 'operation-not-supported'], `${method} ${name}${path}`);
        assert.is(reply.headers.allow, 'GET, HEAD, OPTIONS');
      }
      const options = await curl(`${DS}${name}${B_PATH}`, { method: 'OPTIONS' });
      assert.equal(
        [options.status, options.headers.allow, options.headers['accept-patch']],
        [200, 'GET, HEAD, OPTIONS', undefined],
      );
    }
    assert.is(await tag(), before);
  }));

test('R62: running is edited through its resource, with tags, preconditions and a location in it', () =>
  program.run(async (box) => {
    const { curl, url } = box;
    const created = await curl(`${DS}running${TABLE}`, { method: 'POST', body: body() });
    assert.equal([created.status, created.headers.location], [201, `${url}${DS}running${B_PATH}`]);
    const tag = created.headers.etag ?? '';
    assert.is(tag, await box.tag());
    const match = (value: string) => ({
      method: 'PUT',
      body: body({ description: 'x' }),
      headers: [`If-Match: ${value}`],
    });
    assert.equal(brief(await curl(`${DS}running${B_PATH}`, match('"other"'))), [412, 'operation-failed']);
    const replaced = await curl(`${DS}running${B_PATH}`, match(tag));
    assert.is(replaced.status, 204);
    assert.is.not(replaced.headers.etag, tag);
    assert.match((await curl(`${DATA}${B_PATH}`)).body, '"description":"x"');
    // RFC 8040 §1.4: what RESTCONF changes of running is saved.
    assert.match((await curl(`${DS}startup${B_PATH}`)).body, '"description":"x"');
    assert.is((await curl(`${DS}running${B_PATH}`, { method: 'DELETE' })).status, 204);
    assert.is((await curl(`${DS}running${B_PATH}`, { method: 'DELETE' })).status, 404);
  }));

const PATCH = {
  'ietf-yang-patch:yang-patch': {
    'patch-id': 'one',
    edit: [
      {
        'edit-id': '1',
        operation: 'merge',
        target: '/binding=192.0.2.1%2F32',
        value: { 'gi-4over6:binding': [{ ...B, description: 'y' }] },
      },
    ],
  },
};

test('R62: edits of the candidate stay there until they are committed', () =>
  program.run(async (box) => {
    const { curl, url } = box;
    const before = await box.tag();
    const at = `${DS}candidate${B_PATH}`;
    const created = await curl(`${DS}candidate${TABLE}`, { method: 'POST', body: body() });
    assert.equal([created.status, created.headers.location, created.headers.etag], [201, url + at, undefined]);
    assert.is((await curl(at, { method: 'PATCH', body: body({ description: 'x' }) })).status, 204);
    const patched = await curl(`${DS}candidate${TABLE}`, {
      method: 'PATCH',
      body: JSON.stringify(PATCH),
      headers: ['Content-Type: application/yang-patch+json'],
    });
    assert.equal([patched.status, patched.headers.etag], [200, undefined]);
    assert.is((await curl(at, { method: 'PUT', body: body({ description: 'z' }) })).status, 204);
    assert.equal([(await curl(`${DS}running${B_PATH}`)).status, await box.tag()], [404, before]);
    const shown = await curl(at);
    assert.equal(JSON.parse(shown.body), { 'gi-4over6:binding': [{ ...B, description: 'z' }] });
    assert.equal([shown.headers.etag, shown.headers['last-modified']], [undefined, undefined]);
    assert.match(await box.netconf.rpc(getConfig('', 'candidate')), '<description>z</description>');
    await box.done('<commit/>');
    assert.match((await curl(`${DS}running${B_PATH}`)).body, '"description":"z"');
  }));

test('R62: the candidate has no tag: a precondition with one fails, with * it holds', () =>
  program.run(async ({ curl, tag }) => {
    const put = async (field: string) => {
      const reply = await curl(`${DS}candidate${B_PATH}`, { method: 'PUT', body: body(), headers: [field] });
      return reply.status;
    };
    assert.is(await put(`If-Match: ${await tag()}`), 412);
    assert.is(await put('If-Match: *'), 412);
    assert.is(await put('If-None-Match: *'), 201);
    assert.is(await put('If-None-Match: *'), 412);
    assert.is(await put('If-Match: *'), 204);
    assert.is(await put('If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT'), 204);
  }));

test('R62: operational has state and the values in use, as get-data shows them', () =>
  program.run(async (box) => {
    const { curl, netconf } = box;
    await box.addBindings([B]);
    const filter = subtree('<softwire xmlns="urn:gi-4over6"><aftr><name>a</name></aftr></softwire>');
    const inner = (text: string) => text.replace(/^.*?<aftr[^>]*>/s, '').replace(/<\/aftr>.*$/s, '');
    for (const [query, parameters] of [
      ['', ''],
      [
        '?with-defaults=trim',
        '<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-nmda">trim</with-defaults>',
      ],
      ['?content=config', '<config-filter>true</config-filter>'],
      ['?content=nonconfig', '<config-filter>false</config-filter>'],
      ['?with-origin', '<with-origin/>'],
    ] as const) {
      const expected = dataIn(
        await netconf.rpc(getData('operational', filter + parameters.replace(/ xmlns="[^"]*"/, ''))),
      );
      const { status, body: text, headers } = await curl(`${DS}operational${AFTR}${query}`, XML);
      assert.is(status, 200, text);
      assert.is(inner(text), inner(expected), query);
      assert.is(headers.etag, undefined);
    }
    const explicit = await curl(`${DS}operational${AFTR}?with-defaults=explicit`);
    assert.is(explicit.body, (await curl(`${DS}operational${AFTR}`)).body, 'RFC 8527 §3.2.1');
    assert.is((await curl(`${DS}operational${AFTR}/hop-limit`)).body, '{"gi-4over6:hop-limit":64}');
    const tagged = await curl(`${DS}operational${AFTR}?with-defaults=report-all-tagged&with-origin&fields=hop-limit`);
    const both = { 'ietf-netconf-with-defaults:default': true, 'ietf-origin:origin': 'ietf-origin:default' };
    assert.equal(JSON.parse(tagged.body)['gi-4over6:aftr'][0]['@hop-limit'], both);
  }));

test('R62: with-origin, in JSON: the target always says it, below it what differs; system and learned are told apart', () =>
  program.run(async (box) => {
    const { curl } = box;
    await box.addBindings([B]);
    const origin = (name: string) => ({ 'ietf-origin:origin': `ietf-origin:${name}` });
    const [aftr] = JSON.parse((await curl(`${DS}operational${AFTR}?with-origin&content=config`)).body)[
      'gi-4over6:aftr'
    ];
    assert.equal(aftr['@'], origin('intended'));
    assert.equal(aftr['@hop-limit'], origin('default'));
    assert.is(aftr['@name'], undefined);
    assert.equal(aftr.reassembly['@'], origin('default'));
    assert.is(aftr.reassembly['@timeout'], undefined);
    assert.equal(aftr['binding-table'].binding, [B]);
    const leaf = JSON.parse((await curl(`${DS}operational${AFTR}/hop-limit?with-origin=`)).body);
    assert.equal(leaf, { 'gi-4over6:hop-limit': 64, '@gi-4over6:hop-limit': origin('default') });
    const pool = JSON.parse((await curl(`${DS}operational${AFTR}/ipv4-pool?with-origin`)).body);
    assert.equal(pool['@gi-4over6:ipv4-pool'], [origin('intended'), origin('intended')]);
    const row = JSON.parse((await curl(`${DS}operational${B_PATH}?with-origin`)).body);
    assert.equal(row['gi-4over6:binding'][0]['@'], origin('intended'));
    const top = JSON.parse((await curl(`${DS}operational?with-origin&depth=2`)).body)['ietf-restconf:data'];
    assert.equal(top['gi-4over6:softwire']['@'], origin('intended'));
    assert.is(top['ietf-yang-library:yang-library']?.['@'], undefined);
  }));

const WRONG_ORIGIN = [
  `${DATA}${AFTR}?with-origin`,
  `${DS}running${AFTR}?with-origin`,
  `${DS}candidate?with-origin`,
  `${DS}operational${AFTR}?with-origin=true`,
  `${DS}operational${AFTR}?with-origin&with-origin`,
];
for (const path of WRONG_ORIGIN) {
  test(`R62: ${path} is 400`, () =>
    program.run(async ({ curl }) => assert.equal(brief(await curl(path)), [400, 'invalid-value'])));
}

test('R62: actions are invoked in operational, and as before in {+restconf}/data', () =>
  program.run(async (box) => {
    await box.addBindings([B]);
    const lookup = (datastore: string) =>
      box.curl(`${datastore}${AFTR}/lookup`, {
        method: 'POST',
        body: '{"gi-4over6:input":{"ipv4-address":"192.0.2.1"}}',
      });
    const expected = await lookup(DATA);
    assert.is(expected.status, 200, expected.body);
    assert.is((await lookup(`${DS}operational`)).body, expected.body);
    for (const name of ['running', 'intended', 'candidate', 'startup']) {
      assert.equal(brief(await lookup(`${DS}${name}`)), [404, 'invalid-value'], name);
    }
    assert.is((await box.curl(`${DS}operational${AFTR}/lookup`)).headers.allow, 'OPTIONS, POST');
  }));

test('R62: who may not read a node does not find it in any datastore', () =>
  program.run(async ({ curl }) => {
    for (const name of ['running', 'candidate', 'intended', 'operational']) {
      const at = `${DS}${name}/gi-4over6:softwire/gateway=g`;
      assert.is((await curl(at)).status, 200);
      assert.equal(brief(await curl(at, { user: GUEST })), [404, 'invalid-value'], name);
      assert.not.match((await curl(`${DS}${name}`, { user: GUEST })).body, '"gateway":');
    }
    assert.is((await curl(`${DS}candidate${B_PATH}`, { method: 'PUT', body: body(), user: GUEST })).status, 403);
  }));

test('R62: the capabilities and the YANG library say it', () =>
  program.run(async ({ curl }) => {
    const state = await curl(`${DS}operational/ietf-restconf-monitoring:restconf-state/capabilities`);
    for (const name of ['with-origin:1.0', 'with-operational-defaults:1.0']) {
      assert.match(state.body, `"urn:ietf:params:restconf:capability:${name}"`);
    }
    assert.match((await curl('/restconf/yang-library-version')).body, '"2019-01-04"');
    const library = await curl(`${DS}operational/ietf-yang-library:yang-library/datastore?fields=name`);
    const names = JSON.parse(library.body)['ietf-yang-library:datastore'].map(({ name }: { name: string }) => name);
    for (const name of names) assert.is((await curl(`/restconf/ds/${name}?depth=1`)).status, 200, name);
    assert.is(names.length, 5);
  }));

test('R63: {+restconf}/data is configuration and state together, without defaults or origins, and is edited', () =>
  program.run(async (box) => {
    const { curl } = box;
    await box.addBindings([B]);
    const [aftr] = JSON.parse((await curl(`${DATA}${AFTR}`)).body)['gi-4over6:aftr'];
    assert.is(aftr['hop-limit'], undefined);
    assert.equal(aftr['binding-table'].binding, [{ ...B, origin: 'static' }]);
    assert.is(aftr['@'], undefined);
    const put = await curl(`${DATA}${B_PATH}`, { method: 'PUT', body: body({ description: 'r63' }) });
    assert.equal([put.status, put.headers.etag], [204, await box.tag()]);
    assert.match((await curl(`${DS}operational${B_PATH}`)).body, '"description":"r63"');
    await box.done(edit(table(binding('192.0.2.2/32', '2001:db8:a::2')), '', 'candidate'));
    assert.not.match((await curl(`${DATA}${TABLE}`)).body, '192.0.2.2/32');
    assert.match((await curl(`${DS}candidate${TABLE}`)).body, '192.0.2.2/32');
  }));

test('it ends cleanly', async () => assert.is(await program.stop(), 0));

test.run();

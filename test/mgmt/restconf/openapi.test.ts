// needs: addon
/** The OpenAPI description is one, and the running program does what it says: each path, each method. */

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: openapi');
const program = await startProgram();
const PATH = '/restconf/openapi.json';

/** Something of everything that is configured. */
const DATA = {
  'gi-4over6:softwire': {
    gateway: [{ name: 'g', 'ipv4-interface': ['left'], 'served-prefix': [{ 'ipv4-prefix': '203.0.113.0/24' }] }],
    aftr: [
      {
        name: 'a',
        'additional-ipv6-address': ['2001:db8:b::2'],
        'ipv4-pool': ['192.0.2.0/24'],
        'binding-table': {
          binding: [{ 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1', description: 'rack 7' }],
          'shared-address': [
            {
              'ipv4-address': '192.0.2.200',
              'psid-length': 8,
              'port-set': [{ psid: 52, 'b4-ipv6-address': '2001:db8:c::34' }],
            },
          ],
        },
      },
    ],
  },
};
const VALUES: Readonly<Record<string, string>> = {
  'gateway-name': 'g',
  'ipv4-interface-value': 'left',
  'served-prefix-ipv4-prefix': '203.0.113.0/24',
  'drop-reason': 'no-binding',
  'aftr-name': 'a',
  'additional-ipv6-address-value': '2001:db8:b::2',
  'ipv4-pool-value': '192.0.2.0/24',
  'binding-ipv4-prefix': '192.0.2.0/25',
  'shared-address-ipv4-address': '192.0.2.200',
  'port-set-psid': '52',
  'softwire-gateway-ipv6-address': '2001:db8:a::1',
  'route-table-value': '254',
  'include-prefix-value': '198.51.100.0/24',
  'exclude-prefix-value': '198.51.100.128/25',
  'target-name': 'edge',
  'bgp-neighbor-value': '2001:db8:c::1',
  'local-address-value': '2001:db8:c::2',
  'neighbor-address': '2001:db8:c::1',
  'advertised-route-ipv4-prefix': '198.51.100.0/24',
  'route-source-name': 's',
  'allowed-prefix-value': '192.0.2.0/24',
  'learned-route-ipv4-prefix': '192.0.2.0/24',
  'refused-route-ipv4-prefix': '192.0.2.0/24',
  'problem-value': 'x',
  'backup-file': 'x',
};
/** What operations and actions take, where it is not nothing. */
const INPUTS: Readonly<Record<string, unknown>> = {
  'lookup-address': { 'ipv4-address': '192.0.2.1' },
  lookup: { 'ipv4-address': '192.0.2.1' },
  'get-version': { version: '1' },
  'compare-versions': { 'from-version': '1' },
  'roll-back': { version: '1' },
};

interface Operation {
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema?: unknown }>>;
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, { readonly content?: Content }>> };
}

async function described({ curl }: ProgramBox): Promise<Description> {
  const reply = await curl(PATH);
  assert.is(reply.status, 200, reply.body);
  return JSON.parse(reply.body) as Description;
}

/** Judges an answer: its status is described, and its JSON is as described. */
function judge(description: Description): (path: string, method: string, reply: CurlReply) => void {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(description, 'api');
  return (path, method, reply) => {
    const what = `${method} ${path}: ${reply.status} ${reply.body.slice(0, 500)}`;
    const known = description.paths[path]?.[method]?.responses[String(reply.status)];
    assert.ok(known, what);
    const response = known?.$ref ? description.components.responses[known.$ref.split('/').at(-1) ?? ''] : known;
    const schema = response?.content?.[JSON_TYPE]?.schema;
    if (!schema || reply.headers['content-type'] !== JSON_TYPE) return;
    const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
    const isRight = ajv.compile(JSON.parse(text) as object);
    assert.ok(isRight(JSON.parse(reply.body)), `${what}\n${JSON.stringify(isRight.errors?.slice(0, 3))}`);
  };
}

function filled(path: string): string {
  return path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const value = VALUES[name];
    assert.ok(value !== undefined, `a value for ${name}`);
    return encodeURIComponent(value ?? '');
  });
}

test('it is OpenAPI 3.1, for every user and for nobody else', () =>
  program.run(async (box) => {
    const description = await described(box);
    assert.is(description.openapi, '3.1.0');
    const result = await new Validator().validate(structuredClone(description) as unknown as Record<string, unknown>);
    assert.ok(result.valid, JSON.stringify(result.errors ?? '').slice(0, 2_000));
    assert.is((await box.curl(PATH, { user: GUEST })).status, 200);
    assert.is((await box.curl(PATH, { user: '' })).status, 401);
    assert.is((await box.curl(PATH, { headers: ['Accept: application/json'] })).status, 200);
    assert.is(
      (await box.curl(PATH, { method: 'PUT', headers: [`Content-Type: ${JSON_TYPE}`], body: '{}' })).status,
      405,
    );
  }));

test('it has the whole model: each resource of ours that answers is described', () =>
  program.run(async (box) => {
    const { paths } = await described(box);
    for (const path of ['binding-table/binding={binding-ipv4-prefix}', 'lookup', 'statistics/ipv6-side']) {
      assert.ok(paths[`/restconf/data/gi-4over6:softwire/aftr={aftr-name}/${path}`], path);
    }
    const { body } = await box.curl('/restconf/operations');
    const operations = JSON.parse(body)['ietf-restconf:operations'] as Record<string, unknown>;
    const own = Object.keys(operations).filter((name) => name.startsWith('gi-4over6:'));
    assert.equal(
      own.filter((name) => !paths[`/restconf/operations/${name}`]?.post),
      [],
    );
    assert.ok(own.length > 5);
  }));

test('what is read has a status and a body as described', () =>
  program.run(async (box) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    let answered = 0;
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!methods.get) continue;
      const stream = path.includes('/streams/');
      const url = filled(path) + (stream ? '?start-time=x' : '');
      const reply = await box.curl(url, path.startsWith('/.well-known') ? { user: '', headers: ['Accept: */*'] } : {});
      check(path, 'get', reply);
      if (reply.status === 200) answered++;
    }
    assert.ok(answered > 60, `${answered} resources were there`);
    const whole = '/restconf/data/gi-4over6:softwire';
    for (const query of [
      'content=config',
      'content=nonconfig',
      'with-defaults=report-all',
      'with-defaults=report-all-tagged',
    ]) {
      check(whole, 'get', await box.curl(`${whole}?${query}`));
    }
  }));

test('what is written has a status as described, with the body that was read', () =>
  program.run(async (box) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    const type = [`Content-Type: ${JSON_TYPE}`];
    let made = 0;
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!path.startsWith('/restconf/data/') || !methods.put) continue;
      const url = filled(path);
      const { status, body } = await box.curl(`${url}?content=config`);
      const text = status === 200 ? body : '{}';
      for (const method of ['put', 'patch']) {
        const reply = await box.curl(url, { method: method.toUpperCase(), headers: type, body: text });
        check(path, method, reply);
        if (reply.status === 204) made++;
      }
      if (methods.post) check(path, 'post', await box.curl(url, { method: 'POST', headers: type, body: '{}' }));
      check(path, 'delete', await box.curl(url, { method: 'DELETE', headers: ['If-Match: "another"'] }));
    }
    assert.ok(made > 40, `${made} edits were made`);
    for (const path of Object.keys(description.paths)
      .filter((name) => description.paths[name]?.delete)
      .reverse()) {
      check(path, 'delete', await box.curl(filled(path), { method: 'DELETE' }));
    }
    for (const method of ['put', 'patch', 'post']) {
      check(
        '/restconf/data',
        method,
        await box.curl('/restconf/data', { method: method.toUpperCase(), headers: type, body: '{}' }),
      );
    }
  }));

test('operations and actions answer as described', () =>
  program.run(async (box) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    const called: string[] = [];
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!methods.post || methods.get) continue;
      const name = path.split(/[/:]/).at(-1) ?? '';
      const input = INPUTS[name];
      const body = input === undefined ? {} : { body: JSON.stringify({ 'gi-4over6:input': input }) };
      const reply = await box.curl(filled(path), { method: 'POST', headers: [`Content-Type: ${JSON_TYPE}`], ...body });
      check(path, 'post', reply);
      if (reply.status === 200 || reply.status === 204) called.push(name);
    }
    assert.ok(called.includes('lookup') && called.includes('list-versions'), called.join());
  }));

test('the program ends cleanly', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

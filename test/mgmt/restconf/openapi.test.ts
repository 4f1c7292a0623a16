// needs: addon
/** The OpenAPI description is one, and the running program does what it says: each path, each method. */

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import type { SchemaNode } from '../../../src/state/schema.ts';
import type { Ask, Http2Client } from '../../helpers/http2-client.ts';
import { http2Client } from '../../helpers/http2-client.ts';
import { lock } from '../../helpers/netconf-requests.ts';
import { DATA, INPUTS, VALUES } from '../../helpers/openapi-values.ts';
import type { CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('restconf: openapi');
const program = await startProgram();
const PATH = '/restconf/openapi.json';

interface Operation {
  readonly requestBody?: { readonly required?: boolean; readonly content?: Content };
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema?: unknown }>>;
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly parameters: Readonly<Record<string, { readonly schema: { readonly enum?: readonly string[] } }>>;
    readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  };
}

const METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'];

/** All paths, but of what is in the datastores of NMDA each twentieth, which is the same again. */
function pathsOf({ paths }: Description): string[] {
  return Object.keys(paths).filter((path, at) => !path.startsWith('/restconf/ds/{datastore}/') || at % 20 === 0);
}

/** [path, method] of these. */
function operationsOf(description: Description): (readonly [path: string, method: string])[] {
  const { paths } = description;
  return pathsOf(description).flatMap((path) =>
    METHODS.filter((method) => paths[path]?.[method]).map((method) => [path, method] as const),
  );
}

/** Works through items, sixteen at a time. */
async function many<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const rest = [...items];
  const lane = async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

async function connected(body: (box: ProgramBox, client: Http2Client) => Promise<void>): Promise<void> {
  await program.run(async (box) => {
    const client = http2Client(box.url);
    try {
      await body(box, client);
    } finally {
      client.close();
    }
  });
}

/** It is the same for the life of the program. */
let known: Description | undefined;

async function described({ curl }: ProgramBox): Promise<Description> {
  if (known) return known;
  const reply = await curl(PATH);
  assert.is(reply.status, 200, reply.body);
  known = JSON.parse(reply.body) as Description;
  return known;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
/** What was compiled, by the text of the schema. */
const compiled = new Map<string, ReturnType<typeof ajv.compile>>();

/** Judges an answer: its status is described, and its JSON is as described. */
function judge(description: Description): (path: string, method: string, reply: CurlReply) => void {
  if (!ajv.getSchema('api')) ajv.addSchema(description, 'api');
  return (path, method, reply) => {
    const what = `${method} ${path}: ${reply.status} ${reply.body.slice(0, 500)}`;
    const known = description.paths[path]?.[method]?.responses[String(reply.status)];
    assert.ok(known, what);
    const response = known?.$ref ? description.components.responses[known.$ref.split('/').at(-1) ?? ''] : known;
    const schema = response?.content?.[JSON_TYPE]?.schema;
    if (!schema || method === 'head' || reply.headers['content-type'] !== JSON_TYPE) return;
    const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
    const isRight = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
    compiled.set(text, isRight);
    assert.ok(isRight(JSON.parse(reply.body)), `${what}\n${JSON.stringify(isRight.errors?.slice(0, 3))}`);
  };
}

function filled(path: string): string {
  return path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const isOfNetconf = name === 'datastore-name' && path.includes('netconf-state');
    const value = isOfNetconf ? 'running' : VALUES[name];
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

test('R62: the datastores of its parameter are those that answer', () =>
  program.run(async (box) => {
    const { components } = await described(box);
    const names = ['running', 'candidate', 'intended', 'operational'].map((name) => `ietf-datastores:${name}`);
    assert.equal(components.parameters.datastore?.schema.enum, names);
    for (const name of names) assert.is((await box.curl(`/restconf/ds/${name}?depth=1`)).status, 200, name);
    assert.is((await box.curl('/restconf/ds/ietf-datastores:startup?depth=1')).status, 404);
  }));

test('an operation whose input is said to need something refuses an empty one, and no other does for that', () =>
  connected(async (box, client) => {
    const { paths } = await described(box);
    const prefix = '/restconf/operations/';
    const needy: string[] = [];
    for (const path of Object.keys(paths).filter((one) => one.startsWith(prefix))) {
      // These end the program.
      if (path.includes('ietf-system:')) continue;
      const { required = false, content } = paths[path]?.post?.requestBody ?? {};
      const module = path.slice(prefix.length).split(':')[0] ?? '';
      const schema = content?.[JSON_TYPE]?.schema as
        | { properties?: Record<string, { required?: string[] }> }
        | undefined;
      const names = schema?.properties?.[`${module}:input`]?.required ?? [];
      const body = JSON.stringify({ [`${module}:input`]: {} });
      const reply = await client.ask(path, { method: 'POST', headers: { 'content-type': JSON_TYPE }, body });
      assert.is(reply.tag === 'missing-element', required, `${path}: ${reply.body}`);
      if (required) needy.push(path);
      if (!required || reply.body.includes('missing-choice')) continue;
      const [error] = JSON.parse(reply.body)['ietf-restconf:errors'].error;
      assert.ok(names.includes(error['error-info']['bad-element']), `${path}: ${reply.body}`);
    }
    assert.ok(needy.length > 5, needy.join(' '));
  }));

test('it has the whole model: each node of each module, in data and in the datastores, and each operation', () =>
  program.run(async (box) => {
    const { paths } = await described(box);
    const plain = new Set(Object.keys(paths).map((path) => path.replaceAll(/=[^/]*/g, '')));
    const missing: string[] = [];
    const look = (node: SchemaNode, path: string) => {
      const kinds = ['rpc', 'notification', 'input', 'output'];
      for (const child of node.children.filter(({ kind }) => !kinds.includes(kind))) {
        const at = `${path}/${node.isRoot ? `${child.module}:${child.name}` : child.qualifiedName}`;
        const roots = child.kind === 'action' ? ['data'] : ['data', 'ds/{datastore}'];
        for (const root of roots) if (!plain.has(`/restconf/${root}${at}`)) missing.push(root + at);
        // Entries without keys have no path of their own.
        if (child.kind !== 'action' && (child.kind !== 'list' || child.keys.length > 0)) look(child, at);
      }
    };
    look(schema.root, '');
    assert.equal(missing, []);
    const { body } = await box.curl('/restconf/operations');
    const operations = JSON.parse(body)['ietf-restconf:operations'] as Record<string, unknown>;
    assert.equal(
      Object.keys(operations).filter((name) => !paths[`/restconf/operations/${name}`]?.post),
      [],
    );
    assert.ok(Object.keys(operations).length > 15);
  }));

test('what is read has a status and a body as described, and HEAD the same status', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    let answered = 0;
    const paths = pathsOf(description).filter((path) => description.paths[path]?.get);
    await many(paths, async (path) => {
      const isEvents = path.includes('/streams/') || path.includes('/subscriptions/{id}');
      const url = filled(path) + (path.includes('/streams/') ? '?start-time=x' : '');
      const headers = path.startsWith('/.well-known') ? { accept: '*/*' } : {};
      const reply = await ask(url, { headers });
      check(path, 'get', reply);
      if (reply.status === 200) answered++;
      const head = await ask(url, { method: 'HEAD', headers });
      check(path, 'head', head);
      // State comes and goes meanwhile, the first alarm does.
      const statuses = head.status === reply.status ? [] : [reply.status, (await ask(url, { headers })).status];
      if (!isEvents && statuses.length > 0)
        assert.ok(statuses.includes(head.status), `${path}: ${head.status}, ${statuses}`);
      check(path, 'options', await ask(filled(path), { method: 'OPTIONS', headers }));
    });
    assert.ok(answered > 200, `${answered} resources were there`);
    const whole = '/restconf/data/gi-4over6:softwire';
    for (const query of ['content=config', 'content=nonconfig', 'with-defaults=report-all-tagged']) {
      check(whole, 'get', await ask(`${whole}?${query}`));
    }
    for (const datastore of ['candidate', 'intended', 'operational']) {
      const reply = await ask(`/restconf/ds/ietf-datastores:${datastore}/gi-4over6:softwire`);
      assert.is(reply.status, 200);
      check('/restconf/ds/{datastore}/gi-4over6:softwire', 'get', reply);
    }
  }));

test('what a path does not list is 405, and Allow has no method that is refused as such', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    const { paths } = description;
    await many(pathsOf(description), async (path) => {
      const url = filled(path);
      for (const method of METHODS.filter((name) => !paths[path]?.[name])) {
        const body = ['post', 'put', 'patch'].includes(method) ? { body: '{}' } : {};
        const { status, tag } = await ask(url, { method: method.toUpperCase(), ...body });
        // A list without a key, or a key leaf, is a resource of a method that wants another one of its kind.
        const isOther = status === 400 && ['put', 'patch', 'delete', 'post'].includes(method);
        assert.ok(status === 405 || isOther || status === 401, `${method} ${path}: ${status} ${tag}`);
      }
    });
  }));

/** Only route sources are let in there, whatever comes. */
const ADVERTISEMENT = '/restconf/operations/gi-4over6:advertise-routes';

/** What is answered in its one form, whatever the client takes. */
const HAS_ONE_FORM = /\.well-known|openapi\.json|\/modules\//;

/** How a status is provoked of a path; what has no row here, or answers undefined, is not to be had at will. */
const PROVOKED: Readonly<
  Record<string, (path: string, method: string) => readonly [url: string, options: Ask] | undefined>
> = {
  401: (path) => [filled(path), { user: '' }],
  400: (path) => [`${filled(path)}?nonsense=1`, {}],
  406: (path) => (HAS_ONE_FORM.test(path) ? undefined : [filled(path), { headers: { accept: 'text/nothing' } }]),
  414: (path) => [`${filled(path)}?${'x'.repeat(9_000)}`, {}],
  415: (path, method) =>
    ['post', 'put', 'patch'].includes(method)
      ? [filled(path), { headers: { 'content-type': 'text/nothing' }, body: '{}' }]
      : undefined,
  404: (path, method) =>
    method === 'options' && path.startsWith('/restconf/ds/{')
      ? [path.replace(/^\/restconf\/ds\/[^/]*/, '/restconf/ds/nowhere').replace(/\{[^}]*\}/g, 'a'), {}]
      : ['get', 'head', 'delete'].includes(method) && path.includes('/gi-4over6:softwire/aftr={aftr-name}')
        ? [
            filled(path)
              .replace('aftr=a', 'aftr=nowhere')
              .replace(/\/name$/, ''),
            {},
          ]
        : undefined,
  403: (path, method) =>
    ['put', 'delete'].includes(method) && path === '/restconf/data/gi-4over6:softwire/aftr={aftr-name}/binding-table'
      ? [filled(path), { user: GUEST }]
      : undefined,
  405: (path) => [filled(path).replace('running', 'operational'), {}],
  416: (path) =>
    path.endsWith('/aftr') || path.endsWith('/binding') ? [`${filled(path)}?offset=9999`, {}] : undefined,
  501: (path, method) =>
    method === 'get' && path.endsWith('/binding')
      ? [`${filled(path)}?sort-by=description&locale=xx_nonsense_y`, {}]
      : undefined,
  413: (path, method) =>
    method === 'get' && path.endsWith('/binding')
      ? [`${filled(path)}?sort-by=description&offset=95000&limit=6000`, {}]
      : undefined,
  412: (path, method) =>
    path.endsWith('gi-4over6:softwire') || (path.endsWith('/binding-table') && method !== 'post')
      ? [filled(path), { headers: { 'if-match': '"another"' } }]
      : undefined,
};

/** A body that is one of the resource, as far as a refusal looks at it. */
function bodyOf(path: string, method: string): Pick<Ask, 'body'> {
  if (!['post', 'put', 'patch'].includes(method)) return {};
  const name = path.split('/').at(-1) ?? '';
  const top = name.startsWith('gi-4over6:') ? name : `gi-4over6:${name}`;
  if (method === 'post' && name === 'gi-4over6:softwire') return { body: '{"gi-4over6:gateway":[{"name":"n"}]}' };
  return { body: path.endsWith('/enabled') ? '{"gi-4over6:enabled":true}' : `{"${top}":{}}` };
}

for (const [status, provoke] of Object.entries(PROVOKED)) {
  test(`${status} comes where it is described`, () =>
    connected(async (box, { ask }) => {
      await box.merge(DATA);
      const description = await described(box);
      const check = judge(description);
      let provoked = 0;
      const responseOf = (path: string, method: string) => description.paths[path]?.[method]?.responses[status];
      await many(operationsOf(description), async ([path, method]) => {
        const asked = responseOf(path, method) && provoke(path, method);
        if (!asked || path === ADVERTISEMENT || (status === '401' && path.startsWith('/.well-known'))) return;
        const [url, options] = asked;
        const body = bodyOf(path, method);
        const reply = await ask(url, { method: method.toUpperCase(), ...body, ...options });
        assert.is(String(reply.status), status, `${method} ${url.slice(0, 200)}: ${reply.body.slice(0, 300)}`);
        check(path, method, reply);
        provoked++;
      });
      assert.ok(provoked > 0, 'it was provoked');
    }));
}

test('304, 409, 413 and 431 come where they are described', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    // Clients of Node keep to the limit that the server told them.
    for (const [path, method] of operationsOf(description).filter((_, at) => at % 60 === 0)) {
      const headers = [`X-Long: ${'x'.repeat(40_000)}`];
      const reply = await box.curl(filled(path), { method: method.toUpperCase(), headers });
      assert.is(reply.status, 431, `${method} ${path}`);
      check(path, method, reply);
    }
    const table = '/restconf/data/gi-4over6:softwire/aftr={aftr-name}/binding-table';
    const headers = { 'if-none-match': await box.tag() };
    for (const method of ['get', 'head']) {
      const reply = await ask(`${filled(table)}?content=config`, { method: method.toUpperCase(), headers });
      assert.is(reply.status, 304);
      check(table, method, reply);
    }
    await box.done(lock('running'));
    const body = '{"gi-4over6:binding-table":{}}';
    for (const method of ['put', 'patch', 'delete']) {
      const options = { method: method.toUpperCase(), ...(method !== 'delete' && { body }) };
      const reply = await ask(filled(table), options);
      assert.equal([reply.status, reply.tag], [409, 'in-use'], method);
      check(table, method, reply);
    }
    await box.done(lock('running', 'unlock'));
    const tooLarge = new Uint8Array(LIMITS.patchOctets + 1).fill(0x20);
    const patchType = ['Content-Type: application/yang-patch+json'];
    const reply = await box.curl(filled(table), { method: 'PATCH', body: tooLarge, headers: patchType });
    assert.is(reply.status, 413);
    check(table, 'patch', reply);
  }));

test('what is written has a status as described, with the body that was read', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    let made = 0;
    // What says who may do what stays as it is.
    const isOpen = (path: string) => /^\/restconf\/(data|ds\/\{datastore\})\/gi-4over6:softwire/.test(path);
    const paths = pathsOf(description).filter((path) => isOpen(path) && description.paths[path]?.put);
    for (const path of paths) {
      const url = filled(path);
      const { status, body } = await ask(`${url}?content=config`);
      const text = status === 200 ? body : '{}';
      for (const method of ['put', 'patch']) {
        const reply = await ask(url, { method: method.toUpperCase(), body: text });
        check(path, method, reply);
        if (reply.status === 204) made++;
      }
      if (description.paths[path]?.post) check(path, 'post', await ask(url, { method: 'POST', body: '{}' }));
    }
    assert.ok(made > 40, `${made} edits were made`);
    const deleted = pathsOf(description).filter((path) => isOpen(path) && description.paths[path]?.delete);
    for (const path of deleted.reverse()) check(path, 'delete', await ask(filled(path), { method: 'DELETE' }));
    for (const method of ['put', 'patch', 'post']) {
      check('/restconf/data', method, await ask('/restconf/data', { method: method.toUpperCase(), body: '{}' }));
    }
  }));

const TABLE = '/restconf/data/gi-4over6:softwire/aftr={aftr-name}/binding-table';
const PATCH_TYPE = { 'content-type': 'application/yang-patch+json' };
const [KNOWN, OTHER, OUTSIDE] = ['192.0.2.0/25', '192.0.2.130/32', '203.0.113.1/32'];

/** One edit of a binding in the table. */
function patchOf(operation: string, prefix = '', more: Readonly<Record<string, unknown>> = {}): string {
  const value = { 'gi-4over6:binding': [{ 'ipv4-prefix': prefix, 'gateway-ipv6-address': '2001:db8:a::1', ...more }] };
  const target = `/binding=${encodeURIComponent(prefix)}`;
  const edit = [{ 'edit-id': 'e', operation, target, ...(operation === 'delete' ? {} : { value }) }];
  return JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit } });
}

/** YANG Patches with the status and the member that the answer has. */
const PATCHES: readonly (readonly [status: number, member: 'yang-patch-status' | 'errors', ask: Ask])[] = [
  [200, 'yang-patch-status', { body: patchOf('create', OTHER) }],
  [409, 'yang-patch-status', { body: patchOf('create', KNOWN) }],
  [409, 'yang-patch-status', { body: patchOf('delete', '192.0.2.7/32') }],
  [400, 'yang-patch-status', { body: patchOf('merge', KNOWN, { nonsense: 1 }) }],
  [412, 'yang-patch-status', { body: patchOf('create', OUTSIDE) }],
  [403, 'yang-patch-status', { body: patchOf('delete', KNOWN), user: GUEST }],
  [400, 'errors', { body: '{"ietf-yang-patch:yang-patch":' }],
  [412, 'errors', { body: patchOf('delete', KNOWN), headers: { ...PATCH_TYPE, 'if-match': '"another"' } }],
];

test('a YANG Patch is answered as described, whether it is made or fails', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const check = judge(await described(box));
    const patch = async (path: string, options: Ask) => {
      const reply = await ask(filled(path), { method: 'PATCH', headers: PATCH_TYPE, ...options });
      check(path, 'patch', reply);
      return reply;
    };
    for (const path of [TABLE, TABLE.replace('/data/', '/ds/{datastore}/')]) {
      for (const [status, member, options] of PATCHES) {
        const { body, ...reply } = await patch(path, options);
        assert.is(reply.status, status, `${options.body}: ${body}`);
        assert.match(body, `:${member}":`);
      }
      assert.is((await patch(path, { body: patchOf('delete', OTHER) })).status, 200);
    }
    await box.done(lock('running'));
    const locked = await patch(TABLE, { body: patchOf('delete', KNOWN) });
    assert.is(locked.status, 409);
    assert.match(locked.body, ':yang-patch-status":');
    await box.done(lock('running', 'unlock'));
    const nowhere = await ask(filled(TABLE).replace('aftr=a', 'aftr=b'), {
      method: 'PATCH',
      headers: PATCH_TYPE,
      body: patchOf('delete', KNOWN),
    });
    assert.is(nowhere.status, 404);
    check(TABLE, 'patch', nowhere);
    const xml = '<yang-patch xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-patch"><patch-id>p</patch-id><edit>';
    const edit = '<edit-id>e</edit-id><operation>delete</operation><target>/binding=192.0.2.7%2F32</target>';
    const headers = { 'content-type': 'application/yang-patch+xml' };
    const inXml = await patch(TABLE, { body: `${xml}${edit}</edit></yang-patch>`, headers });
    assert.is(inXml.status, 409);
    assert.match(inXml.body, '<yang-patch-status ');
  }));

test('insert and point are where a list is ordered by the user, and 400 elsewhere', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    let [placed, refused] = [0, 0];
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!path.startsWith('/restconf/data/')) continue;
      for (const method of ['put', 'post'].filter((name) => methods[name])) {
        const isPlaced = JSON.stringify(methods[method]).includes('parameters/insert');
        if (isPlaced) placed++;
        else if (method === 'put' && path.startsWith('/restconf/data/gi-4over6:softwire')) {
          const { status, body } = await ask(`${filled(path)}?content=config`);
          if (status !== 200) continue;
          assert.is((await ask(`${filled(path)}?insert=first`, { method: 'PUT', body })).status, 400, path);
          refused++;
        }
      }
    }
    assert.ok(placed > 3 && refused > 20, `${placed} ${refused}`);
    const rules = '/restconf/data/ietf-netconf-acm:nacm';
    const body = '{"ietf-netconf-acm:rule-list":[{"name":"first"}]}';
    assert.is((await ask(`${rules}?insert=first`, { method: 'POST', body })).status, 201);
    assert.is((await ask(`${rules}/rule-list=first?insert=last`, { method: 'PUT', body })).status, 204);
  }));

test('operations and actions answer as described', () =>
  connected(async (box, { ask }) => {
    await box.merge(DATA);
    const description = await described(box);
    const check = judge(description);
    const called: string[] = [];
    // These end the program, or take it away from the other tests.
    const isLeft = (path: string) => /system-(restart|shutdown)$/.test(path);
    for (const [path, methods] of Object.entries(description.paths)) {
      if (!methods.post || methods.get || isLeft(path)) continue;
      const name = path.split(/[/:]/).at(-1) ?? '';
      const input = INPUTS[name];
      const body = input === undefined ? {} : { body: JSON.stringify({ 'gi-4over6:input': input }) };
      const reply = await ask(filled(path), { method: 'POST', ...body });
      check(path, 'post', reply);
      if (reply.status === 200 || reply.status === 204) called.push(name);
    }
    assert.ok(called.includes('lookup') && called.includes('list-versions'), called.join());
  }));

test('the program ends cleanly', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

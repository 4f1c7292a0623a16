import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RestconfFault } from '../../../src/mgmt/restconf/fault.ts';
import type { Headers } from '../../../src/mgmt/restconf/media.ts';
import type { RestconfRequest } from '../../../src/mgmt/restconf/request.ts';
import { parseRequest } from '../../../src/mgmt/restconf/request.ts';
import { printDataPath } from '../../../src/mgmt/restconf/resource-path.ts';
import type { SelectionPart } from '../../../src/mgmt/selection.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

const test = suite('restconf request');

const JSON_TYPE = 'application/yang-data+json';
const XML_TYPE = 'application/yang-data+xml';
const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const BINDING = `${AFTR}/binding-table/binding`;

function parse(method: string, url: string, headers: Headers = {}): RestconfRequest {
  const type = ['POST', 'PUT', 'PATCH'].includes(method) ? { 'content-type': JSON_TYPE } : {};
  return parseRequest(method, url, { ...type, ...headers }, schema, plainCheck);
}

/** The resource in a few words: kind, path, action. */
function describe({ resource }: RestconfRequest): string {
  if (resource.kind === 'data') return printDataPath(resource.steps);
  if (resource.kind === 'action') return `${printDataPath(resource.steps)} ! ${resource.schema.name}`;
  return resource.kind;
}

const goodPaths = [
  ['/restconf', 'api'],
  ['/restconf/', 'api'],
  ['/restconf/data', 'datastore'],
  ['/restconf/data/', 'datastore'],
  ['/restconf/operations', 'operations'],
  ['/restconf/yang-library-version', 'yang-library-version'],
  ['/restconf/data/gi-4over6:softwire', '/gi-4over6:softwire'],
  ['/restconf/data/gi-4over6:softwire/aftr', '/gi-4over6:softwire/aftr'],
  ["/restconf/data/gi-4over6:softwire/aftr=it's%20(x)*!", '/gi-4over6:softwire/aftr=it%27s%20%28x%29%2A%21'],
  ['/restconf/data/gi-4over6:softwire/gi-4over6:aftr=a', '/gi-4over6:softwire/aftr=a'],
  ['/restconf/data/gi-4over6%3Asoftwire/aftr=a', '/gi-4over6:softwire/aftr=a'],
  [`${AFTR}/`, '/gi-4over6:softwire/aftr=a'],
  [`${AFTR}/name`, '/gi-4over6:softwire/aftr=a/name'],
  [`${BINDING}=192.0.2.0%2F24`, '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.0%2F24'],
  [`${BINDING}=192.0.2.0%2f24`, '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.0%2F24'],
  [`${BINDING}=192.0.2.77%2F24`, '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.0%2F24'],
  ['/restconf/data/gi-4over6:softwire/aftr=a%2Cb', '/gi-4over6:softwire/aftr=a%2Cb'],
  ['/restconf/data/gi-4over6:softwire/aftr=', '/gi-4over6:softwire/aftr='],
  ['/restconf/data/gi-4over6:softwire/aftr==', '/gi-4over6:softwire/aftr=%3D'],
  ['/restconf/data/gi-4over6:softwire/aftr=%C3%A9t%C3%A9', '/gi-4over6:softwire/aftr=%C3%A9t%C3%A9'],
  ['/restconf/data/gi-4over6:softwire/aftr=a+b', '/gi-4over6:softwire/aftr=a%2Bb'],
  [`${AFTR}/ipv4-pool=192.0.2.0%2F24`, '/gi-4over6:softwire/aftr=a/ipv4-pool=192.0.2.0%2F24'],
] as const;
for (const [url, expected] of goodPaths) test(`path ${url}`, () => assert.is(describe(parse('GET', url)), expected));

test('two keys, one of them empty', () => {
  const url = '/restconf/data/ietf-yang-library:modules-state/module=,2020-01-01';
  assert.is(describe(parse('GET', url)), '/ietf-yang-library:modules-state/module=,2020-01-01');
});

test('an action is a resource of its own', () => {
  assert.is(describe(parse('POST', `${AFTR}/lookup`)), '/gi-4over6:softwire/aftr=a ! lookup');
});

const badPaths = [
  ['GET', '/', 404, 'invalid-value', 'outside of the entry point'],
  ['GET', '/restconfig', 404, 'invalid-value', 'outside of the entry point'],
  ['GET', '/restconf/nothing', 404, 'invalid-value', 'unknown child'],
  ['GET', '/restconf/yang-library-version/x', 404, 'invalid-value', 'below a leaf'],
  ['GET', '/restconf/data//gi-4over6:softwire', 400, 'invalid-value', 'empty segment'],
  ['GET', '/restconf/data//', 400, 'invalid-value', 'nothing but an empty segment'],
  ['GET', '/restconf/data/softwire', 400, 'invalid-value', 'no module at the top'],
  ['GET', '/restconf/data/nothing:softwire', 404, 'invalid-value', 'unknown module'],
  ['GET', '/restconf/data/gi-4over6:nothing', 404, 'invalid-value', 'unknown name'],
  ['GET', '/restconf/data/gi-4over6:softwire/ietf-system:aftr=a', 404, 'invalid-value', 'wrong module below'],
  ['GET', '/restconf/data/gi-4over6:softwire/__proto__', 404, 'invalid-value', 'no name of the schema'],
  ['GET', '/restconf/data/gi-4over6:softwire/..', 404, 'invalid-value', 'dots are a name'],
  ['GET', '/restconf/data/gi-4over6:softwire=a', 400, 'invalid-value', 'keys of a container'],
  ['GET', `${AFTR}/name=a`, 400, 'invalid-value', 'keys of a leaf'],
  ['GET', `${AFTR},b`, 400, 'invalid-value', 'two values for one key'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr/name', 400, 'invalid-value', 'no key on the way'],
  ['GET', `${BINDING}=192.0.2.0/24`, 400, 'invalid-value', 'a slash that should be %2F'],
  ['GET', `${BINDING}=nonsense`, 400, 'invalid-value', 'a key that is no prefix'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr=%zz', 400, 'invalid-value', 'bad percent-encoding'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr=%', 400, 'invalid-value', 'lone percent sign'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr=%ff', 400, 'invalid-value', 'not UTF-8'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr=a%00b', 400, 'invalid-value', 'NUL'],
  ['GET', '/restconf/data/gi-4over6:softwire/aftr=%ED%A0%80', 400, 'invalid-value', 'lone surrogate'],
  ['POST', '/restconf/data/ietf-netconf:get-config', 400, 'invalid-value', 'an rpc below data'],
  ['POST', `${AFTR}/lookup/input`, 400, 'invalid-value', 'below an action'],
  ['POST', '/restconf/operations/ietf-netconf:get-config', 404, 'invalid-value', 'an operation of NETCONF only'],
  ['POST', '/restconf/operations/x/y', 404, 'invalid-value', 'below an operation'],
  ['GET', '*', 405, 'operation-not-supported', 'what is asked of the server in general'],
  ['DELETE', '/restconf/data', 405, 'operation-not-supported', 'DELETE of the datastore'],
  ['POST', '/restconf', 405, 'operation-not-supported', 'POST to the API'],
  ['POST', `${AFTR}/enabled`, 405, 'operation-not-supported', 'POST to a leaf'],
  ['PUT', `${AFTR}/statistics`, 405, 'operation-not-supported', 'PUT of state data'],
  ['GET', `${AFTR}/lookup`, 405, 'operation-not-supported', 'GET of an action'],
  ['TRACE', '/restconf/data', 405, 'operation-not-supported', 'unknown method'],
  ['get', '/restconf/data', 405, 'operation-not-supported', 'methods have capitals'],
  ['PUT', '/restconf/data/gi-4over6:softwire/aftr', 400, 'invalid-value', 'PUT of a list'],
  ['DELETE', `${AFTR}/ipv4-pool`, 400, 'invalid-value', 'DELETE of a leaf-list'],
  ['DELETE', `${AFTR}/name`, 400, 'invalid-value', 'DELETE of a key'],
  ['PUT', `${AFTR}/name`, 400, 'invalid-value', 'PUT of a key'],
  ['POST', '/.well-known/host-meta', 405, 'operation-not-supported', 'POST to host-meta'],
  ['GET', '/.well-known/host-meta?x', 400, 'invalid-value', 'a query of host-meta'],
  ['GET', 'https://a/nothing', 404, 'invalid-value', 'outside of the entry point, as a whole URL'],
  ['GET', 'https:/restconf', 404, 'invalid-value', 'a URL without an authority'],
  ['GET', 'ftp://a/restconf', 404, 'invalid-value', 'a URL of another scheme'],
] as const;
for (const [method, url, status, tag, why] of badPaths) {
  test(`${method} ${url.slice(0, 80)}: ${why}`, () => assertFault(() => parse(method, url), status, tag));
}

test('what a path is does not depend on the one before', () => {
  const outcome = (method: string, url: string) => {
    try {
      return describe(parse(method, url));
    } catch (error) {
      return error instanceof RestconfFault ? `${error.status} ${error.message}` : String(error);
    }
  };
  const all = [...goodPaths.map(([url]) => ['GET', url] as const), ...badPaths];
  const alone = all.map(([method, url]) => {
    parse('GET', '/restconf');
    parse('GET', '/restconf/data/ietf-system:system/authentication');
    return outcome(method, url);
  });
  for (const [before, url] of all) {
    for (const [index, one] of all.entries()) {
      outcome(before, url);
      assert.is(outcome(one[0], one[1]), alone[index], `${one[1]} after ${url}`);
    }
  }
});

function faultOf(work: () => unknown, status: number, tag: string): RestconfFault {
  try {
    work();
  } catch (error) {
    assert.instance(error, RestconfFault);
    if (error instanceof RestconfFault) {
      assert.is(error.status, status, error.message);
      assert.is(error.tag, tag, error.message);
      return error;
    }
  }
  return assert.unreachable(`expected ${status}`) as never;
}

function assertFault(work: () => unknown, status: number, tag: string): void {
  faultOf(work, status, tag);
}

const allows = [
  ['/restconf/data', 'GET, HEAD, OPTIONS, POST, PUT, PATCH'],
  [AFTR, 'GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE'],
  [`${AFTR}/enabled`, 'GET, HEAD, OPTIONS, PUT, PATCH, DELETE'],
  [`${AFTR}/statistics`, 'GET, HEAD, OPTIONS'],
  [`${AFTR}/lookup`, 'OPTIONS, POST'],
  ['/restconf', 'GET, HEAD, OPTIONS'],
] as const;
for (const [url, allow] of allows) {
  test(`405 of ${url} says what is allowed`, () => {
    const fault = faultOf(() => parse('TRACE', url), 405, 'operation-not-supported');
    assert.is(fault.headers.allow, allow);
  });
}

const goodQueries = [
  ['', { content: 'all', depth: undefined, withDefaults: undefined }],
  ['?', { content: 'all' }],
  ['?content=config', { content: 'config' }],
  ['?content=nonconfig&depth=1', { content: 'nonconfig', depth: 1 }],
  ['?depth=65535', { depth: 65_535 }],
  ['?depth=unbounded', { depth: undefined }],
  ['?with-defaults=report-all-tagged', { withDefaults: 'report-all-tagged' }],
  ['?%63ontent=%63onfig', { content: 'config' }],
] as const;
for (const [query, expected] of goodQueries) {
  test(`query ${query}`, () => {
    const actual: Record<string, unknown> = { ...parse('GET', `${AFTR}${query}`).query };
    for (const [name, value] of Object.entries(expected)) assert.is(actual[name], value);
  });
}

const badQueries = [
  ['GET', '?content=none'],
  ['GET', '?content'],
  ['GET', '?content=all&content=all'],
  ['GET', '?depth=0'],
  ['GET', '?depth=65536'],
  ['GET', '?depth=-1'],
  ['GET', '?depth=x'],
  ['GET', '?depth='],
  ['GET', '?depth=01'],
  ['GET', '?with-defaults=some'],
  ['GET', '?unknown=1'],
  ['GET', '?__proto__=1'],
  ['GET', '?filter=/x'],
  ['GET', '?content=%zz'],
  ['GET', '?&'],
  ['GET', '?insert=first'],
  ['GET', '?fields='],
  ['GET', '?fields=nothing'],
  ['GET', '?fields=name;'],
  ['GET', '?fields=binding-table(binding'],
  ['GET', '?fields=binding-table)'],
  ['GET', '?fields=name/x'],
  ['GET', '?fields=lookup'],
  ['PUT', '?content=config'],
  ['PUT', '?insert=middle'],
  ['PUT', '?insert=before'],
  ['PUT', '?insert=first&point=/x'],
  ['DELETE', '?depth=1'],
  ['PATCH', '?insert=first'],
] as const;
for (const [method, query] of badQueries) {
  test(`${method} ${query}`, () => assertFault(() => parse(method, AFTR + query), 400, 'invalid-value'));
}

test('resources without parameters refuse them', () => {
  assertFault(() => parse('GET', '/restconf?depth=1'), 400, 'invalid-value');
});

function names(parts: readonly SelectionPart[] | undefined): string {
  return (parts ?? [])
    .map(({ schema: { name }, whole, children }) => (whole ? name : `${name}(${names(children)})`))
    .join(';');
}

const fields = [
  ['name', 'name'],
  ['name;enabled', 'name;enabled'],
  ['binding-table/binding', 'binding-table(binding)'],
  [
    'binding-table(binding(ipv4-prefix;origin);version);name',
    'binding-table(binding(ipv4-prefix;origin);version);name',
  ],
  ['gi-4over6:name', 'name'],
  ['binding-table/binding(origin)', 'binding-table(binding(origin))'],
  ['binding-table%2Fversion', 'binding-table(version)'],
] as const;
for (const [text, expected] of fields) {
  test(`fields=${text}`, () => assert.is(names(parse('GET', `${AFTR}?fields=${text}`).query.fields), expected));
}

test('insert and point', () => {
  const { query } = parse('POST', `${AFTR}?insert=after&point=%2Fm%3Alist%3D192.0.2.0%252F24`);
  assert.is(query.insert, 'after');
  assert.is(query.point, '/m:list=192.0.2.0%2F24');
});

const accepts = [
  [', ,', undefined, 'json'],
  [`,${XML_TYPE},`, undefined, 'xml'],
  [undefined, undefined, 'json'],
  ['*/*', undefined, 'json'],
  ['*/*', XML_TYPE, 'xml'],
  [undefined, XML_TYPE, 'xml'],
  [XML_TYPE, undefined, 'xml'],
  [JSON_TYPE, XML_TYPE, 'json'],
  [`${XML_TYPE};q=0.5, ${JSON_TYPE};q=0.4`, undefined, 'xml'],
  [`${XML_TYPE};q=0.5, ${JSON_TYPE}`, undefined, 'json'],
  [`${JSON_TYPE};q=0, */*`, undefined, 'xml'],
  ['application/*;q=0.1', undefined, 'json'],
  ['TEXT/html, APPLICATION/YANG-DATA+XML', undefined, 'xml'],
  ['', undefined, 'json'],
] as const;
for (const [accept, contentType, expected] of accepts) {
  test(`Accept ${accept} with Content-Type ${contentType}`, () => {
    const headers = { ...(accept !== undefined && { accept }), ...(contentType && { 'content-type': contentType }) };
    assert.is(parse('PUT', AFTR, headers).replyEncoding, expected);
  });
}

for (const accept of ['text/html', `${JSON_TYPE};q=0`, 'application/json', '*/*;q=0', `${JSON_TYPE};q=2`]) {
  test(`Accept ${accept} is 406`, () => assertFault(() => parse('GET', AFTR, { accept }), 406, 'invalid-value'));
}

for (const type of [
  JSON_TYPE,
  `${JSON_TYPE}; charset=utf-8`,
  `${JSON_TYPE};charset="UTF-8"`,
  JSON_TYPE.toUpperCase(),
]) {
  test(`Content-Type ${type}`, () => assert.is(parse('PUT', AFTR, { 'content-type': type }).bodyEncoding, 'json'));
}

for (const type of [
  'text/plain',
  'application/json',
  `${JSON_TYPE}; charset=latin1`,
  'application/yang-patch',
  'application/yang-patch+json; charset=latin1',
  '',
]) {
  test(`Content-Type '${type}' is 415`, () =>
    assertFault(() => parse('PATCH', AFTR, { 'content-type': type }), 415, 'invalid-value'));
}

for (const [type, encoding] of [
  ['application/yang-patch+json', 'json'],
  ['Application/YANG-Patch+XML;charset=utf-8', 'xml'],
] as const) {
  test(`Content-Type ${type} is for PATCH alone`, () => {
    const request = parse('PATCH', AFTR, { 'content-type': type });
    assert.equal([request.isYangPatch, request.bodyEncoding, request.replyEncoding], [true, encoding, encoding]);
    assert.not(parse('PATCH', AFTR).isYangPatch);
    for (const method of ['PUT', 'POST']) {
      assertFault(() => parse(method, AFTR, { 'content-type': type }), 415, 'invalid-value');
    }
  });
}

test('the origin of Location is what the client called us', () => {
  assert.is(parse('GET', AFTR, { host: 'box:8443' }).origin, 'https://box:8443');
  assert.is(parse('GET', `https://a.example:1${AFTR}`, { host: 'box:8443' }).origin, 'https://a.example:1');
  assert.is(parse('GET', AFTR, { ':authority': '[2001:db8::1]' }).origin, 'https://[2001:db8::1]');
  assert.is(parse('GET', AFTR, { host: 'a"b/c' }).origin, 'https://localhost');
});

test.run();

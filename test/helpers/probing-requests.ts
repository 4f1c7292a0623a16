/** Random requests of a user who would learn of what he may not read, over both faces. */

import { copy, edit, GI, getConfig, lock, NC_PREFIX, nacm, table } from './netconf-requests.ts';
import { byIdentity, editData, getData } from './nmda-requests.ts';
import type { Asked } from './two-worlds.ts';

type Next = () => number;

function pick<Item>(next: Next, items: readonly [Item, ...Item[]]): Item {
  return items[next() % items.length] ?? items[0];
}

const PREFIXES =
  'xmlns:gi="urn:gi-4over6" xmlns:nacm="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" xmlns:sys="urn:ietf:params:xml:ns:yang:ietf-system" xmlns:al="urn:ietf:params:xml:ns:yang:ietf-alarms" xmlns:ncm="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"';

const PLACES = [
  '/gi:softwire/gi:aftr',
  "/gi:softwire/gi:aftr[gi:name='s']",
  "/gi:softwire/gi:aftr[gi:name='a']/gi:binding-table/gi:binding",
  "/gi:softwire/gi:aftr[gi:name='b']/gi:binding-table/gi:binding",
  "/gi:softwire/gi:aftr[gi:name='b']/gi:binding-table",
  "//gi:binding[gi:ipv4-prefix='192.0.2.200/32']",
  '//gi:binding',
  '//gi:shared-address',
  '//gi:port-set',
  '/gi:softwire/gi:gateway',
  '//gi:hop-limit',
  '//gi:description',
  '//gi:gateway-ipv6-address',
  '/nacm:nacm/nacm:rule-list',
  '/nacm:nacm/nacm:groups/nacm:group',
  '/sys:system/sys:authentication/sys:user',
  '/gi:softwire',
  '/gi:softwire/gi:state',
  '//gi:content-hash',
  '//gi:bindings',
  '/ncm:netconf-state/ncm:datastores',
  '/al:alarms',
  '/*',
  '//*',
] as const;

/** Predicates that look at what is hidden. */
const PREDICATES = [
  '',
  '[1]',
  '[2]',
  '[last()]',
  '[position() = last() - 1]',
  '[not(*)]',
  '[count(*) > 2]',
  '[count(.//*) > 6]',
  "[.//*[. = 'secret']]",
  "[gi:description = 'secret']",
  "[contains(., 'secret')]",
  "[starts-with(gi:description, 's')]",
  "[gi:gateway-ipv6-address = '2001:db8:c::1']",
  '[gi:hop-limit > 100]',
  '[gi:hop-limit]',
  '[string-length(.) > 40]',
  '[count(following-sibling::*) > 3]',
  '[preceding-sibling::*[gi:description]]',
  '[count(../gi:binding) > 4]',
  '[count(//gi:binding) > 5]',
  '[sum(//gi:hop-limit) > 60]',
  '[count(//gi:gateway) = 0]',
  "[gi:ipv4-prefix = '192.0.2.200/32']",
  '[gi:name = //gi:aftr[last()]/gi:name]',
  '[count(//*) mod 2 = 0]',
  '[gi:binding-table/gi:bindings > 4]',
  "[re-match(., '.*s(e|x)cret.*')]",
  "[.//*[re-match(., '2001:db8:c::[1-9]')]]",
  '[deref(.//*)]',
] as const;

function expression(next: Next): string {
  const one = () => `${pick(next, PLACES)}${pick(next, PREDICATES)}${next() % 4 ? '' : pick(next, PREDICATES)}`;
  return next() % 5 ? one() : `${one()} | ${one()}`;
}

const quoted = (select: string) => select.replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const xpath = (next: Next) => `<filter type="xpath" ${PREFIXES} select="${quoted(expression(next))}"/>`;

function subtreeContent(next: Next): string {
  return pick(next, [
    table('<binding><description>secret</description></binding>'),
    table('<binding><gateway-ipv6-address>2001:db8:c::1</gateway-ipv6-address></binding>'),
    table('<binding><ipv4-prefix>192.0.2.200/32</ipv4-prefix></binding>'),
    table('<binding><ipv4-prefix/></binding>'),
    table('<binding><description/></binding>'),
    table('<shared-address/>'),
    `<softwire ${GI}><aftr><name>s</name></aftr></softwire>`,
    `<softwire ${GI}><aftr><name>b</name><binding-table/></aftr></softwire>`,
    `<softwire ${GI}><aftr><hop-limit>77</hop-limit></aftr></softwire>`,
    `<softwire ${GI}><aftr><name/><hop-limit/></aftr></softwire>`,
    `<softwire ${GI}><gateway><name/></gateway></softwire>`,
    `<softwire ${GI}/>`,
    nacm('<rule-list><name/></rule-list>'),
    nacm(''),
    '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>ghost</name></user></authentication></system>',
    '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"/>',
    '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"/>',
    '<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"/>',
  ]);
}

const OPERATIONS = ['merge', 'replace', 'create', 'delete', 'remove'] as const;
const marked = (next: Next) => (next() % 3 ? ` nc:operation="${pick(next, OPERATIONS)}"` : '');

/** Edits of places that may be hidden, and of those around them. */
function editContent(next: Next): string {
  const aftr = (name: string, content: string, operation = '') =>
    `<softwire ${GI} ${NC_PREFIX}><aftr${operation}><name>${name}</name>${content}</aftr></softwire>`;
  const rowsOf = (name: string, content: string, operation = '') =>
    aftr(name, `<binding-table${operation}>${content}</binding-table>`);
  const binding = (prefix: string, more: string) => {
    const gateway = `<gateway-ipv6-address>2001:db8:${pick(next, ['a', 'c', 'd'])}::${1 + (next() % 9)}</gateway-ipv6-address>`;
    const leaves = next() % 3 ? gateway : '';
    return `<binding${marked(next)}><ipv4-prefix>${prefix}</ipv4-prefix>${leaves}${more}</binding>`;
  };
  const description = () =>
    next() % 2 ? `<description${marked(next)}>${pick(next, ['secret', 'x', 'new'])}</description>` : '';
  return pick<() => string>(next, [
    () => aftr('s', '', marked(next)),
    () => aftr('s', '<ipv6-address>2001:db8:b::55</ipv6-address>', marked(next)),
    () => aftr('s', `<hop-limit${marked(next)}>${1 + (next() % 200)}</hop-limit>`),
    () => rowsOf('s', binding('203.0.113.1/32', '')),
    () => aftr('a', `<hop-limit${marked(next)}>${1 + (next() % 200)}</hop-limit>`),
    () => rowsOf('a', binding(`192.0.2.${pick(next, [1, 2, 9, 200])}/32`, description())),
    () => rowsOf('a', binding(`192.0.2.${pick(next, [1, 2, 3])}/32`, description())),
    () => rowsOf('b', binding(`198.51.100.${next() % 6}/32`, description())),
    () => rowsOf('b', '', marked(next)),
    () =>
      rowsOf(
        'a',
        '<shared-address><ipv4-address>192.0.2.77</ipv4-address><psid-length>4</psid-length></shared-address>',
      ),
    () => rowsOf('a', `<shared-address${marked(next)}><ipv4-address>192.0.2.77</ipv4-address></shared-address>`),
    () => aftr('b', '', marked(next)),
    () =>
      `<softwire ${GI} ${NC_PREFIX}><gateway${marked(next)}><name>g${next() % 3}</name><enabled>false</enabled></gateway></softwire>`,
    () => `<softwire ${GI} ${NC_PREFIX}${marked(next)}/>`,
    () => nacm(`<rule-list${marked(next)}><name>others</name><group>others</group></rule-list>`),
    () =>
      nacm(
        `<rule-list xmlns:yang="urn:ietf:params:xml:ns:yang:1" xmlns:nacm="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" yang:insert="${pick(next, ['before', 'after'])}" yang:key="[nacm:name='others']"><name>mine</name></rule-list>`,
      ),
    () =>
      nacm(
        `<rule-list xmlns:yang="urn:ietf:params:xml:ns:yang:1" yang:insert="${pick(next, ['first', 'last'])}"><name>few</name></rule-list>`,
      ),
    () =>
      `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system" ${NC_PREFIX}><authentication><user${marked(next)}><name>ghost</name></user></authentication></system>`,
    // What is wrong with these may be told by what stands elsewhere.
    () => aftr('n', '<ipv4-pool>10.0.0.0/8</ipv4-pool><enabled>true</enabled>'),
    () => rowsOf('a', '<binding><ipv4-prefix>192.0.2.9/32</ipv4-prefix></binding>'),
    () =>
      rowsOf(
        'a',
        '<binding><ipv4-prefix>10.9.9.9/32</ipv4-prefix><gateway-ipv6-address>2001:db8:a::9</gateway-ipv6-address></binding>',
      ),
  ])();
}

const defaultOperation = (next: Next) =>
  next() % 3 ? '' : `<default-operation>${pick(next, ['merge', 'replace', 'none'])}</default-operation>`;

function netconf(next: Next, oldest: number, newest: number): string {
  const version = () => oldest + (next() % 12);
  const select = () => `<select ${PREFIXES}>${quoted(expression(next).split(' | ')[0] ?? '')}</select>`;
  const gi = (name: string, content: string) => `<${name} ${GI}>${content}</${name}>`;
  const compare = (source: string, target: string, more: string) =>
    `<compare xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"><source>ds:${source}</source><target>ds:${target}</target>${more}</compare>`;
  const datastore = () => pick(next, ['running', 'candidate', 'startup'] as const);
  const withDefaults = () =>
    next() % 3
      ? ''
      : `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">${pick(next, ['report-all', 'report-all-tagged', 'trim', 'explicit'])}</with-defaults>`;
  return pick<() => string>(next, [
    () => `<get>${next() % 2 ? xpath(next) : `<filter>${subtreeContent(next)}</filter>`}${withDefaults()}</get>`,
    () => `<get>${xpath(next)}</get>`,
    () => getConfig(`${next() % 4 ? xpath(next) : ''}${withDefaults()}`, datastore()),
    () => getConfig(`<filter>${subtreeContent(next)}</filter>`, datastore()),
    () => {
      const filter =
        next() % 2
          ? `<xpath-filter>${quoted(expression(next))}</xpath-filter>`
          : `<subtree-filter>${subtreeContent(next)}</subtree-filter>`;
      const more = next() % 3 ? '' : `<max-depth>${1 + (next() % 5)}</max-depth>`;
      return getData(pick(next, ['operational', 'running', 'intended']), filter + more).replace(
        '<get-data ',
        `<get-data ${PREFIXES.replace('xmlns:gi="urn:gi-4over6" ', '')} `,
      );
    },
    () => edit(editContent(next), defaultOperation(next), pick(next, ['running', 'candidate'])),
    () => edit(editContent(next), defaultOperation(next)),
    () => edit(editContent(next) + editContent(next), '<test-option>test-only</test-option>'),
    () => editData(editContent(next), defaultOperation(next), pick(next, ['running', 'candidate'])),
    () => `<partial-lock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0">${select()}</partial-lock>`,
    () =>
      `<partial-unlock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0"><lock-id>${1 + (next() % 5)}</lock-id></partial-unlock>`,
    () =>
      compare(
        datastore(),
        pick(next, ['operational', 'candidate', 'startup']),
        next() % 2 ? '' : `<xpath-filter ${PREFIXES}>${quoted(expression(next))}</xpath-filter>`,
      ),
    () => gi('compare-versions', `<from>${version()}</from>`),
    () => gi('get-version', `<version>${version()}</version>`),
    () => gi('list-versions', '<maximum>3</maximum>'),
    () => gi('trace', `<packet>${Buffer.from('45000014000000004001', 'hex').toString('base64')}</packet>`),
    () =>
      gi(
        'lookup-address',
        `<ipv4-address>${pick(next, ['192.0.2.1', '192.0.2.77', '192.0.2.200', '203.0.113.1', '198.51.100.1'])}</ipv4-address>${next() % 2 ? `<port>${next() % 65536}</port>` : ''}`,
      ),
    () =>
      `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>${pick(next, ['a', 'b', 's', 'n'])}</name><lookup><ipv4-address>${pick(next, ['192.0.2.1', '192.0.2.77', '192.0.2.200', '203.0.113.1', '198.51.100.1'])}</ipv4-address><port>4096</port></lookup></aftr></softwire></action>`,
    () => gi('roll-back', `<version>${newest}</version><target>${pick(next, ['candidate', 'running'])}</target>`),
    () => lock(datastore(), pick(next, ['lock', 'unlock'])),
    () => byIdentity('validate', pick(next, ['running', 'candidate'])),
    () =>
      `<validate><source><config>${editContent(next).replace(/ nc:operation="\w+"/g, '')}</config></source></validate>`,
    () => '<commit/>',
    () => '<commit><confirmed/><confirm-timeout>3600</confirm-timeout></commit>',
    () => '<cancel-commit/>',
    () => '<discard-changes/>',
    () => copy(`<${datastore()}/>`, datastore()).replace('</copy-config>', `${withDefaults()}</copy-config>`),
    () => copy(`<config>${editContent(next).replace(/ nc:operation="\w+"/g, '')}</config>`, datastore()),
    () => '<delete-config><target><startup/></target></delete-config>',
  ])();
}

const RESOURCES = [
  '',
  '/gi-4over6:softwire',
  '/gi-4over6:softwire/aftr',
  '/gi-4over6:softwire/aftr=s',
  '/gi-4over6:softwire/aftr=n',
  '/gi-4over6:softwire/aftr=s/hop-limit',
  '/gi-4over6:softwire/aftr=a/hop-limit',
  '/gi-4over6:softwire/aftr=a/binding-table',
  '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.1%2F32',
  '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.1%2F32/description',
  '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.200%2F32',
  '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.200%2F32/description',
  '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.9%2F32',
  '/gi-4over6:softwire/aftr=a/binding-table/shared-address=192.0.2.77',
  '/gi-4over6:softwire/aftr=b/binding-table',
  '/gi-4over6:softwire/aftr=b/binding-table/binding',
  '/gi-4over6:softwire/aftr=b/binding-table/binding=198.51.100.1%2F32',
  '/gi-4over6:softwire/gateway',
  '/gi-4over6:softwire/gateway=g1',
  '/gi-4over6:softwire/state',
  '/ietf-netconf-acm:nacm/rule-list=others',
  '/ietf-netconf-acm:nacm',
  '/ietf-system:system/authentication/user=ghost',
  '/ietf-netconf-monitoring:netconf-state/datastores',
  '/ietf-alarms:alarms',
] as const;

/** Bodies by the resource they could be of. */
function jsonBody(next: Next, path: string, isChild: boolean): string {
  const entry = (prefix: string) => ({
    'ipv4-prefix': prefix,
    'gateway-ipv6-address': `2001:db8:c::${1 + (next() % 9)}`,
    description: 'secret',
  });
  const prefix = /binding=([\d.]+)%2F32/.exec(path)?.[1];
  const name = /aftr=(\w)/.exec(path)?.[1] ?? 's';
  const body = () => {
    if (path.endsWith('/hop-limit')) return { 'gi-4over6:hop-limit': 1 + (next() % 200) };
    if (path.endsWith('/description')) return { 'gi-4over6:description': pick(next, ['secret', 'x']) };
    if (prefix) return { 'gi-4over6:binding': [entry(`${prefix}/32`)] };
    if (path.endsWith('binding-table')) {
      const rows = [entry(`${name === 'b' ? '198.51.100' : '192.0.2'}.${pick(next, [1, 9, 200])}/32`)];
      return isChild ? { 'gi-4over6:binding': rows } : { 'gi-4over6:binding-table': { binding: rows } };
    }
    if (path.includes('gateway')) return { 'gi-4over6:gateway': [{ name: 'g1', enabled: false }] };
    if (path.includes('user')) return { 'ietf-system:user': [{ name: 'ghost' }] };
    if (path.includes('rule-list')) return { 'ietf-netconf-acm:rule-list': [{ name: 'others', group: ['others'] }] };
    if (path.endsWith('softwire') && isChild) return { 'gi-4over6:aftr': [{ name: 's', 'hop-limit': 3 }] };
    return { 'gi-4over6:aftr': [{ name, 'ipv6-address': '2001:db8:b::59' }] };
  };
  return JSON.stringify(body());
}

function yangPatch(next: Next, path: string): string {
  const operation = pick(next, ['create', 'delete', 'merge', 'replace', 'remove']);
  const inner = pick(next, RESOURCES).replace(path, '') || '/hop-limit';
  const value =
    operation === 'delete' || operation === 'remove' ? {} : { value: JSON.parse(jsonBody(next, inner, false)) };
  return JSON.stringify({
    'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: [{ 'edit-id': 'e', operation, target: inner, ...value }] },
  });
}

function restconf(next: Next): Asked {
  const resource = pick(next, RESOURCES);
  const base = pick(next, ['/restconf/data', '/restconf/data', '/restconf/data']);
  const accept = pick(next, ['application/yang-data+json', 'application/yang-data+xml']);
  const ask = (method: string, query = '', body?: string, headers = {}): Asked => ({
    face: 'restconf',
    method,
    path: `${base}${resource}${query}`,
    headers: { accept, ...(body === undefined ? {} : { 'content-type': 'application/yang-data+json' }), ...headers },
    body,
  });
  const queries = [
    '',
    '',
    '?content=config',
    '?content=nonconfig',
    '?depth=1',
    '?depth=2',
    '?depth=3',
    '?fields=binding-table/binding(ipv4-prefix;description)',
    '?fields=name;hop-limit',
    '?fields=aftr/binding-table/bindings',
    '?with-defaults=report-all',
    '?with-defaults=trim',
  ] as const;
  return pick<() => Asked>(next, [
    () => ask(pick(next, ['GET', 'HEAD']), pick(next, queries)),
    () => ask('GET', pick(next, queries), undefined, { 'if-none-match': '"1-x"' }),
    () => ask('GET', pick(next, queries), undefined, { 'if-modified-since': 'Sun, 06 Nov 2044 08:49:37 GMT' }),
    () => ask('PUT', '', jsonBody(next, resource, false)),
    () => ask('PUT', '', jsonBody(next, resource, false), { 'if-match': pick(next, ['*', '"1-x"']) }),
    () => ask('PUT', '', jsonBody(next, resource, false), { 'if-none-match': '*' }),
    () => ask('POST', '', jsonBody(next, resource, true)),
    () => ask('PATCH', '', jsonBody(next, resource, false)),
    () => ask('DELETE'),
    () => ask('PATCH', '', yangPatch(next, resource), { 'content-type': 'application/yang-patch+json' }),
  ])();
}

/**
 * The next request. Of versions it names `oldest` and some later ones, and `newest` to go back to: what is hidden is the same since then, and a
 * way back beyond it is refused by what would change (RFC 8341 §3.2.6).
 */
export function probingRequest(next: Next, oldest: number, newest: number): Asked {
  return next() % 3 ? { face: 'netconf', operation: netconf(next, oldest, newest) } : restconf(next);
}

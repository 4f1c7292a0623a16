/** Places in a configuration that a user may not read, and random contents of them: what two worlds differ in. */

import { GI, NC_PREFIX, nacm, table } from './netconf-requests.ts';

type Next = () => number;

export interface HiddenPlace {
  readonly name: string;
  /** Paths of rules that deny everything; prefixes gi, nacm, sys. */
  readonly paths: readonly string[];
  /** Whether it needs nothing that both worlds have. */
  readonly standsAlone?: boolean;
  /** Content of an edit that makes the place something; '' for what leaves it as it is. */
  readonly content: (next: Next) => string;
}

const AFTR = '/gi:softwire/gi:aftr';
const BINDING = `${AFTR}/gi:binding-table/gi:binding`;

function some<Item>(next: Next, count: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index)).filter(() => next() % 2 === 0);
}

function text(next: Next): string {
  return ['x', 'secret', `secret ${next() % 5}`, 'a b', '7'][next() % 5] ?? '';
}

function row(next: Next, prefix: string): string {
  const description = next() % 2 ? `<description>${text(next)}</description>` : '';
  return `<binding><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>2001:db8:c::${1 + (next() % 9)}</gateway-ipv6-address>${description}</binding>`;
}

const softwire = (content: string) => `<softwire ${GI} ${NC_PREFIX}>${content}</softwire>`;
const aftr = (name: string, content: string) => softwire(`<aftr><name>${name}</name>${content}</aftr>`);

function hiddenAftr(next: Next): string {
  if (next() % 3 === 0) return softwire('<aftr nc:operation="remove"><name>s</name></aftr>');
  const rows = some(next, 6, (n) => row(next, `203.0.113.${n}/32`)).join('');
  const hop = next() % 2 ? `<hop-limit>${1 + (next() % 200)}</hop-limit>` : '';
  return softwire(
    `<aftr nc:operation="replace"><name>s</name><ipv6-address>2001:db8:b::5${next() % 9}</ipv6-address><ipv4-pool>203.0.113.0/24</ipv4-pool>${hop}<binding-table>${rows}</binding-table></aftr>`,
  );
}

/** Sometimes so many that a notification names the table as a whole. */
function tableOfB(next: Next): string {
  const count = next() % 4 === 0 ? 130 : next() % 6;
  const rows = Array.from({ length: count }, (_, n) => row(next, `198.51.100.${n}/32`)).join('');
  return aftr('b', `<binding-table nc:operation="replace">${rows}</binding-table>`);
}

/** Sometimes so many that a notification names their container as a whole. */
function someGateways(next: Next): string {
  const put = (n: number) =>
    `<gateway nc:operation="replace"><name>g${n}</name><enabled>false</enabled><ipv6-address>2001:db8:e::${n}${next() % 9}</ipv6-address></gateway>`;
  const gateway = (n: number) => (next() % 3 ? put(n) : `<gateway nc:operation="remove"><name>g${n}</name></gateway>`);
  const gateways = next() % 4 === 0 ? Array.from({ length: 120 }, (_, n) => put(n)) : some(next, 3, gateway);
  return softwire(gateways.join(''));
}

/** A leaf of the bindings that both worlds have. */
function leafOfRows(next: Next, leaf: (next: Next) => string): string {
  const rows = some(next, 4, (n) => `<binding><ipv4-prefix>192.0.2.${n + 1}/32</ipv4-prefix>${leaf(next)}</binding>`);
  return table(rows.join('')).replace('<softwire ', `<softwire ${NC_PREFIX} `);
}

export const HIDDEN_PLACES: readonly HiddenPlace[] = [
  { name: 'an AFTR', paths: [`${AFTR}[gi:name='s']`], standsAlone: true, content: hiddenAftr },
  {
    name: 'a binding',
    paths: [`${AFTR}[gi:name='a']/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.200/32']`],
    content: (next) =>
      next() % 2
        ? aftr('a', `<binding-table>${row(next, '192.0.2.200/32')}</binding-table>`)
        : aftr(
            'a',
            '<binding-table><binding nc:operation="remove"><ipv4-prefix>192.0.2.200/32</ipv4-prefix></binding></binding-table>',
          ),
  },
  { name: 'all bindings of an AFTR', paths: [`${AFTR}[gi:name='b']/gi:binding-table/gi:binding`], content: tableOfB },
  { name: 'a whole binding table', paths: [`${AFTR}[gi:name='b']/gi:binding-table`], content: tableOfB },
  {
    name: 'descriptions',
    paths: [`${BINDING}/gi:description`],
    content: (next) => leafOfRows(next, () => (next() % 2 ? `<description>${text(next)}</description>` : '')),
  },
  {
    name: 'gateway addresses of bindings',
    paths: [`${BINDING}/gi:gateway-ipv6-address`],
    content: (next) =>
      leafOfRows(next, () => `<gateway-ipv6-address>2001:db8:d::${1 + (next() % 9)}</gateway-ipv6-address>`),
  },
  {
    name: 'gateways',
    paths: ['/gi:softwire/gi:gateway'],
    standsAlone: true,
    content: someGateways,
  },
  {
    name: 'a leaf of AFTRs',
    paths: [`${AFTR}/gi:hop-limit`],
    content: (next) =>
      aftr('a', next() % 4 ? `<hop-limit>${1 + (next() % 250)}</hop-limit>` : '<hop-limit nc:operation="remove"/>'),
  },
  {
    name: 'shared addresses',
    paths: [`${AFTR}/gi:binding-table/gi:shared-address`],
    content: (next) =>
      aftr(
        'a',
        `<binding-table>${
          next() % 3
            ? `<shared-address nc:operation="replace"><ipv4-address>192.0.2.77</ipv4-address><psid-length>4</psid-length><port-set><psid>${next() % 16}</psid><b4-ipv6-address>2001:db8:f::${1 + (next() % 9)}</b4-ipv6-address></port-set></shared-address>`
            : '<shared-address nc:operation="remove"><ipv4-address>192.0.2.77</ipv4-address></shared-address>'
        }</binding-table>`,
      ),
  },
  {
    name: 'rules',
    paths: ["/nacm:nacm/nacm:rule-list[nacm:name='others']", "/nacm:nacm/nacm:groups/nacm:group[nacm:name='others']"],
    standsAlone: true,
    // It may pass those that are seen.
    content: (next) =>
      next() % 3
        ? nacm(
            `<groups><group nc:operation="replace"><name>others</name><user-name>u${next() % 5}</user-name></group></groups><rule-list xmlns:yang="urn:ietf:params:xml:ns:yang:1" nc:operation="replace" yang:insert="${next() % 2 ? 'first' : 'last'}"><name>others</name><group>others</group></rule-list>`,
          )
        : nacm(
            '<groups><group nc:operation="remove"><name>others</name></group></groups><rule-list nc:operation="remove"><name>others</name></rule-list>',
          ),
  },
  {
    name: 'a user',
    paths: ["/sys:system/sys:authentication/sys:user[sys:name='ghost']"],
    standsAlone: true,
    content: (next) =>
      `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system" ${NC_PREFIX}><authentication>${
        next() % 2
          ? `<user nc:operation="replace"><name>ghost</name><password>$6$salt$${'abcd'.charAt(next() % 4).repeat(86)}</password></user>`
          : '<user nc:operation="remove"><name>ghost</name></user>'
      }</authentication></system>`,
  },
];

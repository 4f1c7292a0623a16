/**
 * Random octets of a NETCONF client, with structure: a hello, then messages in a framing. Most of it is what a client sends, with one
 * thing wrong in one layer (hello, XML, envelope, framing, octets), so that what lies behind that layer is reached too.
 */

import type { Framing } from '../../src/mgmt/netconf/framing.ts';
import { frameEnd, framePiece } from '../../src/mgmt/netconf/framing.ts';

/** What one client sends, and how it is cut on the way. */
export interface GuardInput {
  readonly octets: Buffer;
  /** Offsets where one piece ends and the next begins, rising. */
  readonly cuts: readonly number[];
  /** How many messages there are behind a good hello; undefined when something was made wrong on purpose. */
  readonly messages: number | undefined;
}

type Next = () => number;

const NC = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const GI = 'urn:gi-4over6';

const BASE_10 = 'urn:ietf:params:netconf:base:1.0';
const BASE_11 = 'urn:ietf:params:netconf:base:1.1';

const hello = (capabilities: string, more = '') =>
  `<hello xmlns="${NC}"><capabilities>${capabilities}</capabilities>${more}</hello>`;
const capability = (text: string) => `<capability>${text}</capability>`;

/** Hellos that are good, with the framing they mean, and others. */
const GOOD_HELLOS: readonly (readonly [string, Framing])[] = [
  [hello(capability(BASE_11)), 'chunked'],
  [hello(capability(BASE_11)), 'chunked'],
  [hello(capability(BASE_10)), 'end-of-message'],
  [hello(capability(BASE_10) + capability(BASE_11)), 'chunked'],
  [hello(capability(` \n${BASE_11}\t`)), 'chunked'],
  [`\n<?xml version="1.0" encoding="UTF-8"?>\n${hello(capability(BASE_10))}`, 'end-of-message'],
  [
    `<nc:hello xmlns:nc="${NC}"><nc:capabilities><nc:capability>${BASE_11}</nc:capability></nc:capabilities></nc:hello>`,
    'chunked',
  ],
];
const BAD_HELLOS: readonly string[] = [
  hello(''),
  hello(capability('urn:ietf')),
  hello(capability('urn:ietf:params:netconf:base:9.9')),
  hello(capability(`${BASE_11}x`)),
  hello(capability(BASE_11), '<session-id>4</session-id>'),
  `<hello xmlns="${NC}"/>`,
  `<hello>${capability(BASE_11)}</hello>`,
  `<softwire xmlns="${GI}"/>`,
  `<!DOCTYPE hello>${hello(capability(BASE_11))}`,
  hello(capability(BASE_11).repeat(60)),
  '',
  'garbage',
];

const OPERATIONS: readonly string[] = [
  '<get-config><source><running/></source></get-config>',
  `<get><filter type="subtree"><softwire xmlns="${GI}"><aftr><name>a</name></aftr></softwire></filter></get>`,
  `<nc:get xmlns:nc="${NC}"><nc:filter xmlns:gi="${GI}" nc:type="xpath" select="/gi:softwire"/></nc:get>`,
  '<lock><target><candidate/></target></lock>',
  '<kill-session><session-id>4</session-id></kill-session>',
  '<commit><confirmed/><persist>a &amp; b</persist></commit><!-- c -->',
  '<close-session/>',
  '<foo/>',
  '<get xmlns=""/>',
  '<x xmlns="urn:x"/>',
  '<commit/><commit/>',
  'text',
  '',
  `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="${GI}"><aftr><name>a</name></aftr></softwire></action>`,
  '<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>x</identifier></get-schema>',
  '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><filter><a/></filter></create-subscription>',
];

const ATTRIBUTES: readonly string[] = [
  'message-id="7"',
  'message-id=""',
  "message-id='&quot;&#10;&lt;'",
  'message-id="\u20ac"',
  'a:b="c"',
  'xmlns:a="urn:a" a:b="c"',
  'xmlns:a="urn:a" xmlns:b="urn:a" a:c="1" b:c="2"',
  'a="1" a="2"',
  'xmlns:a=""',
  'xmlns:xml="urn:x"',
  'xml:lang="en"',
  'xmlns:__proto__="urn:p" __proto__="1" constructor="2"',
  'a="<"',
  'a=b',
  'a',
];

const GOOD_TEXTS: readonly string[] = [
  'a',
  ' \n\t',
  '&amp;&lt;&gt;&quot;&apos;',
  '&#65;&#x20AC;&#x1F600;',
  '<![CDATA[<a>]]>',
  '<!-- c -->',
];
const TEXTS: readonly string[] = [
  '&#0;',
  '&#1;',
  '&#xD800;',
  '&#x110000;',
  '&#99999999999999999999;',
  '&x;',
  '&',
  ']]>',
  ']]>]]>',
  '\n##\n',
  '\n#3\n',
  '\u0000',
  '\u0001',
  '\u007f',
  '\u0085\u2028',
  '\ufffe',
  '\ufeff',
  '\ud83d\ude00',
  '<![CDATA[',
  '<!-- -- -->',
  '<?pi x?>',
  '<!DOCTYPE a [<!ENTITY x "y">]>',
  '<?xml version="1.0"?>',
  '__proto__',
];

const NAMES: readonly string[] = [
  'a',
  'config',
  'filter',
  'binding-table',
  'binding',
  'nc:a',
  'a:b:c',
  ':a',
  '1',
  '__proto__',
  '\u00e9',
];
const LEAVES: readonly string[] = [
  '<ipv4-prefix>192.0.2.1/32</ipv4-prefix>',
  '<ipv4-prefix>192.0.2.0/24</ipv4-prefix>',
  '<ipv4-prefix>192.0.2.999/24</ipv4-prefix>',
  '<gateway-ipv6-address>2001:db8::1</gateway-ipv6-address>',
  '<gateway-ipv6-address>::</gateway-ipv6-address>',
  '<aftr-ipv6-address>2001:db8::2</aftr-ipv6-address>',
  '<description>a b</description>',
  '<description>a &amp; b</description>',
  '<description/>',
  '<foo/>',
];

/** Octets that framing and XML live on. */
const PIECES: readonly string[] = [
  ...['\n#', '\n##\n', '\n#1\n', '\n#0\n', '\n#4294967295\n', '\n#4294967296\n', '#', '\n', '\r', ']]>]]>', ']]>', ']'],
  ...[
    '<',
    '>',
    '/>',
    '</',
    '"',
    "'",
    '&',
    '=',
    ':',
    '\u0000',
    '\u00ff',
    '<!--',
    '-->',
    '<![CDATA[',
    '<?',
    '?>',
    'xmlns=""',
  ],
];

const SIZES: readonly string[] = [
  ...['0', '-1', '+5', '00012', '1', '10', '99999999999', '4294967295', '4294967296', '18446744073709551615'],
  ...['', ' 5', '5 ', '0x5', '1e3', '5.0', '\u0665', '100000', '100001', '131072', '131073'],
];

class Maker {
  readonly #next: Next;
  /** Whether something was made wrong, or may have been. */
  isDoubtful = false;

  constructor(next: Next) {
    this.#next = next;
  }

  below(limit: number): number {
    return this.#next() % limit;
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  message(): string {
    const kind = this.below(20);
    if (kind < 9) return this.#rpc(this.pick(OPERATIONS));
    if (kind < 14) return this.#rpc(this.#edit());
    if (kind < 18) return this.#rpc(this.#element(3));
    if (kind < 19) return this.#border();
    return this.oneIn(2) ? this.pick(TEXTS) : this.#element(4);
  }

  #rpc(inside: string): string {
    const attributes = this.oneIn(4) ? this.#attributes() : ' message-id="1"';
    const head = this.oneIn(8)
      ? this.pick([
          '\n',
          '<?xml version="1.0" encoding="UTF-8"?>',
          '<?xml version="1.1"?>',
          '\ufeff',
          '<?xml version="1.0" encoding="UTF-16"?>',
          '<!-- -->',
        ])
      : '';
    const root = this.oneIn(12) ? this.pick(['nc:rpc', 'hello', 'rpc-reply']) : 'rpc';
    return `${head}<${root} xmlns="${NC}"${attributes}>${inside}</${root}>`;
  }

  #attributes(): string {
    return Array.from({ length: this.below(3) }, () => ` ${this.pick(ATTRIBUTES)}`).join('');
  }

  #element(depth: number): string {
    const name = this.pick(NAMES);
    const inside = Array.from({ length: this.below(4) }, () =>
      depth > 0 && this.oneIn(2) ? this.#element(depth - 1) : this.pick(this.oneIn(3) ? TEXTS : GOOD_TEXTS),
    ).join('');
    return this.oneIn(6) ? `<${name}${this.#attributes()}/>` : `<${name}${this.#attributes()}>${inside}</${name}>`;
  }

  /** Many entries of a binding table, nearly all of them plain. */
  #edit(): string {
    const entries = Array.from({ length: this.below(8) }, (_, at) => {
      if (this.oneIn(8)) return this.pick(TEXTS);
      const leaves = this.oneIn(3)
        ? Array.from({ length: this.below(5) }, () => this.pick(LEAVES)).join(this.oneIn(4) ? '\n  ' : '')
        : `<ipv4-prefix>192.0.2.${at}/32</ipv4-prefix><gateway-ipv6-address>2001:db8::${at}</gateway-ipv6-address>`;
      return `<binding${this.oneIn(6) ? this.#attributes() : ''}>${leaves}</binding>`;
    });
    const table = `<binding-table>${entries.join(this.oneIn(3) ? '\n' : '')}</binding-table>`;
    const config = `<softwire xmlns="${GI}"><aftr><name>a</name>${table}</aftr></softwire>`;
    return `<edit-config><target><running/></target><config>${config}</config></edit-config>`;
  }

  /** At, and one beyond, the limits of depth, attributes and elements; now and then long. */
  #border(): string {
    const kind = this.below(16);
    if (kind < 5) {
      const depth = 17 + this.below(5);
      return this.#rpc('<a>'.repeat(depth) + '</a>'.repeat(depth));
    }
    if (kind < 10) {
      const attributes = Array.from({ length: 7 + this.below(6) }, (_, at) => ` a${at}=""`);
      return this.#rpc(`<a${attributes.join('')}/>`);
    }
    if (kind < 15 || !this.oneIn(6)) return this.#rpc('<a/>'.repeat(this.below(40)));
    const piece = this.pick(['x', '\u20ac', ']] >', '<b/>', ' ']).repeat(16);
    return this.#rpc(`<a>${piece}</a>`.repeat(1_000 + this.below(3_000)));
  }

  /** The message in its framing, cut into chunks anywhere. */
  frame(message: Buffer, framing: Framing): Buffer {
    if (framing === 'end-of-message') return Buffer.concat([message, frameEnd(framing)]);
    const parts: Buffer[] = [];
    const isHostile = this.oneIn(12);
    if (isHostile || message.length === 0) this.isDoubtful = true;
    const largest = this.pick([1, 7, 64, 1024, message.length, message.length]);
    // Octet by octet is for short ones.
    const size = Math.max(largest, Math.ceil(message.length / 64), 1);
    for (let at = 0; at < message.length; at += size) {
      const part = message.subarray(at, at + size);
      parts.push(Buffer.from(`\n#${isHostile && this.oneIn(2) ? this.pick(SIZES) : part.length}\n`), part);
    }
    parts.push(isHostile && this.oneIn(2) ? Buffer.from(this.pick(PIECES)) : frameEnd(framing));
    return Buffer.concat(parts);
  }

  /** Some octets changed, taken out, put in or doubled. */
  mutate(octets: Buffer): Buffer {
    this.isDoubtful = true;
    let changed = octets;
    for (let times = 1 + this.below(4); times > 0; times--) {
      const at = this.below(changed.length + 1);
      const [before, after] = [changed.subarray(0, at), changed.subarray(at)];
      const kind = this.below(5);
      if (kind === 0) changed = Buffer.concat([before, Buffer.from(this.pick(PIECES)), after]);
      else if (kind === 1) changed = Buffer.concat([before, Buffer.from([this.below(256)]), after.subarray(1)]);
      else if (kind === 2) changed = Buffer.concat([before, after.subarray(this.below(20))]);
      else if (kind === 3) changed = Buffer.concat([before, before.subarray(-this.below(40)), after]);
      else changed = before;
    }
    return changed;
  }

  cuts(length: number): number[] {
    const kind = this.below(64);
    if (kind === 0 && length < 1_000) return Array.from({ length: length - 1 }, (_, at) => at + 1);
    return kind < 32 ? [] : this.#fewCuts(length);
  }

  #fewCuts(length: number): number[] {
    const offsets = Array.from({ length: this.below(5) }, () => this.below(length + 1));
    return offsets.sort((one, other) => one - other);
  }
}

/** The next input; the same for the same numbers. */
export function guardInput(next: Next): GuardInput {
  const maker = new Maker(next);
  const isBad = maker.oneIn(16);
  const [greeting, framing]: readonly [string, Framing] = isBad
    ? [maker.pick(BAD_HELLOS), maker.pick(['chunked', 'end-of-message'] as const)]
    : maker.pick(GOOD_HELLOS);
  if (isBad) maker.isDoubtful = true;
  const count = maker.oneIn(4) ? 2 + maker.below(2) : 1;
  const helloFraming = maker.oneIn(8) ? 'chunked' : 'end-of-message';
  if (helloFraming === 'chunked' && framing !== 'chunked') maker.isDoubtful = true;
  const parts: Buffer[] = [framePiece(greeting, helloFraming), frameEnd(helloFraming)];
  for (let sent = 0; sent < count; sent++) {
    const text = maker.message();
    const message = Buffer.from(text);
    // Under base:1.0 a mark inside a message ends it, and chunks hold no more than the limit.
    if (text.includes(']]>]]>') || message.length > 60_000) maker.isDoubtful = true;
    parts.push(maker.frame(maker.oneIn(8) ? maker.mutate(message) : message, framing));
  }
  const whole = Buffer.concat(parts);
  const octets = maker.oneIn(8) ? maker.mutate(whole) : whole;
  return { octets, cuts: maker.cuts(octets.length), messages: maker.isDoubtful ? undefined : count };
}

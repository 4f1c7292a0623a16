/** A configuration file in RFC 7951 JSON as the edits it means, token by token. */

import type { ParsedTokenInfo } from '@streamparser/json';
import { TokenType } from '@streamparser/json';
import type { NetconfClient } from './client.ts';
import { EditWriter } from './edit-writer.ts';
import { REPLACE } from './file-xml.ts';
import { PATH_LEAVES, pathWithAllModules } from './instance-path.ts';
import { JsonFault, JsonTokens } from './json-tokens.ts';
import { isScalar, wrongValue } from './json-values.ts';
import { ARRAYS } from './model.ts';
import { escapeXml } from './xml-text.ts';

const NO_OBJECT = 'expected one JSON object, for example {"gi-4over6:softwire": {...}}';
/** What stands around the data in an answer of RESTCONF. */
const ENVELOPE = 'ietf-restconf:data';

/** One object or array that is open. */
interface Frame {
  readonly kind: 'object' | 'array';
  /** The member that it is the value of; '' for the document. */
  readonly member: string;
  /** Members are nodes of the top level. */
  readonly isTop: boolean;
  /** Metadata (RFC 7952) and all in it say nothing to an edit. */
  readonly isSkipped: boolean;
  /** Of an array: the name of the node that its node stands in. */
  readonly parent: string;
  /** Of an object: names of its members so far, each with its module. */
  readonly seen: Set<string>;
  readonly module: string;
  key: string;
  /** Values of an array so far. */
  count: number;
  expects: 'first' | 'key' | 'colon' | 'value' | 'end';
}

/**
 * The members of an RFC 7951 JSON object, or of the `ietf-restconf:data` in it, cut into several edits or as one in pieces.
 * @throws Error with line and column when the text is no such object: by its characters, by a name at the top that has no module the
 *   device knows, by a member that comes twice (RFC 7493 §2.3), or by a value that is not as RFC 7951 writes that node
 */
export async function* editsFromJson(
  client: Pick<NetconfClient, 'namespaces'>,
  pieces: AsyncIterable<string>,
  replace: boolean,
  isCut: boolean,
): AsyncGenerator<string> {
  const reader = new JsonReader(await client.namespaces(), replace, isCut);
  for await (const piece of pieces) {
    reader.tokens.write(piece);
    yield* reader.writer.take();
  }
  reader.requireEnd();
  yield* reader.writer.take(true);
}

class JsonReader {
  readonly writer: EditWriter;
  readonly tokens = new JsonTokens((token) => this.#take(token));
  readonly #namespaces: ReadonlyMap<string, string>;
  /** Values may name modules (identities, paths): each name is a prefix. */
  readonly #prefixes: string;
  readonly #replace: boolean;
  readonly #frames: Frame[] = [];
  #isOver = false;

  constructor(namespaces: ReadonlyMap<string, string>, replace: boolean, isCut: boolean) {
    this.writer = new EditWriter(isCut);
    this.#namespaces = namespaces;
    this.#prefixes = [...namespaces].map(([name, namespace]) => ` xmlns:${name}="${escapeXml(namespace)}"`).join('');
    this.#replace = replace;
  }

  /** @throws Error when the document is not over */
  requireEnd(): void {
    if (this.#isOver) return;
    throw this.#frames.length === 0 ? new Error(NO_OBJECT) : this.tokens.endFault('the JSON text ends too early');
  }

  #take({ token, value, offset }: ParsedTokenInfo): void {
    const frame = this.#frames.at(-1);
    if (!frame) {
      if (this.#isOver || token !== TokenType.LEFT_BRACE) throw new JsonFault(NO_OBJECT, offset);
      this.#push('object', '', { isTop: true });
    } else if (token === TokenType.COMMA && frame.expects === 'end') {
      frame.expects = frame.kind === 'object' ? 'key' : 'value';
    } else if (token === TokenType.COLON && frame.expects === 'colon') frame.expects = 'value';
    else if (isEndOf(frame, token)) this.#end(frame, offset);
    else if (frame.kind === 'object' && ['first', 'key'].includes(frame.expects) && token === TokenType.STRING) {
      this.#key(frame, String(value), offset);
    } else if (frame.expects === 'value' || (frame.kind === 'array' && frame.expects === 'first')) {
      this.#value(frame, token, value, offset);
    } else throw new JsonFault('a character that is out of place', offset);
  }

  #push(kind: Frame['kind'], member: string, more: Partial<Frame>): void {
    const module = moduleOf(member) ?? this.#frames.at(-1)?.module ?? '';
    const rest = { isTop: false, isSkipped: false, parent: '', seen: new Set<string>(), key: '', count: 0 };
    this.#frames.push({ kind, member, module, expects: 'first', ...rest, ...more });
  }

  #key(frame: Frame, key: string, offset: number): void {
    frame.key = key;
    frame.expects = 'colon';
    const name = `${moduleOf(key) ?? frame.module}:${localOf(key)}`;
    if (frame.seen.has(name)) throw this.#fault('it comes twice in one object (RFC 7493 §2.3)', offset);
    frame.seen.add(name);
  }

  #value(frame: Frame, token: TokenType, value: unknown, offset: number): void {
    frame.expects = 'end';
    frame.count++;
    const member = frame.kind === 'object' ? frame.key : frame.member;
    const isSkipped = frame.isSkipped || member.startsWith('@');
    const isEnvelope = frame.isTop && this.#frames.length === 1 && member === ENVELOPE;
    const isValue = isScalar(token) || token === TokenType.LEFT_BRACE || token === TokenType.LEFT_BRACKET;
    if (!isValue) throw new JsonFault('a value is missing', offset);
    if (!isSkipped && !isEnvelope) this.#check(frame, member, token, value, offset);
    if (token === TokenType.LEFT_BRACE) {
      if (!isSkipped && !isEnvelope) this.#open(member, frame.isTop, offset);
      this.#push('object', member, { isTop: isEnvelope, isSkipped });
    } else if (token === TokenType.LEFT_BRACKET) {
      this.#push('array', member, { isTop: frame.isTop, isSkipped, parent: this.#parentOf(frame) });
    } else if (!isSkipped) {
      this.#open(member, frame.isTop, offset);
      this.writer.text(textOf(member, value));
      this.writer.close();
    }
  }

  /** @throws JsonFault when the value is not as RFC 7951 writes that node */
  #check(frame: Frame, member: string, token: TokenType, value: unknown, offset: number): void {
    const place = { parent: this.#parentOf(frame), name: localOf(member), isEntry: frame.kind === 'array' };
    const wrong = wrongValue(place, { token, value, number: this.tokens.number });
    if (wrong !== undefined) throw this.#fault(wrong, offset);
  }

  /** The name of the node that values of the frame stand in. */
  #parentOf({ kind, parent, member }: Frame): string {
    if (kind === 'array') return parent;
    return member === ENVELOPE ? '' : localOf(member);
  }

  /** A fault of the value that the frames are at. */
  #fault(message: string, offset: number): JsonFault {
    const steps = this.#frames.map(({ kind, key, count }) => (kind === 'array' ? `[${count}]` : `/${key}`));
    return new JsonFault(`${steps.join('')}: ${message}`, offset);
  }

  #end(frame: Frame, offset: number): void {
    this.#frames.pop();
    const isList = frame.isSkipped || ARRAYS.has(`${frame.parent}/${localOf(frame.member)}`);
    if (frame.kind === 'array' && !isList && frame.count !== 1) throw this.#fault('expected [null]', offset);
    const isElement = frame.kind === 'object' && frame.member !== '' && frame.member !== ENVELOPE;
    if (isElement && !frame.isSkipped) this.writer.close();
    if (this.#frames.length === 0) this.#isOver = true;
  }

  #open(member: string, isTop: boolean, offset: number): void {
    const [module, local] = [moduleOf(member), localOf(member)];
    if (isTop && module === undefined) {
      throw new JsonFault(`expected a module name before '${member}', as in gi-4over6:softwire`, offset);
    }
    if (!/^[A-Za-z_][\w.-]*$/.test(local)) throw new JsonFault(`expected a name, found '${member}'`, offset);
    const namespace = module === undefined ? undefined : this.#namespaces.get(module);
    if (module !== undefined && namespace === undefined) {
      throw new JsonFault(`the device has no YANG module ${module}`, offset);
    }
    const own = namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`;
    this.writer.open(local, isTop ? own + this.#prefixes : own, isTop && this.#replace ? REPLACE : '');
  }
}

function moduleOf(member: string): string | undefined {
  const colon = member.indexOf(':');
  return colon < 0 ? undefined : member.slice(0, colon);
}

function localOf(member: string): string {
  return member.slice(member.indexOf(':') + 1);
}

function isEndOf({ kind, expects }: Frame, token: TokenType): boolean {
  const end = kind === 'object' ? TokenType.RIGHT_BRACE : TokenType.RIGHT_BRACKET;
  return token === end && (expects === 'first' || expects === 'end');
}

/** An empty leaf is `[null]`. */
function textOf(member: string, value: unknown): string {
  if (value === null) return '';
  return PATH_LEAVES.has(member) ? pathWithAllModules(String(value)) : String(value);
}

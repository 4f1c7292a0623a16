/** A configuration file in RFC 7951 JSON as the edits it means, token by token. */

import type { ParsedTokenInfo } from '@streamparser/json';
import { Tokenizer, TokenType } from '@streamparser/json';
import type { NetconfClient } from './client.ts';
import { EditWriter } from './edit-writer.ts';
import { REPLACE } from './file-xml.ts';
import { PATH_LEAVES, pathWithAllModules } from './instance-path.ts';
import { escapeXml } from './xml-text.ts';

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
  key: string;
  expects: 'first' | 'key' | 'colon' | 'value' | 'end';
}

/**
 * The members of an RFC 7951 JSON object, or of the `ietf-restconf:data` in it, cut into several edits or as one in pieces.
 * @throws Error when the text is no JSON object, or a name at the top has no module that the device knows
 */
export async function* editsFromJson(
  client: Pick<NetconfClient, 'namespaces'>,
  pieces: AsyncIterable<string>,
  replace: boolean,
  isCut: boolean,
): AsyncGenerator<string> {
  const reader = new JsonReader(await client.namespaces(), replace, isCut);
  const tokenizer = new Tokenizer();
  tokenizer.onToken = (token) => reader.take(token);
  tokenizer.onError = (error) => {
    throw error;
  };
  for await (const piece of pieces) {
    tokenizer.write(piece);
    yield* reader.writer.take();
  }
  reader.requireEnd();
  yield* reader.writer.take(true);
}

class JsonReader {
  readonly writer: EditWriter;
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

  take({ token, value, offset }: ParsedTokenInfo): void {
    const frame = this.#frames.at(-1);
    if (!frame) {
      if (this.#isOver || token !== TokenType.LEFT_BRACE) throw notAnObject();
      this.#frames.push({ kind: 'object', member: '', isTop: true, isSkipped: false, key: '', expects: 'first' });
    } else if (token === TokenType.COMMA && frame.expects === 'end') {
      frame.expects = frame.kind === 'object' ? 'key' : 'value';
    } else if (token === TokenType.COLON && frame.expects === 'colon') frame.expects = 'value';
    else if (isEndOf(frame, token)) this.#end(frame);
    else if (frame.kind === 'object' && ['first', 'key'].includes(frame.expects) && token === TokenType.STRING) {
      frame.key = String(value);
      frame.expects = 'colon';
    } else if (frame.expects === 'value' || (frame.kind === 'array' && frame.expects === 'first')) {
      this.#value(frame, token, value, offset);
    } else throw new Error(`a character that is out of place, at offset ${offset}`);
  }

  /** @throws Error when the document is not over */
  requireEnd(): void {
    if (!this.#isOver) throw this.#frames.length === 0 ? notAnObject() : new Error('the JSON text ends too early');
  }

  #value(frame: Frame, token: TokenType, value: unknown, offset: number): void {
    frame.expects = 'end';
    const member = frame.kind === 'object' ? frame.key : frame.member;
    const isSkipped = frame.isSkipped || member.startsWith('@');
    const isEnvelope = frame.isTop && this.#frames.length === 1 && member === ENVELOPE;
    if (token === TokenType.LEFT_BRACE) {
      if (!isSkipped && !isEnvelope) this.#open(member, frame.isTop);
      this.#frames.push({ kind: 'object', member, isTop: isEnvelope, isSkipped, key: '', expects: 'first' });
    } else if (token === TokenType.LEFT_BRACKET) {
      this.#frames.push({ kind: 'array', member, isTop: frame.isTop, isSkipped, key: '', expects: 'first' });
    } else if (isScalar(token)) {
      if (isSkipped) return;
      this.#open(member, frame.isTop);
      this.writer.text(textOf(member, value));
      this.writer.close();
    } else throw new Error(`a value is missing, at offset ${offset}`);
  }

  #end(frame: Frame): void {
    this.#frames.pop();
    const isElement = frame.kind === 'object' && frame.member !== '' && frame.member !== ENVELOPE;
    if (isElement && !frame.isSkipped) this.writer.close();
    if (this.#frames.length === 0) this.#isOver = true;
  }

  #open(member: string, isTop: boolean): void {
    const [module, local] = member.includes(':') ? member.split(':', 2) : [undefined, member];
    if (isTop && module === undefined) {
      throw new Error(`expected a module name before '${member}', as in gi-4over6:softwire`);
    }
    if (!local || !/^[A-Za-z_][\w.-]*$/.test(local)) throw new Error(`expected a name, found '${member}'`);
    const namespace = module === undefined ? undefined : this.#namespaces.get(module);
    if (module !== undefined && namespace === undefined) throw new Error(`the device has no YANG module ${module}`);
    const own = namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`;
    this.writer.open(local, isTop ? own + this.#prefixes : own, isTop && this.#replace ? REPLACE : '');
  }
}

function isEndOf({ kind, expects }: Frame, token: TokenType): boolean {
  const end = kind === 'object' ? TokenType.RIGHT_BRACE : TokenType.RIGHT_BRACKET;
  return token === end && (expects === 'first' || expects === 'end');
}

const SCALARS = [TokenType.STRING, TokenType.NUMBER, TokenType.TRUE, TokenType.FALSE, TokenType.NULL];

function isScalar(token: TokenType): boolean {
  return SCALARS.includes(token);
}

/** An empty leaf is `[null]`. */
function textOf(member: string, value: unknown): string {
  if (value === null) return '';
  return PATH_LEAVES.has(member) ? pathWithAllModules(String(value)) : String(value);
}

function notAnObject(): Error {
  return new Error('expected one JSON object, for example {"gi-4over6:softwire": {...}}');
}

/**
 * NETCONF client of the local socket, for the commands. Replies come as pieces of text, so that a table of any size
 * passes through; small ones as objects (xml2js).
 *
 * It speaks base:1.0, whose mark `]]>]]>` cannot stand in well-formed XML, so that an answer is one plain text.
 */

import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { parseStringPromise } from 'xml2js';
import { CommandFailure, EXIT, SessionEnded } from './failure.ts';
import { refusalOf } from './refusal.ts';
import { escapeXml } from './xml-text.ts';

export const BASE_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const MONITORING_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring';
const HELLO = `<hello xmlns="${BASE_NAMESPACE}"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>`;
const MARK = ']]>]]>';
/** The device drops a client that sends more at once. */
export const MESSAGE_LIMIT = 250 * 1024 * 1024;
const ERROR_REPLY = /^[^<]*(?:<\?[^>]*\?>[^<]*)?<(?:\w+:)?rpc-reply[^>]*>\s*<(?:\w+:)?rpc-error[\s>]/;
const REPLY_BEGUN = /^[^<]*(?:<\?[^>]*\?>[^<]*)?<(?:\w+:)?rpc-reply[^>]*>\s*<[^>]*>|<(?:\w+:)?rpc-reply[^>]*\/>/;

/** An element of a small reply: children by local name, each name with all its elements; text under `_`. */
export type ReplyNode = { readonly [name: string]: readonly (ReplyNode | string)[] | string | undefined };

export class NetconfClient {
  readonly #socket: Duplex;
  readonly #path: string;
  readonly #pieces: AsyncIterator<string>;
  #held = '';
  #namespaces: ReadonlyMap<string, string> | undefined;

  private constructor(socket: Duplex, path: string) {
    this.#socket = socket;
    this.#path = path;
    this.#pieces = decoded(socket)[Symbol.asyncIterator]();
  }

  /** @throws CommandFailure with exit code 3 and what to do when nobody answers there */
  static async connect(path: string): Promise<NetconfClient> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error: NodeJS.ErrnoException) => reject(noConnection(path, error.code)));
    });
    return NetconfClient.over(socket, path);
  }

  /** A client on a transport that is open, such as a subsystem of SSH; `name` of it is for errors. */
  static async over(transport: Duplex, name: string): Promise<NetconfClient> {
    transport.on('error', () => undefined);
    const client = new NetconfClient(transport, name);
    transport.write(HELLO + MARK);
    for await (const _ of client.#message());
    return client;
  }

  /**
   * Sends one operation and gives the text of its reply in pieces, as they come; the caller takes them all. An operation in pieces
   * is sent as they come; when they end in an error, or the program ends meanwhile, the device drops what it has of it.
   * @throws Refusal when the reply is an error
   */
  async *request(operation: string | AsyncIterable<string>): AsyncGenerator<string> {
    await this.#send(operation);
    let head = '';
    let isBegun = false;
    for await (const piece of this.#message()) {
      if (isBegun) {
        yield piece;
        continue;
      }
      head += piece;
      if (ERROR_REPLY.test(head) || !REPLY_BEGUN.test(head)) continue;
      isBegun = true;
      yield head;
    }
    if (!isBegun) throw await refusalOf(head);
  }

  /** Sends one operation whose reply is small. @throws Refusal */
  async call(operation: string | AsyncIterable<string>): Promise<ReplyNode> {
    let text = '';
    for await (const piece of this.request(operation)) text += piece;
    const options = { tagNameProcessors: [localName], explicitRoot: false, ignoreAttrs: true, explicitArray: true };
    const parsed: unknown = await parseStringPromise(text, options);
    return typeof parsed === 'object' && parsed !== null ? (parsed as ReplyNode) : {};
  }

  /** Namespace by name of every module the device has. */
  async namespaces(): Promise<ReadonlyMap<string, string>> {
    if (this.#namespaces) return this.#namespaces;
    const filter = `<netconf-state xmlns="${MONITORING_NAMESPACE}"><schemas/></netconf-state>`;
    const reply = await this.call(`<get><filter type="subtree">${filter}</filter></get>`);
    const schemas = nodesAt(reply, 'data', 'netconf-state', 'schemas', 'schema');
    this.#namespaces = new Map(schemas.map((schema) => [textOf(schema, 'identifier'), textOf(schema, 'namespace')]));
    return this.#namespaces;
  }

  /** The namespace of a module. @throws CommandFailure when the device has no such module */
  async namespaceOf(module: string): Promise<string> {
    if (module === 'gi-4over6') return 'urn:gi-4over6';
    const namespace = (await this.namespaces()).get(module);
    if (namespace !== undefined) return namespace;
    throw new CommandFailure(EXIT.usage, `the device has no YANG module ${module}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(operation: string | AsyncIterable<string>): Promise<void> {
    try {
      let octets = 0;
      for await (const piece of rpcPieces(operation)) {
        octets += Buffer.byteLength(piece);
        if (octets > MESSAGE_LIMIT + MARK.length) throw tooLong();
        await this.#write(piece);
      }
    } catch (error) {
      // Half a message is none as long as nothing follows it.
      this.close();
      throw error;
    }
  }

  /** Resolves when the socket wants more. @throws CommandFailure when the device has ended the session */
  async #write(text: string): Promise<void> {
    if (this.#socket.destroyed) throw noConnection(this.#path, 'ended');
    if (this.#socket.write(text)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        this.#socket.off('drain', go);
        this.#socket.off('close', go);
        resolve();
      };
      this.#socket.on('drain', go);
      this.#socket.on('close', go);
    });
  }

  /** The pieces of the next message, without its mark. */
  async *#message(): AsyncGenerator<string> {
    for (;;) {
      const at = this.#held.indexOf(MARK);
      if (at >= 0) {
        const last = this.#held.slice(0, at);
        this.#held = this.#held.slice(at + MARK.length);
        if (last !== '') yield last;
        return;
      }
      const keep = Math.min(this.#held.length, MARK.length - 1);
      const ready = this.#held.slice(0, this.#held.length - keep);
      this.#held = this.#held.slice(this.#held.length - keep);
      if (ready !== '') yield ready;
      const next = await this.#pieces.next();
      if (next.done) throw new SessionEnded(EXIT.noConnection, sentenceOf(this.#path, 'ended'));
      this.#held += next.value;
    }
  }
}

async function* rpcPieces(operation: string | AsyncIterable<string>): AsyncGenerator<string> {
  const head = `<rpc xmlns="${BASE_NAMESPACE}" message-id="1">`;
  const tail = `</rpc>${MARK}`;
  if (typeof operation === 'string') {
    yield head + operation + tail;
    return;
  }
  yield head;
  yield* operation;
  yield tail;
}

function tooLong(): CommandFailure {
  const text = `the request has more than ${MESSAGE_LIMIT} octets: split the file, or import it with --commit`;
  return new CommandFailure(EXIT.refused, text);
}

async function* decoded(socket: Duplex): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  for await (const octets of socket) yield decoder.write(octets as Buffer);
}

/** The elements at the end of a path of names. */
export function nodesAt(node: ReplyNode, ...names: readonly string[]): ReplyNode[] {
  let found: ReplyNode[] = [node];
  for (const name of names) {
    found = found.flatMap((item) => {
      const inside = item[name];
      if (typeof inside === 'string' || inside === undefined) return [];
      return inside.map((child) => (typeof child === 'string' ? { _: child } : child));
    });
  }
  return found;
}

/** The text of the first child with that name; '' when there is none. */
export function textOf(node: ReplyNode, name: string): string {
  return textsOf(node, name)[0] ?? '';
}

/** The texts of all children with that name. */
export function textsOf(node: ReplyNode, name: string): string[] {
  return nodesAt(node, name).map(({ _: text }) => (typeof text === 'string' ? text : ''));
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

function noConnection(path: string, code: string | undefined): CommandFailure {
  return new CommandFailure(EXIT.noConnection, sentenceOf(path, code));
}

function sentenceOf(path: string, code: string | undefined): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no socket: start the program with `gi4over6 run`, or name its socket with --socket',
    ECONNREFUSED: 'the program is not running: start it with `gi4over6 run`',
    EACCES: 'permission denied: run the command as root',
    ended: 'the program ended the session: see its log',
  };
  return `no connection to ${path}: ${reasons[code ?? ''] ?? code}`;
}

/** `get` of running with state, `get-config` of a datastore, or a whole version; an empty filter means everything. */
export function readOperation(
  filter: string,
  options: {
    readonly datastore?: 'running' | 'candidate' | undefined;
    readonly defaults?: boolean | undefined;
    readonly version?: number | undefined;
  } = {},
): string {
  const { datastore, defaults, version } = options;
  if (version !== undefined) return `<get-version xmlns="urn:gi-4over6"><version>${version}</version></get-version>`;
  const selection = filter === '' ? '' : `<filter type="subtree">${filter}</filter>`;
  const mode = defaults
    ? '<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all</with-defaults>'
    : '';
  if (datastore === undefined) return `<get>${selection}${mode}</get>`;
  return `<get-config><source><${escapeXml(datastore)}/></source>${selection}${mode}</get-config>`;
}

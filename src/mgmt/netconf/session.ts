/**
 * The guard of one session (design: libnetconf2 never reads a socket). Between the client's transport and the library's
 * end of a socketpair:
 *
 *   1. octets become messages                       framing.ts
 *   2. the hello is checked, the library's passed on hello.ts
 *   3. a message is parsed, its envelope checked     envelope.ts; a fault is answered here
 *   4. the library gets the operation and calls back: the handler runs on the contents as they came   rpcs.ts
 *   5. the library's reply goes out in the client's framing; data that was kept apart is streamed into it
 *
 * One request is under way at a time; others wait in order.
 */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RpcReply, YangContext } from 'netconf-server';
import type { Log } from '../../log.ts';
import type { ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { Operations } from '../operations.ts';
import { parseXml, type XmlElement } from '../xml.ts';
import { NETCONF_NAMESPACE, writeXml } from '../xml-data.ts';
import type { Envelope } from './envelope.ts';
import { openEnvelope, REFERENCE_NAMESPACE, replyTag, shellOf } from './envelope.ts';
import type { Framing } from './framing.ts';
import { FramingError, frameEnd, framePiece, MessageReader } from './framing.ts';
import { CANONICAL_HELLO, capabilitiesOf, checkHello, HelloError, sessionIdOf } from './hello.ts';
import { NETCONF_LIMITS } from './limits.ts';
import { renderErrors } from './rpc-error.ts';
import type { RpcResult } from './rpcs.ts';
import { executeRpc } from './rpcs.ts';

export interface SessionParts {
  readonly transport: Duplex;
  /** The library's end of the socketpair. */
  readonly libraryDescriptor: number;
  readonly user: string;
  readonly context: YangContext;
  readonly operations: Operations;
  readonly log: Log;
  readonly killSession: (session: number) => void;
  /** The hello exchange is done: the session has its id. */
  readonly onOpen: (session: number) => void;
  readonly onEnd: (session: number | undefined) => void;
}

/** A request that the library is working on. */
interface Request {
  readonly envelope: Envelope;
  /** Text that takes the place of the reference in the reply. */
  contents: Iterable<string> | undefined;
  /** Ends what `contents` reads from. */
  release: () => void;
}

const REFERENCE = `<reference xmlns="${REFERENCE_NAMESPACE}">1</reference>`;
const OPEN_TAG = /^\s*(?:<\?xml[^>]*\?>\s*)?<rpc-reply[^>]*>/;
/** Faults of an operation's parameters, by libyang's code (RFC 6241 appendix A). */
const PARAMETER_TAGS: Readonly<Record<string, ErrorTag>> = {
  unknown: 'unknown-element',
  mandatory: 'missing-element',
  'mandatory-choice': 'missing-element',
  value: 'invalid-value',
  duplicate: 'bad-element',
};

export class GuardedSession {
  readonly #parts: SessionParts;
  readonly #library: Socket;
  readonly #client: MessageReader;
  #framing: Framing = 'end-of-message';
  #sessionId: number | undefined;
  #caller: Caller | undefined;
  #helloSeen = false;
  #messages: Buffer[] = [];
  #request: Request | undefined;
  #answered: (() => void) | undefined;
  #isWorking = false;
  #isEnded = false;
  #isClosing = false;
  #timer: NodeJS.Timeout;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#library = new Socket({ fd: parts.libraryDescriptor, readable: true, writable: true });
    this.#client = new MessageReader(NETCONF_LIMITS.helloOctets, (message) => this.#onMessage(message));
    const library = new MessageReader(Number.MAX_SAFE_INTEGER, (message) =>
      this.#onLibrary(message.toString('utf8'), library),
    );
    this.#library.on('data', (octets: Buffer) => library.push(octets));
    this.#library.on('error', () => undefined);
    this.#library.on('close', () => void this.#finish());
    const { transport } = parts;
    transport.on('data', (octets: Buffer) => this.#onOctets(octets));
    transport.on('error', () => this.end());
    transport.on('end', () => this.end());
    transport.on('close', () => this.end());
    this.#timer = setTimeout(() => this.#drop('no hello came in time'), NETCONF_LIMITS.helloMs);
  }

  /** NETCONF session-id; undefined before the hello. */
  get sessionId(): number | undefined {
    return this.#sessionId;
  }

  /** Ends the session at once, whatever is under way. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#request?.release();
    this.#answered?.();
    this.#library.destroy();
    this.#parts.transport.destroy();
    this.#parts.onEnd(this.#helloSeen ? this.#sessionId : undefined);
  }

  /** The library calls back for the operation of the request under way. */
  async onRpc(reply: RpcReply): Promise<void> {
    const request = this.#request;
    const caller = this.#caller;
    if (!request || !caller) return reply.errors(renderErrors(undefined, this.#parts.operations.schema));
    const { operations, killSession, log } = this.#parts;
    try {
      const result = await executeRpc({ operations, caller, killSession }, request.envelope);
      if (request.envelope.operation.name === 'close-session' && request.envelope.module === 'ietf-netconf')
        this.#isClosing = true;
      this.#answer(reply, request, result);
    } catch (error) {
      if (!(error instanceof ManagementError)) log.error({ error }, 'a NETCONF operation failed');
      reply.errors(renderErrors(error, operations.schema));
    }
  }

  #answer(reply: RpcReply, request: Request, result: RpcResult): void {
    if (result.kind === 'ok') reply.ok();
    else if (result.kind === 'output') reply.data(result.xml);
    else if (result.kind === 'text') {
      request.contents = [result.text];
      reply.data(`<data xmlns="${result.namespace}">${REFERENCE}</data>`);
    } else {
      const { reading } = result;
      request.contents = writeXml(reading.root.children(), reading.rows);
      request.release = () => reading.close();
      reply.data(`<data xmlns="${NETCONF_NAMESPACE}">${REFERENCE}</data>`);
    }
  }

  #onOctets(octets: Buffer): void {
    if (this.#isEnded) return;
    try {
      this.#client.push(octets);
    } catch (error) {
      if (error instanceof FramingError || error instanceof HelloError || error instanceof ManagementError) {
        this.#drop(error.message);
      } else throw error;
    }
    if (this.#messages.length >= NETCONF_LIMITS.waiting) this.#parts.transport.pause();
  }

  #drop(reason: string): void {
    this.#parts.log.info({ user: this.#parts.user, session: this.#sessionId, reason }, 'a NETCONF session was ended');
    this.end();
  }

  #onMessage(message: Buffer): void {
    if (!this.#helloSeen) this.#onHello(message);
    else {
      this.#messages.push(message);
      void this.#work();
    }
  }

  #onHello(message: Buffer): void {
    this.#framing = checkHello(parseXml(message.toString('utf8')));
    this.#helloSeen = true;
    this.#client.framing = this.#framing;
    this.#client.limit = NETCONF_LIMITS.messageOctets;
    clearTimeout(this.#timer);
    this.#library.write(CANONICAL_HELLO);
    if (this.#sessionId !== undefined) this.#open(this.#sessionId);
    this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#drop('it was idle for too long'), NETCONF_LIMITS.idleMs);
    this.#timer.unref();
  }

  #onLibrary(message: string, reader: MessageReader): void {
    if (this.#sessionId !== undefined) {
      void this.#onReply(message);
      return;
    }
    this.#sessionId = sessionIdOf(message);
    this.#parts.operations.capabilities = capabilitiesOf(message);
    this.#caller = { user: this.#parts.user, session: this.#sessionId, face: 'netconf' };
    reader.framing = 'chunked';
    this.#parts.transport.write(`${message}]]>]]>`);
    if (this.#helloSeen) this.#open(this.#sessionId);
  }

  #open(session: number): void {
    this.#parts.onOpen(session);
    void this.#work();
  }

  /** Takes the messages one after the other. */
  async #work(): Promise<void> {
    if (this.#isWorking || this.#sessionId === undefined) return;
    this.#isWorking = true;
    for (let message = this.#messages.shift(); message && !this.#isEnded; message = this.#messages.shift()) {
      clearTimeout(this.#timer);
      await this.#carryOut(message);
      if (this.#parts.transport.isPaused() && !this.#isEnded) this.#parts.transport.resume();
    }
    this.#isWorking = false;
    if (!this.#isEnded) this.#watch();
  }

  async #carryOut(message: Buffer): Promise<void> {
    let rpc: XmlElement | undefined;
    try {
      rpc = parseXml(decode(message));
      const envelope = openEnvelope(rpc, this.#parts.operations.schema);
      const shell = shellOf(envelope.operation);
      this.#checkParameters(envelope, shell);
      await this.#ask({ envelope, contents: undefined, release: () => undefined }, shell);
    } catch (error) {
      if (!(error instanceof ManagementError)) throw error;
      const tag = rpc?.name === 'rpc' ? replyTag(rpc) : `<rpc-reply xmlns="${NETCONF_NAMESPACE}">`;
      await this.#send([tag, renderErrors(error, this.#parts.operations.schema), '</rpc-reply>']);
    }
  }

  #checkParameters({ operation, module }: Envelope, shell: string): void {
    const faults = this.#parts.context.checkOperation(shell).filter(({ code }) => code !== 'leafref');
    const errors = faults.map(({ code, message, path, appTag }) => {
      const name = path.slice(path.lastIndexOf('/') + 1).replace(/^[^:]*:/, '');
      return new ManagementError(PARAMETER_TAGS[code] ?? 'operation-failed', {
        type: module === '' ? 'application' : 'protocol',
        message: `${operation.name}: ${message}`,
        appTag,
        path,
        info: { 'bad-element': missingName(message) ?? (name || operation.name) },
      });
    });
    const [first, ...others] = errors;
    if (first) throw new ManagementError(first.tag, first, others);
  }

  /** Hands a request to the library and waits until its reply is out. */
  async #ask(request: Request, shell: string): Promise<void> {
    this.#request = request;
    const done = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    const text = `<rpc xmlns="${NETCONF_NAMESPACE}" message-id="1">${shell}</rpc>`;
    this.#library.write(Buffer.concat([framePiece(text, 'chunked'), frameEnd('chunked')]));
    await done;
    this.#answered = undefined;
    this.#request = undefined;
  }

  async #onReply(message: string): Promise<void> {
    const request = this.#request;
    if (!request) return;
    const body = message.replace(OPEN_TAG, '');
    const { replyTag: tag } = request.envelope;
    const at = request.contents ? body.indexOf(REFERENCE) : -1;
    try {
      if (!request.contents || at < 0) await this.#send([tag, body]);
      else await this.#send(around(tag + body.slice(0, at), request.contents, body.slice(at + REFERENCE.length)));
    } finally {
      request.release();
      this.#answered?.();
    }
    if (this.#isClosing) await this.#finish();
  }

  /** Writes one message piece by piece, as fast as the client reads. */
  async #send(pieces: Iterable<string>): Promise<void> {
    const { transport } = this.#parts;
    let gathered = '';
    try {
      for (const piece of pieces) {
        gathered += piece;
        if (gathered.length < 16_384) continue;
        if (!(await this.#write(framePiece(gathered, this.#framing)))) return;
        gathered = '';
      }
    } catch (error) {
      // The reply has begun and cannot become an error any more.
      this.#drop(`a reply could not be finished: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (!this.#isEnded && !transport.destroyed) {
      await this.#write(Buffer.concat([framePiece(gathered, this.#framing), frameEnd(this.#framing)]));
    }
  }

  /** Whether it was taken; a client that leaves it unread for too long is dropped. */
  async #write(octets: Buffer): Promise<boolean> {
    const { transport } = this.#parts;
    if (this.#isEnded || transport.destroyed) return false;
    if (transport.write(octets)) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#drop('it does not read its answers');
        settle(false);
      }, NETCONF_LIMITS.unreadMs);
      const settle = (taken: boolean) => {
        clearTimeout(timer);
        transport.off('drain', onDrain);
        transport.off('close', onClose);
        resolve(taken);
      };
      const onDrain = () => settle(true);
      const onClose = () => settle(false);
      transport.once('drain', onDrain);
      transport.once('close', onClose);
    });
  }

  /** The library closed its end: what was written is let out, then the transport ends. */
  async #finish(): Promise<void> {
    if (this.#isEnded) return;
    this.#parts.transport.end(() => this.end());
    setTimeout(() => this.end(), 1_000).unref();
  }
}

function* around(before: string, contents: Iterable<string>, after: string): Generator<string> {
  yield before;
  yield* contents;
  yield after;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function decode(message: Buffer): string {
  try {
    return UTF8.decode(message);
  } catch {
    throw new ManagementError('malformed-message', { type: 'rpc', message: 'the message is not valid UTF-8' });
  }
}

/** The node that libyang's message about a missing one names. */
function missingName(message: string): string | undefined {
  return /Mandatory (?:node|choice) "([^"]+)"/.exec(message)?.[1];
}

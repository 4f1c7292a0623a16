/**
 * The guard of one session (design: libnetconf2 never reads a socket). Between the client's transport and the library's
 * end of a socketpair:
 *
 *   1. octets become messages                       incoming.ts, framing.ts
 *   2. the hello is checked, the library's passed on hello.ts
 *   3. a message is parsed, its envelope checked     envelope.ts; a fault is answered here
 *   4. the library gets the operation and calls back: the handler runs on the contents as they came   rpcs.ts
 *   5. the library's reply goes out in the client's framing; data that was kept apart is streamed into it
 *
 * One request is under way at a time; others wait in order.
 */

import type { Duplex } from 'node:stream';
import type { RpcReply, ValidationFault } from 'netconf-server';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import { tellDamage } from '../../state/damage.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { ConfigFiles } from '../config-files.ts';
import type { TerminationReason } from '../events/sources.ts';
import type { RpcCounters } from '../netconf-statistics.ts';
import type { Operations } from '../operations.ts';
import type { Piece } from '../pause.ts';
import type { Ending as SubscriptionEnding } from '../subscriptions/dynamic-subscription.ts';
import type { XmlElement } from '../xml.ts';
import { NETCONF_NAMESPACE, writeXml } from '../xml-data.ts';
import type { Envelope } from './envelope.ts';
import { openEnvelope, REFERENCE_NAMESPACE, replyTag, shellOf } from './envelope.ts';
import type { Framing } from './framing.ts';
import { frameEnd, framePiece, MessageReader } from './framing.ts';
import type { HeldMemory, HeldMessages } from './held-memory.ts';
import { CANONICAL_HELLO, capabilitiesOf, sessionIdOf } from './hello.ts';
import type { Message } from './incoming.ts';
import { heldBy, Incoming, readMessage } from './incoming.ts';
import { refuseFaults, refuseLongPaths } from './parameters.ts';
import { renderErrors } from './rpc-error.ts';
import type { Contents, RpcResult } from './rpcs.ts';
import { executeRpc, readContents } from './rpcs.ts';
import { Sender } from './sender.ts';
import { SessionNotifications } from './subscription.ts';

/** How a session ended, for those who are told. */
export interface Ending {
  readonly reason: TerminationReason;
  /** The session that killed it. */
  readonly killedBy: number | undefined;
  /** The id it was given, also when it never said a good hello. */
  readonly session: number | undefined;
}

export interface SessionParts {
  readonly transport: Duplex;
  /** What the transport says besides when a session ends in order, before its end. */
  readonly farewell?: (() => void) | undefined;
  /** Our end of the pair whose other end the library has. */
  readonly library: Duplex;
  readonly user: string;
  readonly face: 'netconf' | 'local';
  /** Address of the client, where it has one. */
  readonly source?: string | undefined;
  /** What libyang finds wrong with an operation. */
  readonly checkOperation: (xml: string) => readonly ValidationFault[];
  readonly operations: Operations;
  readonly limits: NetconfLimits;
  /** What the messages of all sessions take. */
  readonly memory: HeldMemory;
  readonly log: Log;
  readonly counters: RpcCounters;
  readonly killSession: (session: number) => void;
  /** What URLs mean; undefined without :url. */
  readonly files?: ConfigFiles | undefined;
  /** The hello exchange is done: the session has its id. */
  readonly onOpen: (session: number) => void;
  /** Called once; `session` is undefined when the hello exchange was never done. */
  readonly onEnd: (session: number | undefined, ending: Ending) => void;
}

/** A request that the library is working on. */
interface Request {
  readonly envelope: Envelope;
  /** What it holds, read while the library works. */
  asked: Contents | undefined;
  /** Text that takes the place of the reference in the reply. */
  contents: Iterable<Piece> | undefined;
  /** Ends what `contents` reads from. */
  release: () => void;
}

/** Where contents go: the reference, or in the answer of an operation with an output of its own the word that all is well. */
const OK = '<ok/>';
const REFERENCE = `<reference xmlns="${REFERENCE_NAMESPACE}">1</reference>`;
const OPEN_TAG = /^\s*(?:<\?xml[^>]*\?>\s*)?<rpc-reply[^>]*>/;
const HELLO_END = frameEnd('end-of-message').toString();
/** After the last answer: time for the client to take it before the transport is cut. */
const LAST_WORDS_MS = 1_000;

export class GuardedSession {
  readonly #parts: SessionParts;
  readonly #client: Incoming;
  readonly #sender: Sender;
  readonly #notifications: SessionNotifications;
  #sessionId: number | undefined;
  #caller: Caller | undefined;
  #messages: Message[] = [];
  readonly #held: HeldMessages;
  /** Octets of memory of the message that is carried out. */
  #carried = 0;
  #request: Request | undefined;
  #answered: (() => void) | undefined;
  #isWorking = false;
  #isEnded = false;
  /** Nothing further is read or carried out: the session ends with the answer under way. */
  #isClosing = false;
  /** The client sends nothing more: the session ends with the last answer. */
  #isInputOver = false;
  #isReplying = false;
  #reason: TerminationReason = 'dropped';
  #timer: NodeJS.Timeout;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { transport, library, limits } = parts;
    this.#client = new Incoming({
      limits,
      onHello: (framing) => this.#onHello(framing),
      onMessage: (message) => this.#onMessage(message),
    });
    this.#held = parts.memory.join(() => this.#giveUp());
    this.#sender = new Sender(transport, limits.unreadMs, () => this.#drop('it does not read its answers', 'other'));
    this.#notifications = new SessionNotifications({
      operations: parts.operations,
      sender: this.#sender,
      counters: parts.counters,
      unreadMs: limits.unreadMs,
      onEnd: (why, error) => this.#onSubscriptionEnd(why, error),
    });
    const reader: MessageReader = new MessageReader(Number.MAX_SAFE_INTEGER, (message) =>
      this.#onLibrary(message.toString('utf8'), reader),
    );
    library.on('data', (octets: Buffer) => reader.push(octets));
    library.on('error', () => undefined);
    library.on('close', () => this.#onLibraryClosed());
    transport.on('data', (octets: Buffer) => this.#onOctets(octets));
    transport.on('error', () => this.end());
    transport.on('end', () => this.#onLastOctet());
    transport.on('close', () => this.end());
    this.#timer = setTimeout(() => this.#drop('no hello came in time', 'timeout'), limits.helloMs);
  }

  /** NETCONF session-id; undefined before the hello. */
  get sessionId(): number | undefined {
    return this.#sessionId;
  }

  /** Ends the session at once, whatever is under way. */
  end(reason: TerminationReason = this.#reason, killedBy?: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#notifications.close();
    clearTimeout(this.#timer);
    this.#messages = [];
    this.#held.end();
    this.#request?.release();
    this.#answered?.();
    this.#parts.library.destroy();
    this.#parts.transport.destroy();
    const session = this.#sessionId;
    this.#parts.onEnd(this.#caller && this.#client.hasGreeted ? session : undefined, { reason, killedBy, session });
  }

  /** Ends the session once what is under way is answered; what waits behind it is not carried out. */
  endAfterAnswer(reason: TerminationReason): void {
    if (!this.#isWorking) {
      this.end(reason);
      return;
    }
    this.#isClosing = true;
    this.#reason = reason;
  }

  /** The library calls back for the operation of the request under way. */
  async onRpc(reply: RpcReply): Promise<void> {
    const request = this.#request;
    const caller = this.#caller;
    const { operations, killSession, files, limits, log } = this.#parts;
    // What an ended session asked for last would outlive it.
    if (!request || !caller || this.#isEnded) return reply.errors(renderErrors(undefined, operations.schema));
    try {
      const notifications = this.#notifications;
      const context = { operations, caller, killSession, notifications, files: files && { files, limits } };
      const result = await executeRpc(context, request.envelope, this.#askedIn(request));
      if (request.envelope.operation.name === 'close-session' && request.envelope.module === 'ietf-netconf') {
        this.#isClosing = true;
        this.#reason = 'closed';
      }
      this.#answer(reply, request, result);
    } catch (error) {
      if (!(error instanceof ManagementError)) log.error({ error }, 'a NETCONF operation failed');
      reply.errors(renderErrors(error, operations.schema));
    }
  }

  #answer(reply: RpcReply, request: Request, result: RpcResult): void {
    if (result.kind === 'ok') reply.ok();
    else if (result.kind === 'output') {
      const { output, rows, close } = result.output;
      this.#stream(request, writeXml(output.children(), rows), () => close?.());
      reply.ok();
    } else if (result.kind === 'text') {
      request.contents = [result.text];
      reply.data(`<data xmlns="${result.namespace}">${REFERENCE}</data>`);
    } else {
      const { reading, namespace } = result;
      const data = writeXml(reading.root.children(), reading.rows);
      const isOutput = namespace !== NETCONF_NAMESPACE;
      const contents = isOutput ? around(`<data xmlns="${namespace}">`, data, '</data>') : data;
      this.#stream(request, contents, () => reading.close());
      if (isOutput) reply.ok();
      else reply.data(`<data xmlns="${namespace}">${REFERENCE}</data>`);
    }
  }

  /** Contents that are made while they are sent; `close` ends what they are made from. */
  #stream(request: Request, contents: Iterable<Piece>, close: () => void): void {
    request.contents = contents;
    request.release = once(close);
    // The session may have ended while it was opened.
    if (this.#isEnded) request.release();
  }

  #onOctets(octets: Buffer): void {
    if (this.#isEnded || this.#isClosing) return;
    const fault = this.#client.push(octets);
    if (fault !== undefined) this.#drop(fault, this.#client.hasGreeted ? 'other' : 'bad-hello');
    this.#noteHeld();
    if (this.#isFull) this.#parts.transport.pause();
  }

  #noteHeld(): void {
    const whole = this.#messages.reduce((sum, message) => sum + heldBy(message), this.#carried);
    this.#held.note(this.#client.held, whole);
  }

  #giveUp(): void {
    const { user, log } = this.#parts;
    log.warn({ user, session: this.#sessionId }, 'a NETCONF message was given up: those of all sessions take too much');
    this.#client.giveUp();
  }

  /** Whether so much waits that nothing more is to be read. */
  get #isFull(): boolean {
    const octets = this.#messages.reduce((sum, message) => sum + message.length, 0);
    return this.#messages.length >= this.#parts.limits.waiting || octets >= this.#parts.limits.waitingOctets;
  }

  #onLastOctet(): void {
    this.#isInputOver = true;
    // Before the library's hello the messages wait; it goes out in any case.
    if (this.#sessionId === undefined) return;
    if (!this.#isWorking && this.#messages.length === 0) this.#finish();
  }

  #onLibraryClosed(): void {
    this.#isClosing = true;
    if (!this.#isReplying) this.#answered?.();
    if (!this.#isWorking) this.#finish();
  }

  #drop(why: string, reason: TerminationReason): void {
    if (this.#isEnded) return;
    const { user, log } = this.#parts;
    log.info({ user, session: this.#sessionId, reason: why }, 'a NETCONF session was ended');
    this.end(reason);
  }

  #onSubscriptionEnd(why: SubscriptionEnding, error: unknown): void {
    if (error !== undefined) {
      this.#parts.log.error({ error }, 'a notification could not be made');
      tellDamage(error);
    }
    if (why === 'failed') this.#drop('its notifications could not be made', 'other');
    else if (why === 'slow') this.#drop('it does not read its notifications', 'other');
    else if (!this.#isWorking) this.#watch();
  }

  #onMessage(message: Message): void {
    this.#messages.push(message);
    void this.#work();
  }

  #onHello(framing: Framing): void {
    this.#sender.framing = framing;
    this.#parts.library.write(CANONICAL_HELLO);
    this.#watch();
    if (this.#sessionId !== undefined) this.#open(this.#sessionId);
  }

  #watch(): void {
    clearTimeout(this.#timer);
    // Whoever listens is not idle.
    if (this.#notifications.isActive) return;
    this.#timer = setTimeout(() => this.#drop('it was idle for too long', 'timeout'), this.#parts.limits.idleMs);
    this.#timer.unref();
  }

  #onLibrary(message: string, reader: MessageReader): void {
    if (this.#sessionId !== undefined) {
      void this.#onReply(message);
      return;
    }
    this.#sessionId = sessionIdOf(message);
    this.#parts.operations.capabilities = capabilitiesOf(message);
    const { user, face, source } = this.#parts;
    this.#caller = { user, session: this.#sessionId, face, source };
    reader.framing = 'chunked';
    this.#parts.transport.write(message + HELLO_END);
    if (this.#client.hasGreeted) this.#open(this.#sessionId);
    else if (this.#isInputOver) this.#finish();
  }

  #open(session: number): void {
    this.#parts.onOpen(session);
    void this.#work();
  }

  /** Takes the messages one after the other. */
  async #work(): Promise<void> {
    if (this.#isWorking || this.#sessionId === undefined) return;
    this.#isWorking = true;
    const { transport } = this.#parts;
    for (let message = this.#messages.shift(); message; message = this.#messages.shift()) {
      clearTimeout(this.#timer);
      this.#carried = heldBy(message);
      await this.#carryOut(message);
      this.#carried = 0;
      this.#noteHeld();
      if (this.#isClosing) this.#messages = [];
      if (transport.isPaused() && !this.#isFull && !this.#isEnded) transport.resume();
    }
    this.#isWorking = false;
    if (this.#isEnded) return;
    if (this.#isClosing || this.#isInputOver) this.#finish();
    else this.#watch();
  }

  async #carryOut(message: Message): Promise<void> {
    const { operations, checkOperation, limits, log, counters } = this.#parts;
    let rpc: XmlElement | undefined;
    let isCounted = false;
    try {
      rpc = readMessage(message, limits);
      const envelope = openEnvelope(rpc, operations.schema);
      counters.count('in-rpcs');
      isCounted = true;
      const shell = shellOf(envelope.operation);
      refuseLong(shell, limits.operationCharacters);
      refuseLongPaths(envelope, operations.schema);
      refuseFaults(envelope, checkOperation(shell));
      await this.#ask({ envelope, asked: undefined, contents: undefined, release: () => undefined }, shell);
    } catch (error) {
      if (!(error instanceof ManagementError)) log.error({ error }, 'a NETCONF request failed');
      if (!isCounted) counters.count(isRpcFault(error) ? 'in-bad-rpcs' : 'in-rpcs');
      counters.count('out-rpc-errors');
      const tag = rpc?.name === 'rpc' ? replyTag(rpc) : `<rpc-reply xmlns="${NETCONF_NAMESPACE}">`;
      await this.#sender.send([tag, renderErrors(error, operations.schema), '</rpc-reply>']);
    }
  }

  /** Hands a request to the library and waits until its reply is out. */
  async #ask(request: Request, shell: string): Promise<void> {
    if (this.#isEnded) return;
    this.#request = request;
    const done = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    const text = `<rpc xmlns="${NETCONF_NAMESPACE}" message-id="1">${shell}</rpc>`;
    this.#parts.library.write(Buffer.concat([framePiece(text, 'chunked'), frameEnd('chunked')]));
    this.#askedIn(request);
    await done;
    this.#answered = undefined;
    this.#request = undefined;
  }

  #askedIn(request: Request): Contents {
    request.asked ??= readContents(this.#parts.operations, request.envelope);
    return request.asked;
  }

  async #onReply(message: string): Promise<void> {
    const request = this.#request;
    if (!request) return;
    const body = message.replace(OPEN_TAG, '');
    const { replyTag: tag } = request.envelope;
    const mark = body.includes(REFERENCE) ? REFERENCE : OK;
    const at = request.contents ? body.indexOf(mark) : -1;
    this.#isReplying = true;
    if (body.includes('<rpc-error')) this.#parts.counters.count('out-rpc-errors');
    try {
      if (!request.contents || at < 0) await this.#sender.send([tag, body]);
      else await this.#sender.send(around(tag + body.slice(0, at), request.contents, body.slice(at + mark.length)));
      this.#notifications.begin();
    } catch (error) {
      this.#parts.log.error({ error }, 'a NETCONF reply could not be finished');
      tellDamage(error);
      // Once it has begun it cannot become an error any more.
      if (this.#sender.hasBegun) this.end();
      else {
        this.#parts.counters.count('out-rpc-errors');
        await this.#sender.send([tag, renderErrors(error, this.#parts.operations.schema), '</rpc-reply>']);
      }
    } finally {
      this.#isReplying = false;
      request.release();
      this.#answered?.();
    }
  }

  /** Lets out what was written, then ends. */
  #finish(): void {
    if (this.#isEnded) return;
    const { transport, farewell } = this.#parts;
    const leave = () => transport.end(() => this.end());
    // Behind the last answer: who gets it earlier may take it for the end.
    if (farewell)
      transport.write('', () => {
        farewell();
        leave();
      });
    else leave();
    setTimeout(() => this.end(), LAST_WORDS_MS).unref();
  }
}

/** Whether a message was no correct rpc: what is wrong with its operation is none of the rpc layer. */
function isRpcFault(error: unknown): boolean {
  return error instanceof ManagementError && error.type === 'rpc';
}

/** The library and libyang read it at a stretch, and nobody else has a turn meanwhile. */
function refuseLong(shell: string, limit: number): void {
  if (shell.length <= limit) return;
  const message = `the operation has more than ${limit} characters beside its config and filter`;
  throw new ManagementError('too-big', { type: 'protocol', message });
}

function* around(before: string, contents: Iterable<Piece>, after: string): Generator<Piece> {
  yield before;
  yield* contents;
  yield after;
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

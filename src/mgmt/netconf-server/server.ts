/**
 * The session and message layer of a NETCONF server, by libnetconf2: one thread a session, RPCs to JavaScript.
 *
 * What goes into a session's descriptor must be complete, valid and canonical: the guard sees to that. Bytes and
 * framing are the guard's; the message-id, the envelope of replies and their order are the library's.
 */

import { handleOf, type YangContext } from './context.ts';
import { native, type ServerHandle } from './native.ts';

export type WithDefaultsMode = 'report-all' | 'report-all-tagged' | 'trim' | 'explicit';

/** The answer to one RPC: exactly one call of one method; a second one throws an Error with code ALREADY_ANSWERED. */
export interface RpcReply {
  ok(): void;
  /**
   * Output nodes of the operation. If that is one anyxml (`data` of get, get-config, get-schema) whose start tag has
   * no attribute but xmlns, its content goes out unchanged; anything else is parsed against the schema. No output at
   * all is sent as ok (RFC 7950 §7.14.4).
   * @throws Error with code YANG_DATA, before anything is answered, for a character that XML cannot hold.
   */
  data(xml: string): void;
  /** One or more complete rpc-error elements in the base namespace; the order of their children is kept. */
  errors(xml: string): void;
}

export interface Rpc {
  /** Handle of the session, as `accept` gave it. */
  readonly session: number;
  readonly operation: string;
  readonly module: string;
  /** The operation element as libyang prints what it parsed; an action inside its data nodes. */
  readonly xml: string;
  readonly reply: RpcReply;
}

export interface SessionHandlers {
  /** One parsed RPC. If this throws, the client gets operation-failed and the error is thrown on. */
  onRpc(rpc: Rpc): void;
  /** The session is gone; once for every accepted one. */
  onClosed(session: number, reason: string): void;
}

export interface ServerOptions extends SessionHandlers {
  /** Advertised beside those that the library derives from modules and features. */
  readonly capabilities: readonly string[];
  readonly withDefaults?: {
    readonly basic: Exclude<WithDefaultsMode, 'report-all-tagged'>;
    readonly also: readonly WithDefaultsMode[];
  };
  /** An RPC that JavaScript has not started after this time is answered operation-failed and never started. */
  readonly pickUpMs: number;
}

const EVENT = { rpc: 0, end: 1, closed: 2 } as const;
const REPLY = { ok: 0, data: 1, errors: 2 } as const;

const HANDLER_FAILED =
  '<rpc-error xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><error-type>application</error-type>' +
  '<error-tag>operation-failed</error-tag><error-severity>error</error-severity>' +
  '<error-message xml:lang="en">The server failed while it carried out the operation.</error-message></rpc-error>';

/** One per process: libnetconf2 keeps its state globally. The process stays alive until `close` has ended. */
export class NetconfServer {
  readonly #handle: ServerHandle;
  readonly #handlers: SessionHandlers;
  #closed: Promise<void> | undefined;
  #whenClosed: () => void = () => {};

  /** @throws Error with code SERVER_EXISTS, or YANG_CONTEXT when the context is closed. */
  constructor(context: YangContext, options: ServerOptions) {
    this.#handlers = options;
    this.#handle = native().openServer(
      handleOf(context),
      options.capabilities,
      options.withDefaults?.basic ?? '',
      options.withDefaults?.also ?? [],
      options.pickUpMs,
      (kind, session, sequence, operation, module, text) => {
        if (kind === EVENT.rpc) this.#onRpc(session, sequence, operation, module, text);
        else if (kind === EVENT.end) this.#handlers.onClosed(session, text);
        else this.#whenClosed();
      },
    );
  }

  /**
   * Starts a session for a user who is authenticated. The server's hello comes out of `fd` at once; the caller owns
   * `fd` (for `new net.Socket({ fd })`). Closing it ends the session.
   * @throws Error with code SERVER_CLOSED or SESSION_RESOURCES.
   */
  accept(options: { readonly user: string }): { readonly fd: number; readonly session: number } {
    const [fd, session] = native().acceptSession(this.#handle, options.user);
    return { fd, session };
  }

  /**
   * Sends a notification in order with the session's replies. A session that is gone ignores it; one that leaves
   * 4096 of them unread is ended.
   * @throws Error with code YANG_DATA when `xml` is no notification of the schema.
   */
  notify(session: number, xml: string, eventTime: string): void {
    native().notifySession(this.#handle, session, xml, eventTime);
  }

  /** Ends a session at once, without a word to its client; `onClosed` follows. An unknown session is ignored. */
  terminate(session: number): void {
    native().terminateSession(this.#handle, session);
  }

  /** Ends all sessions, waits for started operations and for the threads, then frees the server. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#whenClosed = resolve;
      native().closeServer(this.#handle);
    });
    return this.#closed;
  }

  #onRpc(session: number, sequence: number, operation: string, module: string, xml: string): void {
    let answered = false;
    const answer = (kind: number, content: string): void => {
      if (answered) {
        const message = `The RPC ${operation} of session ${session} is answered already.`;
        throw Object.assign(new Error(message), { code: 'ALREADY_ANSWERED' });
      }
      native().answerRpc(this.#handle, session, sequence, kind, content);
      answered = true;
    };
    const reply: RpcReply = {
      ok: () => answer(REPLY.ok, ''),
      data: (content) => answer(REPLY.data, content),
      errors: (content) => answer(REPLY.errors, content),
    };
    try {
      this.#handlers.onRpc({ session, operation, module, xml, reply });
    } catch (error) {
      if (!answered) answer(REPLY.errors, HANDLER_FAILED);
      throw error;
    }
  }
}

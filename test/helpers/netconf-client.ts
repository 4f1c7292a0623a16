/** A NETCONF client of raw octets, for tests: what goes out is exactly what the test says. */

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { connect as tlsConnect } from 'node:tls';
import ssh2 from 'ssh2';
import { type Framing, frameEnd, framePiece, MessageReader } from '../../src/mgmt/netconf/framing.ts';

export const NC = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"';
const WAIT_MS = 60_000;
/** Operations behind which notifications may come at any time. */
const SUBSCRIBES = /<(?:create|establish)-subscription[ >/]/;

export class RawClient {
  readonly #transport: Duplex;
  readonly #reader: MessageReader;
  readonly #messages: string[] = [];
  #wake: (() => void) | undefined;
  #framing: Framing = 'end-of-message';
  #isSubscribed = false;
  isClosed = false;
  hello = '';

  private constructor(transport: Duplex) {
    this.#transport = transport;
    this.#reader = new MessageReader(Number.MAX_SAFE_INTEGER, (message) => {
      this.#messages.push(message.toString());
      this.#wake?.();
    });
    transport.on('data', (octets: Buffer) => this.#reader.push(octets));
    transport.on('error', () => undefined);
    for (const event of ['close', 'end'] as const) {
      transport.on(event, () => {
        this.isClosed = true;
        this.#wake?.();
      });
    }
  }

  /** A client on the local socket; the hello of the server is read, none is sent. */
  static async local(path: string): Promise<RawClient> {
    const client = new RawClient(connect(path));
    client.hello = await client.receive();
    return client;
  }

  /** A client on a transport that is open and has a session, such as TLS. */
  static async on(transport: Duplex): Promise<RawClient> {
    const client = new RawClient(transport);
    client.hello = await client.receive();
    return client;
  }

  /** A client over TLS. @throws Error when the handshake fails before a certificate is asked for */
  static async tls(port: number, options: ConnectionOptions & { localAddress?: string }): Promise<RawClient> {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
    return RawClient.on(socket);
  }

  /** A client through the SSH subsystem. */
  static async ssh(
    port: number,
    user: string,
    credentials: ({ password: string } | { privateKey: string }) & { localAddress?: string },
  ): Promise<RawClient> {
    const connection = new ssh2.Client();
    await new Promise<void>((resolve, reject) => {
      connection.once('ready', resolve).on('error', reject);
      // Without ssh2's native ciphers a message goes in two writes, and Nagle's algorithm holds the second for 40 ms.
      connection.once('connect', () => connection.setNoDelay(true));
      connection.connect({ host: '127.0.0.1', port, username: user, ...credentials });
    });
    const client = await RawClient.over(connection);
    client.#transport.on('close', () => connection.end());
    return client;
  }

  /** A client through the subsystem of a connection, which others may share. */
  static async over(connection: ssh2.Client): Promise<RawClient> {
    const channel = await new Promise<Duplex>((resolve, reject) => {
      connection.subsys('netconf', (error, stream) => (error ? reject(error) : resolve(stream)));
    });
    const client = new RawClient(channel);
    client.hello = await client.receive();
    return client;
  }

  /** Sends our hello with these versions and goes on with the framing they mean. */
  greet(...versions: readonly ('1.0' | '1.1')[]): this {
    const capabilities = versions.map((version) => `<capability>urn:ietf:params:netconf:base:${version}</capability>`);
    this.write(`<hello ${NC}><capabilities>${capabilities.join('')}</capabilities></hello>]]>]]>`);
    return this.speak(versions.includes('1.1') ? 'chunked' : 'end-of-message');
  }

  /** Goes on with a framing, after a hello that was written by hand. */
  speak(framing: Framing): this {
    this.#framing = framing;
    this.#reader.framing = framing;
    return this;
  }

  write(octets: string | Buffer): void {
    this.#transport.write(octets);
  }

  /** Sends one message in the framing of the session; octets as one chunk. */
  send(message: string | Buffer): void {
    const framed =
      typeof message === 'string'
        ? [framePiece(message, this.#framing)]
        : [Buffer.from(this.#framing === 'chunked' ? `\n#${message.length}\n` : ''), message];
    this.write(Buffer.concat([...framed, frameEnd(this.#framing)]));
  }

  /**
   * One operation in an rpc with a message-id; its reply. Notifications of an earlier subscription that come before it are left to
   * `receive`.
   */
  async rpc(operation: string, id = '1'): Promise<string> {
    this.send(`<rpc ${NC} message-id="${id}">${operation}</rpc>`);
    const [wasSubscribed, before] = [this.#isSubscribed, [] as string[]];
    this.#isSubscribed ||= SUBSCRIBES.test(operation);
    let reply = await this.receive();
    while (wasSubscribed && reply.startsWith('<notification')) {
      before.push(reply);
      reply = await this.receive();
    }
    this.#messages.unshift(...before);
    return reply;
  }

  /** The next message; '' when the server has closed. */
  async receive(waitMs = WAIT_MS): Promise<string> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.isClosed) return '';
      if (Date.now() > deadline) throw new Error('no message came in time');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Whether the server closes within the time. */
  async closes(): Promise<boolean> {
    const deadline = Date.now() + WAIT_MS;
    while (!this.isClosed && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.isClosed;
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#transport.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#transport.resume();
  }

  end(): void {
    this.#transport.destroy();
  }
}

/** What a reply says: `ok`, `data`, or the error-tags in order. */
export function outcome(reply: string): string {
  const tags = [...reply.matchAll(/<error-tag>([^<]+)<\/error-tag>/g)].map(([, tag]) => tag);
  if (tags.length > 0) return tags.join(' ');
  return reply.includes('<ok/>') ? 'ok' : /<data[ >/]/.test(reply) ? 'data' : 'nothing';
}

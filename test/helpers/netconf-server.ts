/**
 * A NETCONF server of netconf-server and raw clients of it, for tests: octets over the socketpair, no guard between.
 */

import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { NetconfServer, type ServerOptions, YangContext } from 'netconf-server';
import { YANG_SEARCH_DIRS } from '../../src/mgmt/yang-modules.ts';

const WAIT_MS = 30_000;
export const SEARCH_DIRS = [...YANG_SEARCH_DIRS, 'test/fixtures/yang'];
export const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
export const NC = `xmlns="${BASE}"`;
export const PROBE = 'xmlns="urn:probe"';
export const HELLO = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>`;
export const ADD = `<add ${PROBE}><a>1</a></add>`;
export const CLOSE = `<close-session ${NC}/>`;
export const BELL = (times: number): string => `<bell ${PROBE}><times>${times}</times></bell>`;

export const framed = (message: string): string => `\n#${Buffer.byteLength(message)}\n${message}\n##\n`;
export const rpc = (id: string | number, content: string): string =>
  framed(`<rpc ${NC} message-id="${id}">${content}</rpc>`);
export const reply = (id: string | number, content: string): string =>
  `<rpc-reply ${NC} message-id="${id}">${content}</rpc-reply>`;
export const notification = (time: string, content: string): string =>
  `<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>${time}</eventTime>${content}</notification>`;

/** What the library answers by itself when JavaScript gives it nothing to say. */
export const failed = (message: string): string =>
  `<rpc-error><error-type>application</error-type><error-tag>operation-failed</error-tag><error-severity>error</error-severity>` +
  `<error-message xml:lang="en">${message}</error-message></rpc-error>`;

/** The client's end: collects whole messages, after the hello in base:1.1 framing. */
export class Client {
  readonly session: number;
  readonly fd: number;
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #received = '';
  #taken = 0;

  constructor(server: NetconfServer) {
    const { fd, session } = server.accept({ user: 'admin' });
    this.session = session;
    this.fd = fd;
    this.socket = new Socket({ fd });
    this.socket.setEncoding('utf8').on('error', () => {});
    this.socket.on('data', (text: string) => {
      this.#received += text;
    });
    this.ended = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  /** The next `count` messages, in the order of arrival. */
  async take(count: number, pattern = /\n#\d+\n([\s\S]*?)\n##\n/g): Promise<string[]> {
    const until = Date.now() + WAIT_MS;
    for (;;) {
      const found = [...this.#received.slice(this.#taken).matchAll(pattern)].slice(0, count);
      if (found.length === count) {
        const last = found.at(-1);
        this.#taken += (last?.index ?? 0) + (last?.[0].length ?? 0);
        return found.map((match) => match[1] ?? '');
      }
      if (Date.now() > until) throw new Error(`${found.length} of ${count} messages came: ${this.#received}`);
      await delay(1);
    }
  }

  async hello(): Promise<string> {
    this.socket.write(HELLO);
    const [hello = ''] = await this.take(1, /^([\s\S]*?)\]\]>\]\]>/g);
    return hello;
  }

  async call(id: string | number, content: string): Promise<string> {
    this.socket.write(rpc(id, content));
    const [message = ''] = await this.take(1);
    return message;
  }
}

export interface Setting {
  readonly context: YangContext;
  readonly server: NetconfServer;
  readonly ends: Map<number, string>;
  connect(): Promise<Client>;
  /** Until `condition` holds; fails after thirty seconds. */
  until(condition: () => boolean): Promise<void>;
}

export async function withServer(
  options: Partial<ServerOptions>,
  body: (setting: Setting) => Promise<void>,
): Promise<void> {
  const context = new YangContext({
    searchDirs: SEARCH_DIRS,
    modules: [
      { name: 'probe', features: ['lit'] },
      { name: 'ietf-netconf', features: ['candidate'] },
      { name: 'ietf-netconf-monitoring', features: [] },
    ],
  });
  const ends = new Map<number, string>();
  const server = new NetconfServer(context, {
    capabilities: [],
    pickUpMs: 2_000,
    onRpc: ({ reply }) => reply.ok(),
    onClosed: (session, reason) => ends.set(session, reason),
    ...options,
  });
  const sockets: Socket[] = [];
  const setting: Setting = {
    context,
    server,
    ends,
    async connect() {
      const client = new Client(server);
      sockets.push(client.socket);
      await client.hello();
      return client;
    },
    async until(condition) {
      for (const end = Date.now() + WAIT_MS; !condition(); await delay(1)) {
        if (Date.now() > end) throw new Error(`never happened: ${condition}`);
      }
    },
  };
  try {
    await body(setting);
  } finally {
    for (const socket of sockets) socket.destroy();
    await server.close();
    context.close();
  }
}

/**
 * A guard between a client and a library that is played by the test: both ends in memory, datastores of their own. The
 * library answers as libnetconf2 does; libyang's check of operations is left out.
 */

import type { Duplex, DuplexOptions } from 'node:stream';
import { duplexPair } from 'node:stream';
import { pino } from 'pino';
import { AccessControl } from '../../src/mgmt/access.ts';
import { EventLog } from '../../src/mgmt/events/event-log.ts';
import { EventStreams } from '../../src/mgmt/events/streams.ts';
import { frameEnd, framePiece, MessageReader } from '../../src/mgmt/netconf/framing.ts';
import { HeldMemory } from '../../src/mgmt/netconf/held-memory.ts';
import { GuardedSession } from '../../src/mgmt/netconf/session.ts';
import { RpcCounters } from '../../src/mgmt/netconf-statistics.ts';
import { Operations } from '../../src/mgmt/operations.ts';
import type { StateData } from '../../src/mgmt/state-data.ts';
import type { NetconfLimits } from '../../src/netconf-limits.ts';
import { NETCONF_LIMITS } from '../../src/netconf-limits.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { aftr, binding, plainCheck, request, schema, withDatastores } from './state.ts';

export const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
export const SESSION_ID = 7;
export const LIBRARY_HELLO = `<hello xmlns="${BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities><session-id>${SESSION_ID}</session-id></hello>`;

export const clientHello = (version: '1.0' | '1.1'): string =>
  `<hello xmlns="${BASE}"><capabilities><capability>urn:ietf:params:netconf:base:${version}</capability></capabilities></hello>]]>]]>`;
export const chunked = (message: string): string => `\n#${Buffer.byteLength(message)}\n${message}\n##\n`;
export const rpc = (id: string | number, operation: string): string =>
  `<rpc xmlns="${BASE}" message-id="${id}">${operation}</rpc>`;
export const reply = (id: string | number, inside: string): string =>
  `<rpc-reply xmlns="${BASE}" message-id="${id}">${inside}</rpc-reply>`;
export const OK = '<ok/>';

export interface Guarded {
  readonly guard: GuardedSession;
  readonly client: Duplex;
  readonly datastores: Datastores;
  readonly operations: Operations;
  readonly log: EventLog;
  /** Operations as the library got them. */
  readonly seen: readonly string[];
  /** What the guard told of the session: `open 7`, `end 7`, `end undefined`. */
  readonly events: readonly string[];
  /** Readings opened and not closed. */
  openReadings(): number;
  /** The octets that came to the client after the library's hello. */
  received(): Buffer;
  /** Waits until the condition holds; fails after thirty seconds. */
  until(condition: () => boolean): Promise<void>;
  /** The next messages that came, taken out of their framing. */
  messages(count: number): Promise<string[]>;
  /** Whether the guard has ended the client's transport. */
  isEnded(): boolean;
}

export interface GuardOptions {
  readonly limits?: Partial<NetconfLimits>;
  /** The client does not read. */
  readonly silent?: boolean;
  readonly version?: '1.0' | '1.1';
  readonly bindings?: number;
  readonly farewell?: () => void;
  /** How much the transport takes unread. */
  readonly buffers?: DuplexOptions;
}

const NO_STATE = {
  addTo: async (tree: unknown) => tree,
  bindingStatistics: () => undefined,
} as unknown as StateData;

/** Runs a body with one guarded session of the recovery user; fails when a reading was left open. */
export async function withGuard(options: GuardOptions, body: (guarded: Guarded) => Promise<void>): Promise<void> {
  await withDatastores(async (datastores) => {
    await fill(datastores, options.bindings ?? 1);
    const log = EventLog.inMemory();
    const { operations, openReadings } = countedOperations(datastores, log);
    const [transport, client] = duplexPair(options.buffers);
    const [library, libraryEnd] = duplexPair();
    const events: string[] = [];
    const guard = new GuardedSession({
      transport,
      farewell: options.farewell,
      library,
      user: 'root',
      face: 'local',
      checkOperation: () => [],
      operations,
      limits: { ...NETCONF_LIMITS, ...options.limits },
      memory: new HeldMemory(Number.MAX_SAFE_INTEGER),
      log: pino({ level: 'silent' }),
      counters: new RpcCounters(),
      killSession: () => undefined,
      onOpen: (session) => events.push(`open ${session}`),
      onEnd: (session) => events.push(`end ${session}`),
    });
    const seen = playLibrary(guard, libraryEnd);
    const pieces: Buffer[] = [];
    let isEnded = false;
    client.on('error', () => undefined);
    for (const event of ['end', 'close']) {
      client.on(event, () => {
        isEnded = true;
      });
    }
    transport.on('close', () => {
      isEnded = true;
    });
    if (!options.silent) client.on('data', (octets: Buffer) => pieces.push(octets));
    const received = () => afterHello(Buffer.concat(pieces));
    let taken = 0;
    const guarded: Guarded = {
      guard,
      client,
      datastores,
      operations,
      log,
      seen,
      events,
      openReadings,
      received,
      until,
      isEnded: () => isEnded,
      messages: async (count) => {
        await until(() => isEnded || split(received(), options.version).length >= taken + count);
        const found = split(received(), options.version).slice(taken, taken + count);
        taken += found.length;
        return found;
      },
    };
    try {
      await body(guarded);
      guard.end();
      await until(() => openReadings() === 0);
    } finally {
      guard.end();
      libraryEnd.destroy();
    }
  });
}

async function fill(datastores: Datastores, count: number): Promise<void> {
  const bindings = Array.from({ length: count }, (_, at) =>
    binding(`192.0.${2 + (at >> 8)}.${at & 255}/32`, '2001:db8::1', { description: `\u20ac ${at}` }),
  );
  const configuration = aftr(...bindings) as { 'gi-4over6:softwire': { aftr: Record<string, unknown>[] } };
  for (const entry of configuration['gi-4over6:softwire'].aftr) entry['ipv4-pool'] = ['192.0.0.0/16'];
  await datastores.edit({ user: 'root', session: 1, face: 'netconf' }, request(configuration));
}

function countedOperations(
  datastores: Datastores,
  log: EventLog,
): { operations: Operations; openReadings: () => number } {
  const access = new AccessControl(() => {
    const view = datastores.view('running');
    view.close();
    return view.tree;
  });
  const operations = new Operations({
    schema,
    check: plainCheck,
    datastores,
    access,
    events: new EventStreams(log, schema, access),
    onStartupChanged: () => undefined,
    state: NO_STATE,
    storeOperations: {},
    moduleSource: () => undefined,
  });
  let open = 0;
  const read = operations.read.bind(operations);
  operations.read = async (caller, wanted) => {
    const reading = await read(caller, wanted);
    open++;
    return {
      ...reading,
      close: () => {
        open--;
        reading.close();
      },
    };
  };
  return { operations, openReadings: () => open };
}

/** Says hello, hands each operation to the guard and sends what it answers, as libnetconf2 does. */
function playLibrary(guard: GuardedSession, end: Duplex): string[] {
  const seen: string[] = [];
  const send = (inside: string) =>
    end.write(Buffer.concat([framePiece(reply(1, inside), 'chunked'), frameEnd('chunked')]));
  let isClosing = false;
  const reader = new MessageReader(Number.MAX_SAFE_INTEGER, (message) => {
    if (reader.framing === 'end-of-message') {
      reader.framing = 'chunked';
      return;
    }
    const operation = /^<rpc [^>]*>([\s\S]*)<\/rpc>$/.exec(message.toString('utf8'))?.[1] ?? '';
    seen.push(operation);
    isClosing = operation.startsWith('<close-session');
    void guard
      .onRpc({ ok: () => send('<ok/>'), data: (xml) => send(xml), errors: (xml) => send(xml) })
      .then(() => isClosing && end.end());
  });
  end.on('error', () => undefined);
  end.on('data', (octets: Buffer) => reader.push(octets));
  end.write(`${LIBRARY_HELLO}]]>]]>`);
  return seen;
}

function afterHello(octets: Buffer): Buffer {
  const at = octets.indexOf(']]>]]>');
  return at < 0 ? Buffer.alloc(0) : octets.subarray(at + 6);
}

function split(octets: Buffer, version: '1.0' | '1.1' = '1.1'): string[] {
  const messages: string[] = [];
  const reader = new MessageReader(Number.MAX_SAFE_INTEGER, (message) => messages.push(message.toString('utf8')));
  reader.framing = version === '1.1' ? 'chunked' : 'end-of-message';
  reader.push(octets);
  return messages;
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !condition(); await new Promise((resolve) => setTimeout(resolve, 1))) {
    if (Date.now() > end) throw new Error(`never happened: ${condition}`);
  }
}

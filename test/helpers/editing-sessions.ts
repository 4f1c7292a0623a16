/**
 * Sessions that edit a whole program all the time, each over its own face and only what is its own, so that what may be there
 * after a crash is known for each: what was acknowledged last, or that with the edit that was on its way.
 */

import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { outcome, RawClient } from './netconf-client.ts';
import type { Program } from './program.ts';

/** What one session has made: rows by prefix, or the hop limit. */
export type Own = ReadonlyMap<string, string>;

/** What one edit sets, all of it in one moment or nothing; null removes. */
type Edit = ReadonlyMap<string, string | null>;

const GI = 'xmlns="urn:gi-4over6" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';
const LONGEST_LOGIN_MS = 5_000;
const MOST_ROWS = 8;
export const HOP_LIMIT = 'hop-limit';

/** An edit of AFTR a as the content of an edit-config. */
export function configOf(edit: Edit): string {
  const rows = [...edit].filter(([key]) => key !== HOP_LIMIT).map(([prefix, gateway]) => rowOf(prefix, gateway));
  const hopLimit = edit.get(HOP_LIMIT);
  const leaf = hopLimit === undefined ? '' : `<hop-limit>${hopLimit}</hop-limit>`;
  const table = rows.length === 0 ? '' : `<binding-table>${rows.join('')}</binding-table>`;
  return `<config><softwire ${GI}><aftr><name>a</name>${leaf}${table}</aftr></softwire></config>`;
}

function rowOf(prefix: string, gateway: string | null): string {
  return gateway === null
    ? `<binding nc:operation="remove"><ipv4-prefix>${prefix}</ipv4-prefix></binding>`
    : `<binding><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding>`;
}

/** Makes one edit; returns when it is acknowledged, throws when that is not known. */
type Send = (edit: Edit) => Promise<void>;

export abstract class EditingSession {
  readonly program: Program;
  readonly #next: () => number;
  /** Keys that are this session's own. */
  readonly #keys: readonly string[];
  #acknowledged = new Map<string, string>();
  #pending: Edit | undefined;
  #count = 0;
  #isOver = false;
  #done: Promise<void> = Promise.resolve();
  #failure: unknown;
  edits = 0;

  constructor(program: Program, next: () => number, keys: readonly string[]) {
    this.program = program;
    this.#next = next;
    this.#keys = keys;
  }

  protected abstract connect(): Promise<{ send: Send; close: () => void }>;

  /** The part of an edit that its face does in one moment. */
  protected fitting(edit: Edit): Edit {
    return edit;
  }

  /** Edits until it is told to end, or the program goes away. */
  begin(): void {
    this.#isOver = false;
    this.#failure = undefined;
    this.#done = this.#run();
  }

  /** The reason when it ended before it was told to. @throws Error when an edit was refused */
  async end(): Promise<unknown> {
    this.#isOver = true;
    await this.#done;
    if (this.#failure instanceof RefusedError) throw this.#failure;
    return this.#failure;
  }

  /** The states its part may be in. */
  get possible(): readonly Own[] {
    const pending = this.#pending;
    return pending ? [this.#acknowledged, applied(this.#acknowledged, pending)] : [this.#acknowledged];
  }

  /** What was found among the possible ones is what is there from now on. */
  settle(found: Own): void {
    this.#acknowledged = new Map(found);
    this.#pending = undefined;
  }

  async #run(): Promise<void> {
    let connection: { send: Send; close: () => void } | undefined;
    try {
      connection = await this.connect();
      // At least one, however long the login has taken.
      do {
        const edit = this.#edit();
        this.#pending = edit;
        await connection.send(edit);
        this.#acknowledged = applied(this.#acknowledged, edit);
        this.#pending = undefined;
        this.edits++;
      } while (!this.#isOver);
    } catch (error) {
      this.#failure = error;
    } finally {
      connection?.close();
    }
  }

  /** Several rows, some of them removed. No two edits set the same value, so that what was done is seen. */
  #edit(): Edit {
    this.#count++;
    if (this.#keys[0] === HOP_LIMIT) return new Map([[HOP_LIMIT, `${1 + (this.#count % 250)}`]]);
    const edit = new Map<string, string | null>();
    for (let left = 1 + (this.#next() % MOST_ROWS); left > 0; left--) {
      const key = this.#keys[this.#next() % this.#keys.length] ?? '';
      const isRemoval = this.#acknowledged.has(key) && this.#next() % 3 === 0;
      edit.set(key, isRemoval ? null : gatewayOf(this.#count, left));
    }
    return this.fitting(edit);
  }
}

function gatewayOf(count: number, row: number): string {
  return `2001:db8:a::${(1 + (count >>> 16)).toString(16)}:${(count & 0xffff).toString(16)}:${row}`;
}

/** An edit that is valid was answered with an error. */
class RefusedError extends Error {}

function applied(own: Own, edit: Edit): Map<string, string> {
  const result = new Map(own);
  for (const [key, value] of edit) {
    if (value === null) result.delete(key);
    else result.set(key, value);
  }
  return result;
}

async function requireOk(client: RawClient, operation: string): Promise<void> {
  const reply = await client.rpc(operation);
  const found = outcome(reply);
  if (!reply.includes('</rpc-reply>')) throw new Error('the session ended without an answer');
  if (found !== 'ok') throw new RefusedError(`${operation}: ${reply}`);
}

/** edit-config of running on the local socket. */
export class LocalSession extends EditingSession {
  protected async connect(): Promise<{ send: Send; close: () => void }> {
    const client = (await RawClient.local(this.program.socket)).greet('1.1');
    const send = (edit: Edit) =>
      requireOk(client, `<edit-config><target><running/></target>${configOf(edit)}</edit-config>`);
    return { send, close: () => client.end() };
  }
}

/** edit-config of the candidate and commit, over SSH. */
export class SshSession extends EditingSession {
  protected async connect(): Promise<{ send: Send; close: () => void }> {
    const { netconfPort, password } = this.program;
    // A server that dies between two messages of SSH leaves the library waiting.
    const late = sleep(LONGEST_LOGIN_MS).then(() => Promise.reject(new Error('no SSH session')));
    late.catch(() => undefined);
    const client = (await Promise.race([RawClient.ssh(netconfPort, 'admin', { password }), late])).greet('1.1');
    const send = async (edit: Edit) => {
      await requireOk(client, `<edit-config><target><candidate/></target>${configOf(edit)}</edit-config>`);
      await requireOk(client, '<commit/>');
    };
    return { send, close: () => client.end() };
  }
}

/** PATCH of several bindings, DELETE of one, over RESTCONF. */
export class RestconfSession extends EditingSession {
  protected override fitting(edit: Edit): Edit {
    const removal = [...edit].find(([, value]) => value === null);
    return removal ? new Map([removal]) : edit;
  }

  protected async connect(): Promise<{ send: Send; close: () => void }> {
    const authorization = `Basic ${Buffer.from(`admin:${this.program.password}`).toString('base64')}`;
    const table = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
    const send = async (edit: Edit) => {
      const [[key, value] = ['', null]] = edit;
      const path = value === null ? `${table}/binding=${encodeURIComponent(key)}` : table;
      const binding = [...edit].map(([prefix, gateway]) => ({
        'ipv4-prefix': prefix,
        'gateway-ipv6-address': gateway,
      }));
      const body = value === null ? '' : JSON.stringify({ 'gi-4over6:binding-table': { binding } });
      const status = await this.#send(value === null ? 'DELETE' : 'PATCH', path, authorization, body);
      if (status >= 400) throw new RefusedError(`${path} ${body}: ${status}`);
    };
    return { send, close: () => undefined };
  }

  #send(method: string, path: string, authorization: string, body: string): Promise<number> {
    const headers = { authorization, 'content-type': 'application/yang-data+json', 'content-length': body.length };
    const options = {
      host: '127.0.0.1',
      port: this.program.restconfPort,
      method,
      path,
      headers,
      rejectUnauthorized: false,
    };
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, timeout: 60_000 }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      });
      sent.once('timeout', () => sent.destroy(new Error('no answer')));
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

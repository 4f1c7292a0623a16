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

interface Edit {
  readonly key: string;
  /** null removes it. */
  readonly value: string | null;
}

const GI = 'xmlns="urn:gi-4over6" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';
const LONGEST_LOGIN_MS = 5_000;
export const HOP_LIMIT = 'hop-limit';

function configOf({ key, value }: Edit): string {
  const inside =
    key === HOP_LIMIT
      ? `<hop-limit>${value}</hop-limit>`
      : value === null
        ? `<binding-table><binding nc:operation="remove"><ipv4-prefix>${key}</ipv4-prefix></binding></binding-table>`
        : `<binding-table><binding><ipv4-prefix>${key}</ipv4-prefix><gateway-ipv6-address>${value}</gateway-ipv6-address></binding></binding-table>`;
  return `<config><softwire ${GI}><aftr><name>a</name>${inside}</aftr></softwire></config>`;
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
  edits = 0;

  constructor(program: Program, next: () => number, keys: readonly string[]) {
    this.program = program;
    this.#next = next;
    this.#keys = keys;
  }

  protected abstract connect(): Promise<{ send: Send; close: () => void }>;

  /** Edits until it is told to end, or the program goes away. */
  begin(): void {
    this.#isOver = false;
    this.#done = this.#run();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
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
      while (!this.#isOver) {
        const edit = this.#edit();
        this.#pending = edit;
        await connection.send(edit);
        this.#acknowledged = applied(this.#acknowledged, edit);
        this.#pending = undefined;
        this.edits++;
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    } finally {
      connection?.close();
    }
  }

  /** No two set the same value, so that what was done is seen. */
  #edit(): Edit {
    const key = this.#keys[this.#next() % this.#keys.length] ?? '';
    this.#count++;
    if (key === HOP_LIMIT) return { key, value: `${1 + (this.#count % 250)}` };
    const isRemoval = this.#acknowledged.has(key) && this.#next() % 3 === 0;
    return { key, value: isRemoval ? null : `2001:db8:a::${this.#count.toString(16)}` };
  }
}

/** An edit that is valid was answered with an error. */
class RefusedError extends Error {}

function applied(own: ReadonlyMap<string, string>, { key, value }: Edit): Map<string, string> {
  const result = new Map(own);
  if (value === null) result.delete(key);
  else result.set(key, value);
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

/** PUT and DELETE of bindings over RESTCONF. */
export class RestconfSession extends EditingSession {
  protected async connect(): Promise<{ send: Send; close: () => void }> {
    const authorization = `Basic ${Buffer.from(`admin:${this.program.password}`).toString('base64')}`;
    const send = async ({ key, value }: Edit) => {
      const path = `/restconf/data/gi-4over6:softwire/aftr=a/binding-table/binding=${encodeURIComponent(key)}`;
      const body = { 'gi-4over6:binding': [{ 'ipv4-prefix': key, 'gateway-ipv6-address': value }] };
      const status = await this.#send(
        value === null ? 'DELETE' : 'PUT',
        path,
        authorization,
        value === null ? '' : JSON.stringify(body),
      );
      if (status >= 400) throw new RefusedError(`${path}: ${status}`);
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
      const sent = request({ ...options, timeout: 10_000 }, (response) => {
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

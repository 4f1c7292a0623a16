/** RESTCONF of a management process of the real program, with curl as its client and a NETCONF session beside it. */

import * as assert from 'uvu/assert';
import { writeXml } from '../../src/mgmt/xml-data.ts';
import { treeFromJson } from '../../src/state/json.ts';
import type { Management } from './management.ts';
import { startManagement } from './management.ts';
import { outcome, RawClient } from './netconf-client.ts';
import { edit } from './netconf-requests.ts';
import { eventually } from './program.ts';
import type { CurlOptions, CurlReply } from './restconf.ts';
import { CONFIGURATION, curl } from './restconf.ts';
import { schema } from './state.ts';

export interface ProgramBox {
  readonly port: number;
  readonly url: string;
  readonly management: Management;
  /** A session on the local socket. */
  readonly netconf: RawClient;
  /** JSON and the administrator unless the options say otherwise. */
  curl(path: string, options?: CurlOptions): Promise<CurlReply>;
  /** NETCONF operations in turn, each of which must be ok. */
  done(...operations: readonly string[]): Promise<void>;
  /** An edit of running by merge over NETCONF. */
  merge(data: Readonly<Record<string, unknown>>): Promise<void>;
  /** Adds bindings of AFTR `a` over NETCONF. */
  addBindings(bindings: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  /** The entity-tag of the datastore: another one after each commit. */
  tag(): Promise<string>;
}

/** Data as the content of `<config>`. */
export function xmlOf(data: Readonly<Record<string, unknown>>): string {
  return [...writeXml(treeFromJson(schema, data).children())].join('');
}

const FREE_MS = 60_000;
const RESET = edit(xmlOf(CONFIGURATION), '<default-operation>replace</default-operation>');

/** Locks of a session before, and its confirmed commit, may be there a moment longer than its connection. */
async function begin(netconf: RawClient): Promise<true> {
  for (const operation of ['<discard-changes/>', RESET]) {
    const reply = await netconf.rpc(operation);
    if (outcome(reply) !== 'ok') throw new Error(reply);
  }
  return true;
}

/** One process for a test file: bodies run with the configuration of helpers/restconf.ts; `stop` is the last call. */
export interface Program {
  run(body: (box: ProgramBox) => Promise<void>): Promise<void>;
  /** Ends it; its exit code. */
  stop(): Promise<number | null>;
}

export async function startProgram(
  options: readonly string[] = [],
  keys: Readonly<Record<string, Buffer>> = {},
): Promise<Program> {
  const management = await startManagement(options, undefined, keys);
  const url = () => `https://127.0.0.1:${management.restconfPort}`;
  const run = async (body: (box: ProgramBox) => Promise<void>) => {
    const netconf = (await RawClient.local(management.socket)).greet('1.1');
    const done = async (...operations: readonly string[]) => {
      for (const operation of operations) {
        const reply = await netconf.rpc(operation);
        assert.is(outcome(reply), 'ok', reply);
      }
    };
    const merge = (data: Readonly<Record<string, unknown>>) => done(edit(xmlOf(data)));
    const get = (path: string, more: CurlOptions = {}) => curl(url() + path, more);
    try {
      await eventually(FREE_MS, () => begin(netconf));
      await body({
        port: management.restconfPort,
        url: url(),
        management,
        netconf,
        curl: get,
        done,
        merge,
        addBindings: (binding) =>
          merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { binding } }] } }),
        tag: async () => (await get('/restconf/data', { method: 'HEAD' })).headers.etag ?? '',
      });
    } finally {
      // Its locks go with it.
      netconf.end();
    }
  };
  return { run, stop: () => management.stop() };
}

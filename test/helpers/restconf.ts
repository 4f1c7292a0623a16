/**
 * A RESTCONF server on loopback over datastores of its own, and curl as its client. State data and libyang are left
 * out; users, access control and everything else is what the program has.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { AccessControl } from '../../src/mgmt/access.ts';
import { EventLog } from '../../src/mgmt/events/event-log.ts';
import { EventStreams } from '../../src/mgmt/events/streams.ts';
import { Operations } from '../../src/mgmt/operations.ts';
import { startRestconf } from '../../src/mgmt/restconf/server.ts';
import type { StateData } from '../../src/mgmt/state-data.ts';
import { Users } from '../../src/mgmt/users.ts';
import { RESTCONF_LIMITS } from '../../src/restconf-limits.ts';
import { shaCrypt } from '../../src/sha-crypt.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { treeFromJson } from '../../src/state/json.ts';
import { OPERATOR, plainCheck, request, schema, withDatastores } from './state.ts';

export const JSON_TYPE = 'application/yang-data+json';
export const XML_TYPE = 'application/yang-data+xml';

export interface CurlOptions {
  readonly method?: string;
  /** Header fields, `Name: value`; `Name:` takes one of curl's own away. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
  /** `user:password`; '' sends none. */
  readonly user?: string;
  readonly more?: readonly string[];
}

export interface CurlReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `error-tag` of the first error in a JSON body. */
  readonly tag: string | undefined;
}

export interface Box {
  readonly port: number;
  readonly url: string;
  readonly datastores: Datastores;
  readonly operations: Operations;
  /** JSON and the administrator unless the options say otherwise. */
  curl(path: string, options?: CurlOptions): Promise<CurlReply>;
  /** Readings opened and not closed. */
  openReadings(): number;
}

/** Names of the two users; the second may read all but gateways and write nothing. */
export const ADMIN = 'admin:admin-password';
export const GUEST = 'guest:guest-password';

/** What a test begins with, in JSON. */
export const CONFIGURATION = {
  'ietf-system:system': { authentication: { user: [userEntry(ADMIN), userEntry(GUEST)] } },
  'ietf-netconf-acm:nacm': {
    'read-default': 'deny',
    'write-default': 'deny',
    'exec-default': 'deny',
    groups: {
      group: [
        { name: 'admin', 'user-name': ['admin'] },
        { name: 'guest', 'user-name': ['guest'] },
      ],
    },
    'rule-list': [
      { name: 'admin', group: ['admin'], rule: [rule('all', { 'access-operations': '*', action: 'permit' })] },
      {
        name: 'guest',
        group: ['guest'],
        rule: [
          rule('no-gateways', {
            path: '/gi-4over6:softwire/gi-4over6:gateway',
            'access-operations': 'read',
            action: 'deny',
          }),
          rule('read', { 'access-operations': 'read', action: 'permit' }),
        ],
      },
    ],
  },
  'gi-4over6:softwire': {
    gateway: [{ name: 'g', enabled: false }],
    aftr: [{ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'] }],
  },
};

function userEntry(credentials: string): Record<string, unknown> {
  const [name = '', password = ''] = credentials.split(':');
  return { name, password: shaCrypt(password, '$6$rounds=1000$salt') };
}

function rule(name: string, more: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { name, 'module-name': '*', ...more };
}

/** State data of a device that has none. */
const NO_STATE = {
  addTo: async (tree: unknown) => ({ tree, lists: new Map() }),
  entryList: () => undefined,
  countsBindings: () => false,
  bindingStatistics: () => undefined,
} as unknown as StateData;

let pems: ReturnType<typeof generate> | undefined;

/** Runs a body with a server, which is gone afterwards; fails when a reading was left open. */
export async function withRestconf(body: (box: Box) => Promise<void>): Promise<void> {
  pems ??= generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const { private: key, cert } = await pems;
  await withDatastores(
    async (datastores) => {
      const configuration = () => {
        const view = datastores.view('running');
        view.close();
        return view.tree;
      };
      const users = new Users(configuration);
      let open = 0;
      const access = new AccessControl(configuration);
      const operations = new Operations({
        schema,
        check: plainCheck,
        datastores,
        access,
        events: new EventStreams(EventLog.inMemory(), schema, access),
        onStartupChanged: () => undefined,
        state: NO_STATE,
        storeOperations: {},
        moduleSource: () => undefined,
      });
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
      const log = pino({ level: 'silent' });
      const server = await startRestconf({
        operations,
        users,
        routeSources: { exists: () => false, judgePassword: async () => 'wrong' as const, certified: () => undefined },
        key,
        cert,
        hosts: ['127.0.0.1'],
        port: 0,
        limits: RESTCONF_LIMITS,
        log,
      });
      const url = `https://127.0.0.1:${server.port}`;
      try {
        await body({
          port: server.port,
          url,
          datastores,
          operations,
          curl: (path, options = {}) => curl(url + path, options),
          openReadings: () => open,
        });
        if (open !== 0) throw new Error(`${open} readings were left open`);
      } finally {
        await server.close();
        await users.close();
      }
    },
    { initial: () => treeFromJson(schema, CONFIGURATION) },
  );
}

/** Adds bindings of AFTR `a`, past RESTCONF. */
export async function addBindings(
  datastores: Datastores,
  bindings: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  const aftr = [{ name: 'a', 'binding-table': { binding: bindings } }];
  await datastores.edit(OPERATOR, request({ 'gi-4over6:softwire': { aftr } }));
}

/** One request with curl, which accepts any certificate. */
export async function curl(url: string, options: CurlOptions): Promise<CurlReply> {
  const { method = 'GET', headers = [], body, user = ADMIN, more = [] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-curl-'));
  const dump = join(dir, 'headers');
  const isTyped = headers.some((field) => field.toLowerCase().startsWith('content-type'));
  const type = body === undefined || isTyped ? [] : [`Content-Type: ${JSON_TYPE}`];
  const fields = [...type, ...headers].flatMap((field) => ['-H', field]);
  const request = [method === 'HEAD' ? '-I' : '-X', ...(method === 'HEAD' ? [] : [method])];
  const data = body === undefined ? [] : ['--data-binary', '@-'];
  const login = user === '' ? [] : ['-u', user];
  try {
    const text = await run(
      'curl',
      [
        '-sS',
        '-k',
        '--path-as-is',
        '-D',
        dump,
        ...(method === 'HEAD' ? ['-o', '/dev/null'] : []),
        ...request,
        ...login,
        ...fields,
        ...data,
        ...more,
        url,
      ],
      body,
    );
    const blocks = readFileSync(dump, 'latin1').trim().split('\r\n\r\n');
    const [line = '', ...lines] = (blocks[blocks.length - 1] ?? '').split('\r\n');
    const pairs = lines.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]);
    return { status: Number(line.split(' ')[1]), headers: Object.fromEntries(pairs), body: text, tag: tagOf(text) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function tagOf(text: string): string | undefined {
  if (!text.startsWith('{"ietf-restconf:errors"')) return undefined;
  return JSON.parse(text)['ietf-restconf:errors'].error[0]['error-tag'];
}

/** Standard output of a program; curl may fail to write a body that the server refuses, so its exit code is not looked at. */
function run(program: string, args: readonly string[], input: string | Uint8Array | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', () => resolve(Buffer.concat(pieces).toString('utf8')));
  });
}

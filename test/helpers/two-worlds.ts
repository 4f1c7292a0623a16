/**
 * Two devices that differ in nothing but what their user `guest` may not read, and what they answer him: the same requests go to both,
 * the answers are compared without their times.
 */

import { Agent, request as httpsRequest } from 'node:https';
import * as assert from 'uvu/assert';
import { shaCrypt } from '../../src/sha-crypt.ts';
import type { Management } from './management.ts';
import { startManagement } from './management.ts';
import { outcome, RawClient } from './netconf-client.ts';
import { edit, GI, NC_PREFIX, nacm, systemUser } from './netconf-requests.ts';

const PASSWORD = 'guest word';
export const GUEST_LOGIN = `guest:${PASSWORD}`;
/** Without a datapath nothing forwards, which is told when the device next looks. */
export const BY_THE_CLOCK = /[<:](alarm-notification|softwire-state-change)[ ">]/;
/** In the event about a change that all may see. */
export const LAST_MARK = 'notify-status-changes';
/** The same in both worlds. */
const HASH = shaCrypt(PASSWORD, '$6$rounds=1000$salt') ?? '';

/** A request of one of the faces. */
export type Asked =
  | { readonly face: 'netconf'; readonly operation: string }
  | {
      readonly face: 'restconf';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | undefined;
    };

export interface World {
  readonly management: Management;
  /** The recovery session, which sees all. */
  readonly root: RawClient;
  readonly agent: Agent;
  /** Commits that all may see. */
  readonly marks: { count: number; last: number };
}

export async function openWorld(): Promise<World> {
  const management = await startManagement(['--startup']);
  const root = (await RawClient.local(management.socket)).greet('1.1');
  // There is no datapath: the alarm about it is raised at its own time.
  const alarms =
    '<get><filter><alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><alarm-list/></alarms></filter></get>';
  for (let tries = 0; tries < 300 && !(await root.rpc(alarms)).includes('datapath-down'); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    management,
    root,
    agent: new Agent({ keepAlive: true, rejectUnauthorized: false }),
    marks: { count: 0, last: 0 },
  };
}

export async function closeWorld({ management, root, agent }: World): Promise<number | null> {
  root.end();
  agent.destroy();
  return management.stop();
}

export function guestOf({ management }: World): Promise<RawClient> {
  return RawClient.ssh(management.netconfPort, 'guest', { password: PASSWORD }).then((client) => client.greet('1.1'));
}

/** Operations of the recovery session, each of which must be ok. */
export async function done({ root }: World, ...operations: readonly string[]): Promise<void> {
  for (const operation of operations) {
    const reply = await root.rpc(operation);
    if (outcome(reply) !== 'ok') throw new Error(`${operation}\n${reply}`);
  }
}

/** What a world answers, without times. */
export async function answer(world: World, guest: RawClient, asked: Asked): Promise<string> {
  return plain(asked.face === 'netconf' ? await guest.rpc(asked.operation) : await http(world, asked));
}

function http(world: World, asked: Extract<Asked, { face: 'restconf' }>): Promise<string> {
  const { management, agent } = world;
  const { method, path, headers, body } = asked;
  const options = { agent, method, auth: GUEST_LOGIN, headers };
  return new Promise((resolve, reject) => {
    const url = `https://127.0.0.1:${management.restconfPort}${path}`;
    const sent = httpsRequest(url, options, (reply) => {
      const pieces: Buffer[] = [];
      reply.on('data', (piece: Buffer) => pieces.push(piece));
      reply.on('error', reject);
      reply.on('end', () => {
        const names = ['etag', 'last-modified', 'location', 'content-type', 'allow', 'content-length'];
        const fields = names.map((name) => `${name}: ${reply.headers[name]}`);
        resolve(`${reply.statusCode}\n${fields.join('\n')}\n\n${Buffer.concat(pieces).toString()}`);
      });
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // The server may end an idle connection at the moment when it is used again.
      if (method === 'GET' && sent.reusedSocket && error.code === 'ECONNRESET') resolve(http(world, asked));
      else reject(error);
    });
    sent.end(body);
  });
}

/** Without times, the ports that the system gave, and how many messages there happen to have been between client and server. */
export function plain(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME')
    .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/g, 'TIME')
    .replace(/"([0-9a-z]{1,4})-m[0-9a-z]{7}((?:-xml(?:-list)?)?\\?")/g, '"$1-TIME$2')
    .replace(/<(in-rpcs|out-rpc-errors|out-notifications)>\d+</g, '<$1>N<')
    .replace(/"(in-rpcs|out-rpc-errors|out-notifications)":\d+/g, '"$1":N')
    .replace(/https:\/\/127\.0\.0\.1:\d+/g, 'https://HOST');
}

/** What guest may do: each rule in turn. */
export type RuleText = readonly [operations: string, action: 'permit' | 'deny', path?: string];

const NAMES =
  'xmlns:gi="urn:gi-4over6" xmlns:nacm="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" xmlns:sys="urn:ietf:params:xml:ns:yang:ietf-system" xmlns:al="urn:ietf:params:xml:ns:yang:ietf-alarms"';

export function guestRules(rules: readonly RuleText[]): string {
  const entries = rules.map(([operations, action, path], index) => {
    const place = path === undefined ? '' : `<path ${NAMES}>${path}</path>`;
    return `<rule><name>r${index}</name>${place}<access-operations>${operations}</access-operations><action>${action}</action></rule>`;
  });
  return nacm(
    `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>few</name><group>few</group>${entries.join('')}</rule-list>`,
  );
}

/** A device as it is before each round: two AFTRs, a gateway and a few bindings that both worlds have. */
export function commonConfiguration(): string {
  const bindings = [1, 2, 3, 4].map(
    (n) =>
      `<binding><ipv4-prefix>192.0.2.${n}/32</ipv4-prefix><gateway-ipv6-address>2001:db8:a::${n}</gateway-ipv6-address></binding>`,
  );
  const aftr = (name: string, address: string, pool: string, rows: string) =>
    `<aftr><name>${name}</name><ipv6-address>${address}</ipv6-address><ipv4-pool>${pool}</ipv4-pool><binding-table>${rows}</binding-table></aftr>`;
  const a = aftr('a', '2001:db8:b::1', '192.0.2.0/24', bindings.join(''));
  const b = aftr('b', '2001:db8:b::2', '198.51.100.0/24', '');
  return `<softwire ${GI} ${NC_PREFIX} nc:operation="replace">${a}${b}</softwire>`;
}

const CLEAR =
  '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><authentication><user nc:operation="remove"><name>ghost</name></user></authentication></system>' +
  nacm(
    '<groups><group nc:operation="remove"><name>others</name></group></groups><rule-list nc:operation="remove"><name>others</name></rule-list>',
  ) +
  `<softwire ${GI} ${NC_PREFIX} nc:operation="remove"/>`;

/** Begins a round: the same in both worlds, `common`, with what only one of them has. The version before that. */
export async function begin(
  world: World,
  rules: readonly RuleText[],
  hidden: readonly string[],
  common = commonConfiguration(),
): Promise<number> {
  await done(world, '<discard-changes/>');
  await hide(world, CLEAR);
  await done(world, edit(common + guestRules(rules) + systemUser('guest', HASH)));
  const oldest = await newestVersion(world);
  for (const content of hidden) await hide(world, content);
  await done(world, SAVE);
  return oldest;
}

export async function newestVersion({ root }: World): Promise<number> {
  const listed = await root.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`);
  return Number(/<number>(\d+)</.exec(listed)?.[1]);
}

/** What is hidden is the same in startup, so that a copy of it changes nothing there. */
export const SAVE = '<copy-config><target><startup/></target><source><running/></source></copy-config>';

/** One commit in each world, also where the content changes nothing there. */
export function hide(world: World, content: string): Promise<void> {
  const { marks } = world;
  const mark = `<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><control><max-alarm-status-changes>${10 + (marks.count++ % 990)}</max-alarm-status-changes></control></alarms>`;
  return done(world, edit(mark + content));
}

export function sameAnswers(seed: number, asked: Asked | string, answers: readonly string[]): void {
  const [one = '', other = ''] = answers;
  if (one === other) return;
  const what = typeof asked === 'string' ? asked : JSON.stringify(asked);
  assert.unreachable(`seed ${seed}: ${what}\n--- one world\n${clip(one, other)}\n--- the other\n${clip(other, one)}`);
}

/** The part where a text differs from another. */
function clip(text: string, other: string): string {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  return text.slice(Math.max(0, at - 400), at + 600);
}

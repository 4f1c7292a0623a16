/**
 * Bench of NETCONF over SSH: sessions a second, small RPCs a second on one session and on eight, their latency, and what idle sessions
 * cost. Each beside a bare subsystem on the same SSH library (`ssh-echo.ts`) that answers with the same text, in interleaved rounds: the
 * medians of both, and their ratio.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import { NetconfClient } from '../../src/cli/client.ts';
import { enterOwnNetwork, Instance, sleep } from './instance.ts';
import { LineChild } from './line-child.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';

const ECHO = fileURLToPath(new URL('./ssh-echo.js', import.meta.url));
const ROUNDS = 7;
const SESSIONS_A_ROUND = 20;
const RPCS_A_ROUND = 300;
const CONCURRENT = 8;
const IDLE_SESSIONS = 50;
const IDLE_MS = 5_000;
/** The heap grows for that long: after one round its growth was up to 160 KiB a session. */
const WARM_UP_ROUNDS = 4;
const IDLE_ROUNDS = 4;
/** Clock ticks of /proc a second. */
const TICKS = 100;
const QUESTION =
  '<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6"><aftr><name>edge</name><ipv6-address/></aftr></softwire></filter></get-config>';

/** What is measured of each of the two, a value a round. */
const MEASURED = ['sessions', 'rpcs-1', 'rpcs-8', 'latency-p50', 'latency-p99'] as const;
type Measured = (typeof MEASURED)[number];
type Values = Record<Measured, number>;

/** Where the client connects to. */
interface Server {
  readonly port: number;
  readonly privateKey: string;
}

/** Runs the whole bench, about two minutes, as root. Never returns outside its own namespace. */
export async function benchNetconf(): Promise<BenchResult[]> {
  enterOwnNetwork();
  const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519');
  const instance = await Instance.start(`/tmp/gi4over6-bench-${process.pid}`);
  try {
    await configure(instance, publicKey);
    const answer = await instance.netconf(QUESTION);
    const echo = await LineChild.start(ECHO, [publicKey, answer]);
    try {
      const ours: Server = { port: instance.sshPort, privateKey };
      // First, since memory that a load has taken comes back at any time.
      const idleCost = await idle(instance, ours);
      return [...(await compare(ours, { port: Number(echo.firstLine), privateKey })), ...idleCost];
    } finally {
      await echo.end();
    }
  } finally {
    await instance.stop();
  }
}

async function configure(instance: Instance, publicKey: string): Promise<void> {
  const [algorithm, data] = publicKey.split(' ');
  const key = `<authorized-key><name>bench</name><algorithm>${algorithm}</algorithm><key-data>${data}</key-data></authorized-key>`;
  const system = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>admin</name>${key}</user></authentication></system>`;
  const softwire =
    '<softwire xmlns="urn:gi-4over6"><aftr><name>edge</name><enabled>false</enabled><ipv6-address>2001:db8:b::1</ipv6-address></aftr></softwire>';
  await instance.netconf(`<edit-config><target><running/></target><config>${system}${softwire}</config></edit-config>`);
}

async function compare(ours: Server, bare: Server): Promise<BenchResult[]> {
  const rounds: { readonly ours: Values; readonly bare: Values }[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push({ ours: await measure(ours), bare: await measure(bare) });
  // The first one warms both.
  rounds.shift();
  return MEASURED.flatMap((name) => {
    const [own, base] = [median(rounds.map(({ ours }) => ours[name])), median(rounds.map(({ bare }) => bare[name]))];
    const unit = name.startsWith('latency') ? 'ms' : 'a second';
    return [
      plain(name, own, unit),
      plain(`${name}-bare`, base, unit),
      plain(`${name}-to-bare`, median(rounds.map(({ ours, bare }) => ours[name] / bare[name])), 'ratio'),
    ];
  });
}

async function measure(server: Server): Promise<Values> {
  const sessions = await rate(SESSIONS_A_ROUND, async () => (await Session.open(server)).close());
  const all = await Promise.all(Array.from({ length: CONCURRENT }, () => Session.open(server)));
  const [first] = all;
  if (!first) throw new Error('a session was opened');
  const times: number[] = [];
  const alone = await rate(RPCS_A_ROUND, async () => {
    const began = performance.now();
    await first.ask();
    times.push(performance.now() - began);
  });
  const together = await rate(1, () =>
    Promise.all(
      all.map(async (session) => {
        for (let count = 0; count < RPCS_A_ROUND; count++) await session.ask();
      }),
    ),
  );
  for (const session of all) session.close();
  times.sort((a, b) => a - b);
  return {
    sessions,
    'rpcs-1': alone,
    'rpcs-8': together * CONCURRENT * RPCS_A_ROUND,
    'latency-p50': times[Math.floor(times.length / 2)] ?? Number.NaN,
    'latency-p99': times[Math.floor(times.length * 0.99)] ?? Number.NaN,
  };
}

/** Processor time and memory of management with idle sessions, beside what it takes without them; of some rounds the dearest. */
async function idle(instance: Instance, server: Server): Promise<BenchResult[]> {
  // What the first ones need once is no part of it.
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const session of await openAll(server, IDLE_SESSIONS)) session.close();
  }
  let [without, extra, kibibytes] = [0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let round = 0; round < IDLE_ROUNDS; round++) {
    await sleep(IDLE_MS);
    const [residentBefore] = instance.resident();
    without = await share(instance);
    const sessions = await openAll(server, IDLE_SESSIONS);
    await sleep(IDLE_MS);
    const [residentWith] = instance.resident();
    extra = Math.max(extra, (await share(instance)) - without);
    // Garbage of the round before may go meanwhile.
    kibibytes = Math.max(kibibytes, ((residentWith - residentBefore) * 1024) / IDLE_SESSIONS);
    for (const session of sessions) session.close();
  }
  return [
    plain('idle-share-without', without, '% of a core'),
    limited('idle-share', Math.max(0, extra), '% of a core', 1),
    limited('idle-memory', kibibytes, 'KiB a session', 150),
  ];
}

async function openAll(server: Server, count: number): Promise<Session[]> {
  const opened: Session[] = [];
  while (opened.length < count) opened.push(await Session.open(server));
  return opened;
}

/** Of a core, in per cent, over IDLE_MS. */
async function share(instance: Instance): Promise<number> {
  const before = ticks(instance);
  const began = performance.now();
  await sleep(IDLE_MS);
  return (100 * (ticks(instance) - before)) / TICKS / ((performance.now() - began) / 1_000);
}

function ticks(instance: Instance): number {
  const stat = readFileSync(`/proc/${instance.pid('management')}/stat`, 'utf8');
  // utime and stime are fields 14 and 15 of proc(5); those behind the name in parentheses begin with the third.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** One session of a connection of its own. */
class Session {
  readonly #ssh: ssh2.Client;
  readonly #client: NetconfClient;

  private constructor(ssh: ssh2.Client, client: NetconfClient) {
    this.#ssh = ssh;
    this.#client = client;
  }

  static async open({ port, privateKey }: Server): Promise<Session> {
    const ssh = new ssh2.Client();
    await new Promise<void>((resolve, reject) => {
      ssh.once('ready', resolve).once('error', reject);
      ssh.once('connect', () => ssh.setNoDelay(true));
      ssh.connect({ host: '127.0.0.1', port, username: 'admin', privateKey });
    });
    const stream = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
      ssh.subsys('netconf', (error, channel) => (error ? reject(error) : resolve(channel)));
    });
    return new Session(ssh, await NetconfClient.over(stream, `port ${port}`));
  }

  async ask(): Promise<void> {
    for await (const _ of this.#client.request(QUESTION));
  }

  close(): void {
    this.#client.close();
    this.#ssh.end();
  }
}

/** How often a second, one after the other. */
async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let turn = 0; turn < count; turn++) await work();
  return (1_000 * count) / (performance.now() - began);
}

function plain(id: string, value: number, unit: string): BenchResult {
  return result(`netconf.${id}`, value, unit);
}

function limited(id: string, value: number, unit: string, target: number): BenchResult {
  return result(`netconf.${id}`, value, unit, 'at most', target);
}

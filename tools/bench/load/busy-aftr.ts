/**
 * An AFTR with a dense table, between two ports of a tester that keeps it busy: namespaces and cores are those of the bench after
 * RFC 8219 (rfc8219/lab.ts). Traffic is for every 128th binding, edits are of the others.
 */

import { execFile, execFileSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatIpv4 } from '../../../src/address.ts';
import { IMAGE_FILE } from '../../../src/datapath/kept-table.ts';
import { ipv4, ipv6, udp } from '../../../test/helpers/packets.ts';
import { Instance } from '../instance.ts';
import { MemoryWatch } from '../memory-watch.ts';
import { DEVICE_MAC, TESTER_MAC } from '../rfc8219/frames.ts';
import type { Lab } from '../rfc8219/lab.ts';
import { DEVICE_CORE } from '../rfc8219/lab.ts';
import { bindingXml, gateway, prefixesOf } from '../tables.ts';

export type Direction = 'upstream' | 'downstream';

const AFTR = '2001:db8:b::1';
const GATEWAYS = '2001:db8:a::/48';
const [NEAR_V6, FAR_V6] = ['2001:2:0:c::1', '2001:2:0:c::2'];
const [NEAR_V4, FAR_V4] = ['198.19.0.1', '198.19.0.2'];
const POOL = '16.0.0.0/4';
/** Of the pool, and never bound. */
const UNBOUND_FIRST = 0x1f_00_00_00;
const TRAFFIC_STEP = 128;
const MOST_FLOWS = 8_192;
/** Of each edit-config that loads the table. */
const ROWS_AT_ONCE = 100_000;
/** Among the first so many, before a crash. */
const CHANGED_ROWS = 1_000;
/** So many bindings further on begins the next gateway. */
const GATEWAY_STEP = 16;
/** As Lab.enter, with room before it for the process that the program itself puts first. */
const COME_EARLY = 'renice -n -10 $$ >/dev/null; echo -20 2>/dev/null >/proc/self/autogroup; exec "$@"';
const ETHERNET = 14;
/** A frame of 64 octets without its FCS, on the IPv4 side. */
const [PLAIN_FRAME, TUNNEL_FRAME] = [60, 100];
const DATA = PLAIN_FRAME - ETHERNET - 28;

/** What a start makes its table of: the image that the end before has left, or the rows of the store. */
export type TableSource = 'image' | 'store';

export interface Restart {
  /** When the program was called, since 1970. */
  readonly began: number;
  /** From then until management answered. */
  readonly answersMs: number;
  /** Of the processes from their beginning on; to be ended. */
  readonly memory: MemoryWatch;
}

export class BusyAftr {
  readonly bindings: number;
  readonly lab: Lab;
  #instance: Instance;
  #changes = 0;

  private constructor(lab: Lab, instance: Instance, bindings: number) {
    this.lab = lab;
    this.#instance = instance;
    this.bindings = bindings;
  }

  /** Starts the program and loads the table; forwarding when this ends. */
  static async start(lab: Lab, bindings: number): Promise<BusyAftr> {
    lab.addNamespace('aftr');
    for (const port of ['4', '6']) lab.addLink(`aftr${port}`, 'aftr', `v${port}`);
    lab.ip('aftr', `addr add ${NEAR_V4}/24 dev v4`);
    lab.ip('aftr', `addr add ${NEAR_V6}/64 dev v6 nodad`);
    lab.addTesterNeighbour('aftr', 'v4', FAR_V4);
    lab.addTesterNeighbour('aftr', 'v6', FAR_V6);
    lab.ip('aftr', `-6 route add ${GATEWAYS} via ${FAR_V6}`);
    const instance = await Instance.start(join(lab.dir, 'aftr'), enter(lab));
    const started = new BusyAftr(lab, instance, bindings);
    started.pinDatapath();
    await started.#load();
    return started;
  }

  /** The core of forwarding is nobody else's to take: the generator has the other one. */
  pinDatapath(): void {
    execFileSync('taskset', ['-acp', `${DEVICE_CORE}`, `${this.#instance.pid('datapath')}`], { stdio: 'ignore' });
  }

  get instance(): Instance {
    return this.#instance;
  }

  stop(): Promise<void> {
    return this.#instance.stop();
  }

  /** Ends the program and starts it again on its store, which has the `source` of the table; answers again when this ends. */
  async restart(source: TableSource): Promise<Restart> {
    await this.#instance.halt();
    if (source === 'store') rmSync(this.#image, { force: true });
    else this.#requireImage();
    const began = performance.timeOrigin + performance.now();
    let memory: MemoryWatch | undefined;
    const onSpawn = (pid: number) => {
      memory = new MemoryWatch(pid);
    };
    this.#instance = await Instance.start(this.#instance.dir, enter(this.lab), undefined, [], onSpawn);
    const answersMs = performance.timeOrigin + performance.now() - began;
    if (!memory) throw new Error('the program was not started');
    return { began, answersMs, memory };
  }

  /**
   * Kills the datapath, when the image of its table lacks the last changes; the supervisor starts the next one. Answers when it did, since 1970, and
   * whether the next one, when it forwards, has taken that image.
   */
  async killDatapath(): Promise<{ readonly killed: number; readonly hasTaken: () => boolean }> {
    await this.#changeSome();
    await this.#instance.waitUntilApplied();
    this.#requireImage();
    const { ino } = statSync(this.#image);
    const killed = performance.timeOrigin + performance.now();
    process.kill(this.#instance.pid('datapath'), 'SIGKILL');
    // One that does not fit is removed.
    return { killed, hasTaken: () => statSync(this.#image, { throwIfNoEntry: false })?.ino === ino };
  }

  get #image(): string {
    return join(this.#instance.dir, 'state', IMAGE_FILE);
  }

  #requireImage(): void {
    if (!existsSync(this.#image)) throw new Error(`the program has left no ${this.#image}: expected one of the table`);
  }

  /** What a load generator takes as a stream; of every ten frames `junk` are of nobody's address. */
  stream(direction: Direction, junk = 0): string {
    const file = join(this.lab.dir, `${direction}-${junk}.frames`);
    writeFileSync(file, this.#frames(direction, junk));
    return direction === 'downstream'
      ? ['aftr4', file, 'aftr6', 6, TUNNEL_FRAME].join(',')
      : ['aftr6', file, 'aftr4', 4, PLAIN_FRAME].join(',');
  }

  async edit(inside: string): Promise<void> {
    const config = `<config><softwire xmlns="urn:gi-4over6">${inside}</softwire></config>`;
    await this.#instance.netconf(`<edit-config><target><running/></target>${config}</edit-config>`);
  }

  async #load(): Promise<void> {
    const edge = `<name>edge</name><ipv6-address>${AFTR}</ipv6-address><ipv4-address>${NEAR_V4}</ipv4-address>`;
    await this.edit(`<aftr>${edge}<ipv4-pool>${POOL}</ipv4-pool></aftr>`);
    const rows = prefixesOf('dense', this.bindings).map((prefix, index) => bindingXml(prefix, gateway(index)));
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) await this.#put(rows.slice(at, at + ROWS_AT_ONCE));
    await this.#instance.waitUntilApplied();
  }

  /** Each time to other gateways; those that have traffic are not among them. */
  async #changeSome(): Promise<void> {
    this.#changes++;
    const prefixes = prefixesOf('dense', Math.min(this.bindings, CHANGED_ROWS)).entries();
    const others = [...prefixes].filter(([index]) => index % TRAFFIC_STEP !== 0);
    await this.#put(others.map(([index, prefix]) => bindingXml(prefix, gateway(index + GATEWAY_STEP * this.#changes))));
  }

  async #put(rows: readonly string[]): Promise<void> {
    await this.edit(`<aftr><name>edge</name><binding-table>${rows.join('')}</binding-table></aftr>`);
  }

  #frames(direction: Direction, junk: number): Buffer {
    const flows = Math.min(MOST_FLOWS, Math.floor(this.bindings / TRAFFIC_STEP));
    const prefixes = prefixesOf('dense', this.bindings);
    const stride = Math.floor(this.bindings / TRAFFIC_STEP / flows) * TRAFFIC_STEP;
    const frames = Array.from({ length: flows * (junk === 0 ? 1 : 10) }, (_, i) => {
      const isJunk = i % 10 < junk;
      // Not one after the other: neighbours in time are none in the table.
      const index = (((junk === 0 ? i : Math.floor(i / 10)) * 4_099) % flows) * stride;
      const bound = isJunk ? formatIpv4(UNBOUND_FIRST + i) : (prefixes[index]?.split('/')[0] ?? '');
      return Buffer.from(frame(direction, bound, gateway(index)), 'hex');
    });
    const head = Buffer.alloc(8);
    head.writeUInt32LE(frames.length, 0);
    head.writeUInt32LE(frames[0]?.length ?? 0, 4);
    return Buffer.concat([head, ...frames]);
  }

  /**
   * Takes the tester's end of a link away and brings it back: the device sees its carrier go and come. Answers when it began to, since 1970.
   * What does it comes before all else, or the outage would be that of `ip`.
   */
  async flap(port: 'aftr4' | 'aftr6', downMs: number): Promise<number> {
    const set = (state: string) => `ip link set ${port} ${state}`;
    const script = `${set('down')} && sleep ${downMs / 1_000} && date +%s%3N && ${set('up')}`;
    const [program = '', ...words] = [...this.lab.enter('tester'), 'sh', '-c', script];
    const { stdout } = await promisify(execFile)(program, words);
    return Number(stdout);
  }
}

/** What the command of the program begins with. */
function enter(lab: Lab): string[] {
  const first = ['setsid', 'sh', '-c', COME_EARLY, 'sh'];
  return [...first, 'ip', 'netns', 'exec', lab.namespace('aftr')];
}

function frame(direction: Direction, bound: string, from: string): string {
  const ethernet = (type: string) => `${DEVICE_MAC}${TESTER_MAC}`.replaceAll(':', '') + type;
  const payload = udp(DATA);
  if (direction === 'downstream') return ethernet('0800') + ipv4({ src: FAR_V4, dst: bound, df: true, payload });
  const inner = ipv4({ src: bound, dst: FAR_V4, df: true, payload });
  return ethernet('86dd') + ipv6({ src: from, dst: AFTR, payload: inner });
}

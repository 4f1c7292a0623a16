/** A gateway of the program in a network namespace beside the bench's own, whose kernel's routes are changed. */

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatIpv4 } from '../../src/address.ts';
import { Instance, sleep } from './instance.ts';
import { LineChild } from './line-child.ts';
import { received, SENDER } from './traffic.ts';

const NAMESPACE = `gi4bench-${process.pid}`;
const AFTR_ADDRESS = '192.168.77.1';
const GATEWAY_ADDRESS = '192.168.77.2';
const FIRST = 0x12_00_00_00;
/** Addresses of the routes beside, and after those of changes without them. */
const FILLED_FIRST = 0x12_80_00_00;
const BESIDE_FILLED = 0x1_00_00;
const RATE = 2_000;
const LONGEST_MS = 30_000;
/** Changes are not to meet in one message. */
const BETWEEN_MS = 300;

export class KernelGateway {
  static readonly TUNNEL = '2001:db8:a:ffff::1';
  readonly aftrAddress = AFTR_ADDRESS;
  #instance: Instance | undefined;
  /** Of the addresses that are not in the kernel yet. */
  #next = 0;

  constructor() {
    ip('netns', 'add', NAMESPACE);
    ip('link', 'add', 'bench', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAMESPACE);
    ip('addr', 'add', `${AFTR_ADDRESS}/24`, 'dev', 'bench');
    ip('link', 'set', 'bench', 'up');
    this.#ip('link', 'set', 'lo', 'up');
    this.#ip('addr', 'add', `${GATEWAY_ADDRESS}/24`, 'dev', 'eth0');
    this.#ip('link', 'set', 'eth0', 'up');
    this.#ip('link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right');
    this.#ip('addr', 'add', '10.9.0.1/24', 'dev', 'left');
    this.#ip('link', 'set', 'left', 'up');
    this.#ip('link', 'set', 'right', 'up');
  }

  #ip(...words: readonly string[]): void {
    ip('-n', NAMESPACE, ...words);
  }

  async start(password: string, fingerprint: string): Promise<void> {
    const through = ['ip', 'netns', 'exec', NAMESPACE];
    const dir = `/tmp/gi4over6-bench-${process.pid}-gateway`;
    const instance = await Instance.start(dir, through);
    this.#instance = instance;
    const url = `https://${AFTR_ADDRESS}:8443/restconf`;
    const identity = `<client-name>rack</client-name><password>${password}</password>`;
    const target = `<target><name>edge</name><url>${url}</url>${identity}<server-certificate-fingerprint>${fingerprint}</server-certificate-fingerprint></target>`;
    const leaves = `<name>rack</name><ipv6-address>${KernelGateway.TUNNEL}</ipv6-address><aftr-ipv6-address>2001:db8:b::1</aftr-ipv6-address><ipv4-interface>left</ipv4-interface>`;
    const advertisement = `<route-advertisement><include-prefix>18.0.0.0/8</include-prefix>${target}</route-advertisement>`;
    const config = `<softwire xmlns="urn:gi-4over6"><gateway>${leaves}${advertisement}</gateway></softwire>`;
    const reply = await instance.netconf(
      `<edit-config><target><running/></target><config>${config}</config></edit-config>`,
    );
    if (!reply.includes('<ok')) throw new Error(reply);
    const filter = '<softwire xmlns="urn:gi-4over6"><gateway><route-advertisement/></gateway></softwire>';
    const ask = () => instance.netconf(`<get><filter type="subtree">${filter}</filter></get>`);
    for (const begun = performance.now(); !(await ask()).includes('established'); await sleep(50)) {
      if (performance.now() - begun > LONGEST_MS) throw new Error(`the gateway does not advertise: ${await ask()}`);
    }
  }

  /** So many routes are in the kernel beside, and advertised. */
  async fill(count: number): Promise<void> {
    const routes = Array.from({ length: count }, (_, index) => {
      return `route add ${formatIpv4(FILLED_FIRST + index)}/32 via 10.9.0.2`;
    });
    execFileSync('ip', ['-n', NAMESPACE, '-batch', '-'], { input: `${routes.join('\n')}\n` });
    const last = formatIpv4(FILLED_FIRST + count - 1);
    const filter = `<softwire xmlns="urn:gi-4over6"><gateway><route-advertisement><target><advertised-route><ipv4-prefix>${last}/32</ipv4-prefix></advertised-route></target></route-advertisement></gateway></softwire>`;
    const ask = () => this.#instance?.netconf(`<get><filter type="subtree">${filter}</filter></get>`);
    for (const begun = performance.now(); !(await ask())?.includes('>true<'); await sleep(200)) {
      if (performance.now() - begun > 8 * LONGEST_MS) throw new Error(`the AFTR does not know of ${last}`);
    }
    this.#next = BESIDE_FILLED;
  }

  /** Milliseconds from each of `count` new routes to the first packet by it. */
  async changes(count: number): Promise<number[]> {
    const took: number[] = [];
    for (let index = 0; index < count; index++) {
      const address = FIRST + this.#next + index;
      const sender = await LineChild.start(SENDER, [`${RATE}`, `${address}`, '1']);
      await sleep(BETWEEN_MS);
      const before = received();
      const begun = performance.now();
      this.#ip('route', 'add', `${formatIpv4(address)}/32`, 'via', '10.9.0.2');
      while (received() === before) {
        if (performance.now() - begun > LONGEST_MS) throw new Error('a route of the kernel does not reach forwarding');
      }
      took.push(performance.now() - begun);
      await sender.end();
    }
    return took;
  }

  async stop(): Promise<void> {
    await this.#instance?.stop();
    ip('netns', 'del', NAMESPACE);
  }
}

/** SHA-256 of the certificate of an instance. */
export function fingerprintOf(dir: string): string {
  return new X509Certificate(readFileSync(join(dir, 'state', 'keys', 'tls.crt'))).fingerprint256;
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

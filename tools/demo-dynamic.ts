/**
 * The demo of dynamic configuration: no served prefix and no binding is configured. The gateway informs the AFTR of the routes of its
 * kernel, and the bindings follow.
 */

import { spawnSync } from 'node:child_process';
import { chapter, say, show, verdict } from './demo-output.ts';
import type { HostName, Instance, Topology } from './topology.ts';
import {
  AFTR_TUNNEL,
  DEVICE,
  DEVICE_PREFIX,
  GATEWAY_TUNNEL,
  INTERNET,
  PROGRAM,
  SECOND_DEVICE,
  SECOND_PREFIX,
  until,
} from './topology.ts';

const START_MS = 30_000;
const STEP_MS = 15_000;
const SECRET = 'a-long-secret';
const HOLD_S = 3;

type Box = 'gateway' | 'aftr';

export class DynamicDemo {
  readonly #topology: Topology;
  readonly #boxes: Readonly<Record<Box, Instance>>;

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#boxes = { gateway: topology.startInstance('gateway'), aftr: topology.startInstance('aftr') };
  }

  async run(): Promise<void> {
    await this.#start();
    await this.#trust();
    await this.#advertise();
    await this.#add();
    await this.#refuse();
    await this.#remove();
    await this.#end();
  }

  async #start(): Promise<void> {
    chapter('1. Four hosts, and nothing but IPv6 between gateway and AFTR');
    show(`end device ${DEVICE}  --  gateway  ==IPv6==  AFTR  --  Internet host ${INTERNET}`);
    // The second prefix is not there yet.
    this.#topology.ip('gateway', 'addr del 192.0.2.1/24 dev left');
    const isUp = (host: Box) => this.#gi(host, ['status']).output.includes('version');
    verdict('gi4over6 runs on both', await until(START_MS, () => isUp('gateway') && isUp('aftr')));
  }

  async #trust(): Promise<void> {
    chapter('2. The AFTR: which gateway may bind what');
    const source = 'aftr edge route-source rack';
    this.#commit('aftr', [
      `aftr edge ipv6-address ${AFTR_TUNNEL}`,
      'aftr edge ipv4-address 203.0.113.1',
      'aftr edge softwire-payload-mtu 1500',
      `aftr edge ipv4-pool ${DEVICE_PREFIX}`,
      `aftr edge ipv4-pool ${SECOND_PREFIX}`,
      `${source} gateway-ipv6-address ${GATEWAY_TUNNEL}`,
      `${source} password $0$${SECRET}`,
      `${source} allowed-prefix ${DEVICE_PREFIX}`,
      `${source} allowed-prefix ${SECOND_PREFIX}`,
      `${source} hold-time ${HOLD_S}`,
      `${source} grace-time ${HOLD_S}`,
    ]);
    verdict(`nothing is bound: ${INTERNET} cannot reach ${DEVICE}`, !this.#reaches(DEVICE));
  }

  async #advertise(): Promise<void> {
    chapter('3. The gateway: whom to inform');
    const target = 'gateway rack route-advertisement target edge';
    this.#commit('gateway', [
      `gateway rack ipv6-address ${GATEWAY_TUNNEL}`,
      `gateway rack aftr-ipv6-address ${AFTR_TUNNEL}`,
      'gateway rack ipv4-interface left',
      'gateway rack ipv4-address 198.51.100.1',
      'gateway rack softwire-payload-mtu 1500',
      `${target} url https://[2001:db8:12::2]:8443/restconf`,
      `${target} client-name rack`,
      `${target} password ${SECRET}`,
      `${target} server-certificate-fingerprint ${this.#fingerprint()}`,
    ]);
    const isThere = await until(STEP_MS, () => this.#reaches(DEVICE));
    verdict(`the connected prefix of the gateway became a binding: ${INTERNET} reaches ${DEVICE}`, isThere);
    show(this.#gi('aftr', ['show', 'bindings']).output);
    show(this.#gi('aftr', ['show', 'aftr', 'edge', 'route-source', 'rack']).output);
  }

  async #add(): Promise<void> {
    chapter('4. A route is added behind the gateway');
    this.#route('add', SECOND_PREFIX);
    const begun = performance.now();
    const isThere = await until(STEP_MS, () => this.#reaches(SECOND_DEVICE, '0.2'));
    verdict(`${INTERNET} reaches ${SECOND_DEVICE} after ${Math.round(performance.now() - begun)} ms`, isThere);
  }

  async #refuse(): Promise<void> {
    chapter('5. A route that the gateway may not bind');
    this.#route('add', '8.8.8.0/24');
    const told = () => this.#gi('gateway', ['show', 'gateway', 'rack', 'route-advertisement']).output;
    const isRefused = await until(STEP_MS, () => told().includes('not-allowed'));
    show(told());
    verdict('8.8.8.0/24 is refused, with the reason at both ends', isRefused);
    this.#route('del', '8.8.8.0/24');
  }

  async #remove(): Promise<void> {
    chapter('6. The route is deleted');
    this.#route('del', SECOND_PREFIX);
    const isGone = await until(STEP_MS, () => !this.#learned().includes(SECOND_PREFIX));
    verdict(
      `its binding is gone, and ${INTERNET} does not reach ${SECOND_DEVICE}`,
      isGone && !this.#reaches(SECOND_DEVICE),
    );
    verdict(`${DEVICE} is reached as before`, this.#reaches(DEVICE));
  }

  async #end(): Promise<void> {
    chapter('7. The gateway ends');
    const before = new Date().toISOString();
    const pid = this.#boxes.gateway.process.pid;
    this.#boxes.gateway.process.kill('SIGTERM');
    show(`kill ${pid}`);
    const isGone = await until(STEP_MS, () => !this.#learned().includes(DEVICE_PREFIX));
    verdict('a planned end withdraws everything at once', isGone);
    const lookup = this.#gi('aftr', ['lookup', DEVICE, '--at', before]);
    show(lookup.output || lookup.errors);
  }

  #learned(): string {
    const { output } = this.#gi('aftr', ['show', 'aftr', 'edge', 'route-source', 'rack']);
    return output
      .split('\n')
      .filter((line) => line.includes('learned-route'))
      .join('\n');
  }

  #route(what: 'add' | 'del', prefix: string): void {
    show(`ip route ${what} ${prefix} via ${DEVICE}`);
    this.#topology.ip('gateway', `route ${what} ${prefix} via ${DEVICE}`);
  }

  /** Settings and a commit by the command line. */
  #commit(host: Box, settings: readonly string[]): void {
    for (const setting of settings) {
      const { status, errors } = this.#gi(host, ['set', ...setting.split(' ')]);
      show(`gi4over6 set ${setting}`);
      if (status !== 0) verdict(errors.trim(), false);
    }
    const { status, output, errors } = this.#gi(host, ['commit']);
    show(`gi4over6 commit\n${output || errors}`);
    verdict('the commit is accepted', status === 0);
  }

  #gi(host: Box, words: readonly string[]) {
    const socket = ['--socket', `${this.#boxes[host].runDir}/netconf.sock`];
    return this.#topology.run(host, [process.execPath, PROGRAM, ...words, ...socket]);
  }

  #reaches(target: string, seconds = '1'): boolean {
    return this.#topology.run('internet', ['ping', '-c', '1', '-W', seconds, target]).status === 0;
  }

  #fingerprint(): string {
    const file = `${this.#boxes.aftr.stateDir}/keys/tls.crt`;
    const { stdout } = spawnSync('openssl', ['x509', '-in', file, '-noout', '-fingerprint', '-sha256'], {
      encoding: 'utf8',
    });
    return stdout.trim().split('=')[1] ?? '';
  }

  /** How to go on by hand. */
  guide(): void {
    chapter('The AFTR is left running. Try:');
    const inside = (host: HostName) => `ip netns exec ${this.#topology.namespace(host)}`;
    const socket = `--socket ${this.#boxes.aftr.runDir}/netconf.sock`;
    say(`  ${inside('aftr')} ${process.execPath} ${PROGRAM} log ${socket}`);
    say(`  ${inside('aftr')} ${process.execPath} ${PROGRAM} show aftr edge ${socket}`);
    say('  Press Ctrl-C to end it and remove everything.');
  }
}

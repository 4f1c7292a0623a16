/**
 * The demo: four hosts in network namespaces, two instances of the program, and the main job told as a story.
 *
 *   node dist/tools/demo.js           runs it, leaves nothing behind, exit code 0 when every step came out
 *   node dist/tools/demo.js dynamic   the other story: the gateway informs the AFTR of its routes
 *   node dist/tools/demo.js --keep    leaves everything running and says how to poke at it
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DynamicDemo } from './demo-dynamic.ts';
import { bold, chapter, countFailures, green, red, say, show, verdict } from './demo-output.ts';
import type { HostName, Instance } from './topology.ts';
import {
  AFTR_TUNNEL,
  DEVICE,
  DEVICE_PREFIX,
  GATEWAY_TUNNEL,
  INTERNET,
  SECOND_DEVICE,
  SECOND_PREFIX,
  Topology,
  until,
} from './topology.ts';

const EDIT_CLIENT = fileURLToPath(new URL('../../tools/netconf-edit.py', import.meta.url));
const NETCONF_PORT = 830;
const RESTCONF_PORT = 8443;
const DOWNLOAD_OCTETS = 12 * 1024 * 1024;
const START_MS = 30_000;

function indent(xml: string): string {
  let depth = 0;
  return xml
    .replace(/>\s*</g, '>\n<')
    .split('\n')
    .map((line) => {
      if (line.startsWith('</')) depth--;
      const text = `${'  '.repeat(depth)}${line}`;
      if (/^<[^/?][^>]*[^/]>$/.test(line)) depth++;
      return text;
    })
    .join('\n');
}

class Demo {
  readonly #topology: Topology;
  readonly #gateway: Instance;
  readonly #aftr: Instance;

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#gateway = topology.startInstance('gateway');
    this.#aftr = topology.startInstance('aftr');
  }

  async run(): Promise<void> {
    await this.#start();
    this.#nothingFlows();
    this.#configureGateway();
    this.#configureAftr();
    await this.#traffic();
    await this.#liveEdit();
    this.#wrongEdit();
    this.#counters();
  }

  async #start(): Promise<void> {
    chapter('1. Four hosts, and nothing but IPv6 between gateway and AFTR');
    show(`end device ${DEVICE}  --  gateway  ==IPv6==  AFTR  --  Internet host ${INTERNET}`);
    const isUp = await until(START_MS, () => this.#answers('gateway') && this.#answers('aftr'));
    verdict('gi4over6 runs on gateway and AFTR: management and datapath, NETCONF and RESTCONF', isUp);
    if (!isUp) throw new Error(`the program did not start; its logs:\n${this.#logs()}`);
  }

  #answers(host: 'gateway' | 'aftr'): boolean {
    const path = '/restconf/data/gi-4over6:softwire/state?content=nonconfig';
    return (
      this.#curl(host, ['-o', '/dev/null', '-f'], path).status === 0 &&
      this.#restconf(host, path).includes('applied-version')
    );
  }

  #nothingFlows(): void {
    chapter('2. Without configuration nothing flows');
    verdict(`${DEVICE} cannot reach ${INTERNET}`, !this.#ping('device', INTERNET, ['-c', '1', '-W', '1']));
  }

  #configureGateway(): void {
    chapter('3. The gateway, by an edit over NETCONF (ncclient)');
    const edit = gatewayEdit([DEVICE_PREFIX]);
    show(indent(edit));
    const { status, output } = this.#netconfEdit(edit);
    show(indent(output));
    verdict('edit-config on the candidate and commit: ok', status === 0);
  }

  #configureAftr(): void {
    chapter('4. The AFTR with its binding table, by curl over RESTCONF');
    const body = JSON.stringify({
      'gi-4over6:softwire': {
        aftr: [
          {
            name: 'edge',
            'ipv6-address': AFTR_TUNNEL,
            'ipv4-address': '203.0.113.1',
            'softwire-payload-mtu': 1500,
            'ipv4-pool': [DEVICE_PREFIX, SECOND_PREFIX],
            'binding-table': {
              binding: [
                { 'ipv4-prefix': DEVICE_PREFIX, 'gateway-ipv6-address': GATEWAY_TUNNEL, description: 'rack 1' },
              ],
            },
          },
        ],
      },
    });
    show(`curl -X PATCH https://[AFTR]:${RESTCONF_PORT}/restconf/data/gi-4over6:softwire -d '${body}'`);
    const answer = this.#send('aftr', 'PATCH', '/restconf/data/gi-4over6:softwire', body);
    show(answer);
    verdict('PATCH: 204 No Content', answer.startsWith('HTTP/2 204') || answer.startsWith('HTTP/1.1 204'));
  }

  async #traffic(): Promise<void> {
    chapter('5. IPv4 flows over IPv6');
    verdict(`ping ${DEVICE} -> ${INTERNET}`, this.#ping('device', INTERNET));
    verdict(`ping ${INTERNET} -> ${DEVICE}`, this.#ping('internet', DEVICE));
    const file = this.#topology.path('download');
    writeFileSync(file, randomBytes(DOWNLOAD_OCTETS));
    this.#serve('internet');
    this.#serve('device');
    await until(5_000, () => this.#fetch('internet', INTERNET) !== '' && this.#fetch('device', DEVICE) !== '');
    const expected = sha256(readFileSync(file));
    verdict(`HTTP: ${DEVICE} downloads 12 MiB from ${INTERNET}`, this.#fetch('device', INTERNET) === expected);
    verdict(`HTTP: ${INTERNET} downloads 12 MiB from ${DEVICE}`, this.#fetch('internet', DEVICE) === expected);
  }

  async #liveEdit(): Promise<void> {
    chapter('6. A second server prefix, added while a transfer runs');
    const target = this.#topology.path('slow-download');
    const words = ['curl', '-s', '-o', target, '--limit-rate', '4M', `http://${INTERNET}:8080/download`];
    const transfer = this.#topology.start('device', words);
    const ended = new Promise<number | null>((resolve) => transfer.once('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, 500));
    verdict(
      `before: ${SECOND_DEVICE} cannot reach ${INTERNET}`,
      !this.#ping('device', INTERNET, ['-c', '1', '-W', '1', '-I', SECOND_DEVICE]),
    );
    const gateway = this.#netconfEdit(gatewayEdit([SECOND_PREFIX]));
    const binding = JSON.stringify({
      'gi-4over6:binding': [{ 'ipv4-prefix': SECOND_PREFIX, 'gateway-ipv6-address': GATEWAY_TUNNEL }],
    });
    const path = `/restconf/data/gi-4over6:softwire/aftr=edge/binding-table/binding=${encodeURIComponent(SECOND_PREFIX)}`;
    show(`curl -X PUT ${path} -d '${binding}'`);
    const aftr = this.#send('aftr', 'PUT', path, binding);
    verdict(
      'NETCONF at the gateway, RESTCONF at the AFTR: both accepted',
      gateway.status === 0 && /^HTTP\/\S+ 201/.test(aftr),
    );
    verdict(
      `after: ${SECOND_DEVICE} reaches ${INTERNET}`,
      this.#ping('device', INTERNET, ['-c', '2', '-W', '2', '-I', SECOND_DEVICE]),
    );
    const status = await ended;
    const isWhole =
      status === 0 && sha256(readFileSync(target)) === sha256(readFileSync(this.#topology.path('download')));
    verdict('the transfer that ran meanwhile is whole', isWhole);
  }

  #wrongEdit(): void {
    chapter('7. A wrong edit is refused, and nothing of it is applied');
    const before = this.#restconf('aftr', '/restconf/data/gi-4over6:softwire?content=config');
    const body = JSON.stringify({
      'gi-4over6:binding': [{ 'ipv4-prefix': '8.8.8.0/24', 'gateway-ipv6-address': GATEWAY_TUNNEL }],
    });
    const answer = this.#send('aftr', 'POST', '/restconf/data/gi-4over6:softwire/aftr=edge/binding-table', body);
    show(answer);
    verdict(
      'a binding outside every pool: refused with its path',
      answer.includes('outside-pool') && answer.includes('8.8.8.0/24'),
    );
    verdict(
      'the configuration is what it was',
      before === this.#restconf('aftr', '/restconf/data/gi-4over6:softwire?content=config'),
    );
    verdict('traffic goes on', this.#ping('device', INTERNET, ['-c', '1', '-W', '2']));
  }

  #counters(): void {
    chapter('8. The counters, over both faces');
    const restconf = this.#restconf('aftr', '/restconf/data/gi-4over6:softwire/aftr=edge/statistics');
    const statistics = (JSON.parse(restconf) as { 'gi-4over6:statistics'?: Record<string, Record<string, string>> })[
      'gi-4over6:statistics'
    ];
    const forwarded = Number(statistics?.['ipv6-side']?.['forwarded-packets'] ?? 0);
    show(
      `AFTR over RESTCONF: ${forwarded} packets decapsulated, ${statistics?.['ipv4-side']?.['forwarded-packets'] ?? 0} encapsulated`,
    );
    const netconf = this.#topology.run('gateway', [
      process.execPath,
      program(),
      'show',
      'counters',
      ...socket(this.#gateway),
    ]);
    show(netconf.output || netconf.errors);
    verdict('both count the traffic', forwarded > 1000 && netconf.status === 0 && /forwarded/.test(netconf.output));
  }

  #curl(host: HostName, more: readonly string[], path: string) {
    const { password } = host === 'gateway' ? this.#gateway : this.#aftr;
    const words = ['curl', '-sk', '--max-time', '20', '-u', `admin:${readPassword(password)}`, ...more];
    return this.#topology.run(host, [...words, `https://127.0.0.1:${RESTCONF_PORT}${path}`]);
  }

  #restconf(host: HostName, path: string): string {
    return this.#curl(host, ['-H', 'Accept: application/yang-data+json'], path).output;
  }

  #send(host: HostName, method: string, path: string, body: string): string {
    const more = ['-i', '-X', method, '-H', 'Content-Type: application/yang-data+json', '-d', body];
    return this.#curl(host, more, path).output;
  }

  #netconfEdit(config: string): { status: number; output: string } {
    const words = [
      '/usr/bin/env',
      `NETCONF_PASSWORD=${readPassword(this.#gateway.password)}`,
      '/usr/bin/python3',
      EDIT_CLIENT,
    ];
    const { status, output, errors } = this.#topology.run(
      'gateway',
      [...words, '127.0.0.1', String(NETCONF_PORT), 'admin'],
      config,
    );
    return { status, output: output || errors };
  }

  #ping(host: HostName, target: string, more: readonly string[] = ['-c', '3', '-i', '0.2', '-W', '2']): boolean {
    const { status, output } = this.#topology.run(host, ['ping', ...more, target]);
    if (status === 0) show(output.split('\n').find((line) => line.includes('packets transmitted')) ?? '');
    return status === 0;
  }

  #serve(host: HostName): void {
    this.#topology.start(host, ['/usr/bin/python3', '-m', 'http.server', '8080', '--directory', this.#topology.path()]);
  }

  /** SHA-256 of the download from a server; '' when it fails. */
  #fetch(host: HostName, server: string): string {
    const target = this.#topology.path(`${host}-fetched`);
    const words = ['curl', '-sf', '--max-time', '40', '-o', target, `http://${server}:8080/download`];
    return this.#topology.run(host, words).status === 0 ? sha256(readFileSync(target)) : '';
  }

  #logs(): string {
    const names = ['gateway', 'aftr'].flatMap((host) =>
      ['management', 'datapath'].map((name) => this.#topology.path(host, 'log', `${name}.log`)),
    );
    return names.map((name) => `${name}:\n${readTail(name)}`).join('\n');
  }

  /** How to go on by hand. */
  guide(): void {
    chapter('Everything is left running. Try:');
    const inside = (host: HostName) => `ip netns exec ${this.#topology.namespace(host)}`;
    say(`  ${inside('device')} ping ${INTERNET}`);
    say(`  ${inside('aftr')} ${process.execPath} ${program()} status ${socket(this.#aftr).join(' ')}`);
    say(`  ${inside('aftr')} ${process.execPath} ${program()} show bindings ${socket(this.#aftr).join(' ')}`);
    say(
      `  ${inside('aftr')} curl -k -u admin:$(cat ${this.#aftr.stateDir}/initial-password) https://127.0.0.1:${RESTCONF_PORT}/restconf/data/gi-4over6:softwire`,
    );
    say('  Press Ctrl-C to end it and remove everything.');
  }
}

function gatewayEdit(prefixes: readonly string[]): string {
  const served = prefixes
    .map((prefix) => `<served-prefix><ipv4-prefix>${prefix}</ipv4-prefix></served-prefix>`)
    .join('');
  return (
    '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><softwire xmlns="urn:gi-4over6"><gateway><name>rack</name>' +
    `<ipv6-address>${GATEWAY_TUNNEL}</ipv6-address><aftr-ipv6-address>${AFTR_TUNNEL}</aftr-ipv6-address>` +
    '<ipv4-interface>left</ipv4-interface><ipv4-address>198.51.100.1</ipv4-address>' +
    `<softwire-payload-mtu>1500</softwire-payload-mtu>${served}</gateway></softwire></config>`
  );
}

function program(): string {
  return fileURLToPath(new URL('../src/main.js', import.meta.url));
}

function socket(instance: Instance): string[] {
  return ['--socket', join(instance.runDir, 'netconf.sock')];
}

function readPassword(password: () => string): string {
  try {
    return password();
  } catch {
    return '';
  }
}

function readTail(name: string): string {
  try {
    return readFileSync(name, 'utf8').split('\n').slice(-15).join('\n');
  } catch {
    return '(nothing)';
  }
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) {
    process.stderr.write('demo: it makes network namespaces: run it as root\n');
    process.exitCode = 1;
    return;
  }
  const topology = await Topology.create('gi4over6-demo');
  let interrupted: NodeJS.Signals | undefined;
  const interruption = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        interrupted = signal;
        resolve();
      });
    }
  });
  try {
    const demo = process.argv.includes('dynamic') ? new DynamicDemo(topology) : new Demo(topology);
    await Promise.race([demo.run(), interruption]);
    if (interrupted) throw new Error(`ended by ${interrupted}`);
    say();
    const failures = countFailures();
    say(failures === 0 ? green(bold('Verdict: everything works.')) : red(bold(`Verdict: ${failures} steps failed.`)));
    if (process.argv.includes('--keep')) {
      demo.guide();
      const timer = setInterval(() => undefined, 60_000);
      await interruption;
      clearInterval(timer);
    }
  } finally {
    await topology.close();
  }
  process.exitCode = countFailures() === 0 ? 0 : 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

/**
 * The devices under test. All forward the same frames between a port for IPv4 and one for the tunnel's IPv6:
 *
 *     cable     nothing between the ports of the tester: what the tester itself can do
 *     kernel    plain forwarding by the kernel, each frame leaves as it came
 *     c-loop    the same through a TUN device and back, by tun-copy.cc: the least an engine there must do
 *     aftr      gi4over6 as AFTR, the single DUT of RFC 8219 §4
 *     gateway   gi4over6 as gateway: it encapsulates upstream
 *     chain     gateway and AFTR one behind the other, on one core: the dual DUT of RFC 8219 §4
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { TUN_QUEUE } from '../../../src/kernel/plan.ts';
import { Instance } from '../instance.ts';
import { nativeProgram } from '../native-program.ts';
import { bindingXml } from '../tables.ts';
import { AFTR_ADDRESS, BINDINGS, BOUND_PREFIX, boundAddress, gatewayAddress, INTERNET_ADDRESS } from './frames.ts';
import type { Lab } from './lab.ts';
import type { Device } from './tester.ts';

export interface RunningDevice extends Device {
  stop(): Promise<void>;
}

/** An AFTR whose bindings can be spread over other gateways. */
export interface RunningAftr extends RunningDevice {
  setGateways(gateways: number): Promise<void>;
}

const GATEWAYS_PREFIX = '2001:2:0:a::/64';
const AFTR_PREFIX = '2001:2:0:b::/64';
const [NEAR_V6, FAR_V6] = ['2001:2:0:c::1', '2001:2:0:c::2'];
const [NEAR_V6_ON_V4, FAR_V6_ON_V4] = ['2001:2:0:d::1', '2001:2:0:d::2'];
const [INTERNET_SIDE, LEFT_SIDE, LEFT_ROUTER] = ['198.19.0.1', '198.18.255.1', '198.18.255.2'];
const [CHAIN_GATEWAY_MAC, CHAIN_AFTR_MAC] = ['02:00:00:82:19:03', '02:00:00:82:19:04'];
/** Holds the largest frame whole. */
const PAYLOAD_MTU = 9_200;
const LOOP_TABLE = 77;

/** Both directions of a device between `NAME4` and `NAME6`. `kept`: frames leave as they came. */
function pathsOf(name: string, kept: boolean): Device['paths'] {
  const [port4, port6] = [`${name}4`, `${name}6`];
  return {
    upstream: { from: { port: port6, form: 'tunnel' }, to: { port: port4, form: kept ? 'tunnel' : 'plain' } },
    downstream: { from: { port: port4, form: 'plain' }, to: { port: port6, form: kept ? 'plain' : 'tunnel' } },
  };
}

export function cable(lab: Lab): RunningDevice {
  lab.joinPorts('tester', 'cable4', 'tester', 'cable6');
  return { name: 'cable', paths: pathsOf('cable', true), stop: async () => undefined };
}

export function kernelForwarding(lab: Lab): RunningDevice {
  addDevice(lab, 'kernel');
  addIpv6OnV4(lab, 'kernel');
  for (const [family, route] of keptRoutes()) lab.ip('kernel', `${family} route add ${route}`);
  return { name: 'kernel', paths: pathsOf('kernel', true), stop: async () => undefined };
}

export async function cLoop(lab: Lab): Promise<RunningDevice> {
  addDevice(lab, 'loop');
  addIpv6OnV4(lab, 'loop');
  const [program = '', ...words] = [...lab.enter('loop'), nativeProgram('rfc8219/tun-copy'), 'copy0'];
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`tun-copy ended with ${code}`)));
  });
  lab.ip('loop', `link set copy0 mtu 65535 txqueuelen ${TUN_QUEUE} up`);
  for (const [family, route] of keptRoutes()) {
    lab.ip('loop', `${family} rule add iif copy0 lookup ${LOOP_TABLE}`);
    lab.ip('loop', `${family} route add ${route} table ${LOOP_TABLE}`);
    lab.ip('loop', `${family} route add ${route.split(' ')[0]} dev copy0`);
  }
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  return { name: 'c-loop', paths: pathsOf('loop', true), stop };
}

export async function aftr(lab: Lab): Promise<RunningAftr> {
  addDevice(lab, 'aftr');
  lab.ip('aftr', `-6 route add ${GATEWAYS_PREFIX} via ${FAR_V6}`);
  const instance = await startInstance(lab, 'aftr');
  const setGateways = async (gateways: number) => {
    await edit(instance, aftrXml(gateways));
    await instance.waitUntilApplied();
  };
  await setGateways(1);
  return { name: 'aftr', paths: pathsOf('aftr', false), setGateways, stop: () => instance.stop() };
}

export async function gateway(lab: Lab): Promise<RunningDevice> {
  lab.addNamespace('gateway');
  addGatewayPorts(lab, 'gateway', 'gateway4');
  lab.addLink('gateway6', 'gateway', 'v6');
  lab.ip('gateway', `addr add ${NEAR_V6}/64 dev v6 nodad`);
  lab.addTesterNeighbour('gateway', 'v6', FAR_V6);
  lab.ip('gateway', `-6 route add ${AFTR_PREFIX} via ${FAR_V6}`);
  const instance = await startInstance(lab, 'gateway');
  await edit(instance, GATEWAY_XML);
  await instance.waitUntilApplied();
  const { upstream, downstream } = pathsOf('gateway', false);
  const paths = {
    upstream: { from: downstream.from, to: downstream.to },
    downstream: { from: upstream.from, to: upstream.to },
  };
  return { name: 'gateway', paths, stop: () => instance.stop() };
}

export async function chain(lab: Lab): Promise<RunningDevice> {
  lab.addNamespace('chain-gw');
  lab.addNamespace('chain-aftr');
  addGatewayPorts(lab, 'chain-gw', 'chain4');
  lab.joinPorts('chain-gw', 'v6', 'chain-aftr', 'v6');
  lab.addLink('chain-i4', 'chain-aftr', 'v4');
  addInternetSide(lab, 'chain-aftr');
  lab.ip('chain-gw', `addr add ${NEAR_V6}/64 dev v6 nodad`);
  lab.ip('chain-aftr', `addr add ${FAR_V6}/64 dev v6 nodad`);
  // Without link-local addresses nobody would answer for the other. A new address of a link takes its neighbours away.
  lab.ip('chain-gw', `link set v6 address ${CHAIN_GATEWAY_MAC}`);
  lab.ip('chain-aftr', `link set v6 address ${CHAIN_AFTR_MAC}`);
  lab.ip('chain-gw', `neigh add ${FAR_V6} lladdr ${CHAIN_AFTR_MAC} dev v6 nud permanent`);
  lab.ip('chain-aftr', `neigh add ${NEAR_V6} lladdr ${CHAIN_GATEWAY_MAC} dev v6 nud permanent`);
  lab.ip('chain-gw', `-6 route add ${AFTR_PREFIX} via ${FAR_V6}`);
  lab.ip('chain-aftr', `-6 route add ${GATEWAYS_PREFIX} via ${NEAR_V6}`);
  const instances = [await startInstance(lab, 'chain-gw'), await startInstance(lab, 'chain-aftr')];
  for (const [i, xml] of [GATEWAY_XML, aftrXml(1)].entries()) {
    const instance = instances[i];
    if (!instance) continue;
    await edit(instance, xml);
    await instance.waitUntilApplied();
  }
  const [left, right] = [
    { port: 'chain4', form: 'plain' },
    { port: 'chain-i4', form: 'plain' },
  ] as const;
  const paths = { upstream: { from: left, to: right }, downstream: { from: right, to: left } };
  const stop = async () => {
    for (const instance of instances) await instance.stop();
  };
  return { name: 'chain', paths, stop };
}

/** A namespace with an IPv4 port to the Internet side and an IPv6 port towards the gateways. */
function addDevice(lab: Lab, name: string): void {
  lab.addNamespace(name);
  lab.addLink(`${name}4`, name, 'v4');
  lab.addLink(`${name}6`, name, 'v6');
  addInternetSide(lab, name);
  lab.ip(name, `addr add ${NEAR_V6}/64 dev v6 nodad`);
  lab.addTesterNeighbour(name, 'v6', FAR_V6);
}

function addInternetSide(lab: Lab, name: string): void {
  lab.ip(name, `addr add ${INTERNET_SIDE}/24 dev v4`);
  lab.addTesterNeighbour(name, 'v4', INTERNET_ADDRESS);
}

function addGatewayPorts(lab: Lab, name: string, testerPort: string): void {
  lab.addLink(testerPort, name, 'v4');
  lab.ip(name, `addr add ${LEFT_SIDE}/24 dev v4`);
  lab.addTesterNeighbour(name, 'v4', LEFT_ROUTER);
  lab.ip(name, `route add ${BOUND_PREFIX} via ${LEFT_ROUTER}`);
}

/** Where a device sends frames that it does not change: IPv4 out of the IPv6 port and the other way round. */
function keptRoutes(): readonly (readonly [family: '-4' | '-6', route: string])[] {
  return [
    ['-4', `${BOUND_PREFIX} via inet6 ${FAR_V6} dev v6`],
    ['-6', `${AFTR_PREFIX} via ${FAR_V6_ON_V4} dev v4`],
  ];
}

function addIpv6OnV4(lab: Lab, name: string): void {
  lab.ip(name, `addr add ${NEAR_V6_ON_V4}/64 dev v4 nodad`);
  lab.addTesterNeighbour(name, 'v4', FAR_V6_ON_V4);
}

/** The program, as it is started on any machine, on the device's core. */
function startInstance(lab: Lab, name: string): Promise<Instance> {
  return Instance.start(join(lab.dir, name), lab.enter(name));
}

async function edit(instance: Instance, inside: string): Promise<void> {
  const config = `<config><softwire xmlns="urn:gi-4over6">${inside}</softwire></config>`;
  await instance.netconf(`<edit-config><target><running/></target>${config}</edit-config>`);
}

const GATEWAY_XML =
  `<gateway><name>rack</name><ipv6-address>${gatewayAddress(0, 1)}</ipv6-address>` +
  `<aftr-ipv6-address>${AFTR_ADDRESS}</aftr-ipv6-address><ipv4-interface>v4</ipv4-interface>` +
  `<ipv4-address>${LEFT_SIDE}</ipv4-address><softwire-payload-mtu>${PAYLOAD_MTU}</softwire-payload-mtu>` +
  `<served-prefix><ipv4-prefix>${BOUND_PREFIX}</ipv4-prefix></served-prefix></gateway>`;

function aftrXml(gateways: number): string {
  const bindings = Array.from({ length: BINDINGS }, (_, i) =>
    bindingXml(`${boundAddress(i)}/32`, gatewayAddress(i, gateways)),
  );
  return (
    `<aftr><name>edge</name><ipv6-address>${AFTR_ADDRESS}</ipv6-address><ipv4-address>${INTERNET_SIDE}</ipv4-address>` +
    `<softwire-payload-mtu>${PAYLOAD_MTU}</softwire-payload-mtu><ipv4-pool>${BOUND_PREFIX}</ipv4-pool>` +
    `<binding-table>${bindings.join('')}</binding-table></aftr>`
  );
}

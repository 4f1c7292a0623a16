/**
 * What carries packets from the end device to the Internet host and back, all in the router of test/helpers/tun-router.ts:
 *
 *     kernel    forwarding as it is, without a tunnel
 *     seg6      the kernel's own tunnel: encap.red with one segment is IPv4 in IPv6, End.DX4 takes it apart; no TUN device
 *     c         gateway and AFTR as c-engine.cc, a process each: one packet read, one written
 *     off, on   gateway and AFTR of this project, a worker thread each, without and with offloads
 *     c-aftr, off-aftr, on-aftr   as above, but the AFTR alone: the gateway's part is the kernel's (seg6). Upstream is
 *               decapsulation alone, apart from what is answered
 *     c-gateway, off-gateway, on-gateway   the other way round: upstream is encapsulation alone
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { TUN_QUEUE } from '../../../src/kernel/plan.ts';
import { INTERNET_NS, ip, withDatapath, withoutTunnel } from '../../../test/helpers/tun-router.ts';
import { nativeProgram } from '../native-program.ts';

type Engine = 'c' | 'off' | 'on';
export type Candidate = 'kernel' | 'seg6' | Engine | `${Engine}-aftr` | `${Engine}-gateway`;

const DEVICES = '198.51.100.0/24';
const [GATEWAY_TUNNEL, AFTR_TUNNEL] = ['2001:db8:a::1', '2001:db8:b::1'];
const [ENCAPSULATE_UP, ENCAPSULATE_DOWN] = [
  `encap seg6 mode encap.red segs ${AFTR_TUNNEL}`,
  `encap seg6 mode encap.red segs ${GATEWAY_TUNNEL}`,
];
/**
 * Second addresses of the hosts, next hops of what End.DX4 takes apart: it looks them up as if the packet had just come from the
 * link, where the rules lead all else into the tunnel.
 */
const [DEVICE_HOP, INTERNET_HOP] = ['198.18.0.2', '198.18.1.2'];

/** What the topology that is there needs for all candidates, once: addresses for seg6, and queues as long as the program's. */
export function prepareRouter(deviceNamespace: string): void {
  for (const [link, namespace, router, hop] of [
    ['left', deviceNamespace, '198.18.0.1', DEVICE_HOP],
    ['right', INTERNET_NS, '198.18.1.1', INTERNET_HOP],
  ] as const) {
    ip(`addr add ${router}/30 dev ${link}`);
    ip(`-n ${namespace} addr add ${hop}/30 dev eth0`);
  }
  ip(`route add ${INTERNET_HOP}/32 dev right table 100`);
  ip(`route add ${DEVICE_HOP}/32 dev left table 101`);
  for (const device of ['gi-gw', 'gi-aftr']) ip(`link set ${device} txqueuelen ${TUN_QUEUE}`);
}

/** Runs a body while this carries the packets. */
export async function withCandidate(candidate: Candidate, body: () => Promise<void>): Promise<void> {
  if (candidate === 'kernel') return withoutTunnel(body);
  const [engine, alone] = candidate.split('-');
  const isSeg6 = engine === 'seg6';
  const byKernel = [
    ...(alone === 'aftr' || isSeg6 ? [GATEWAY_BY_KERNEL] : []),
    ...(alone === 'gateway' || isSeg6 ? [AFTR_BY_KERNEL] : []),
  ];
  const starts = [...(alone === 'aftr' ? [] : [startGateway]), ...(alone === 'gateway' ? [] : [startAftr])];
  // The kernel knows one outer source only. Who is alone asks for that of the other end.
  ip(`sr tunsrc set ${alone === 'gateway' ? AFTR_TUNNEL : GATEWAY_TUNNEL}`);
  if (isSeg6) return withRoutes(byKernel, body);
  return withRoutes(byKernel, () =>
    engine === 'c' ? withEngines(starts, body) : withDatapath({ offloads: engine === 'on' }, body),
  );
}

/** Routes that take the place of those to a TUN device, and these. */
type Routes = readonly (readonly [own: string, usual: string])[];

const GATEWAY_BY_KERNEL: Routes = [
  [`route replace default ${ENCAPSULATE_UP} dev right table 100`, 'route replace default dev gi-gw table 100'],
  [
    `-6 route replace ${GATEWAY_TUNNEL}/128 encap seg6local action End.DX4 nh4 ${DEVICE_HOP} dev left`,
    `-6 route replace ${GATEWAY_TUNNEL}/128 dev gi-gw`,
  ],
];
const AFTR_BY_KERNEL: Routes = [
  [`route replace ${DEVICES} ${ENCAPSULATE_DOWN} dev left table 101`, `route replace ${DEVICES} dev gi-aftr table 101`],
  [
    `-6 route replace ${AFTR_TUNNEL}/128 encap seg6local action End.DX4 nh4 ${INTERNET_HOP} dev right`,
    `-6 route replace ${AFTR_TUNNEL}/128 dev gi-aftr`,
  ],
];

async function withRoutes(all: readonly Routes[], body: () => Promise<void>): Promise<void> {
  const routes = all.flat();
  for (const [own] of routes) ip(own);
  try {
    await body();
  } finally {
    for (const [, usual] of routes) ip(usual);
  }
}

async function withEngines(starts: readonly (() => Promise<ChildProcess>)[], body: () => Promise<void>): Promise<void> {
  const running: ChildProcess[] = [];
  try {
    for (const start of starts) running.push(await start());
    await body();
  } finally {
    for (const child of running) await ended(child);
  }
}

const startGateway = () => startEngine('gateway', 'gi-gw', GATEWAY_TUNNEL, AFTR_TUNNEL);
const startAftr = () => startEngine('aftr', 'gi-aftr', AFTR_TUNNEL, GATEWAY_TUNNEL);

async function startEngine(role: string, device: string, own: string, peer: string): Promise<ChildProcess> {
  const words = [role, device, own, DEVICES, peer];
  const child = spawn(nativeProgram('offloads/c-engine'), words, { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`c-engine ${role} ended with ${code}`)));
  });
  return child;
}

function ended(child: ChildProcess): Promise<unknown> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  return end;
}

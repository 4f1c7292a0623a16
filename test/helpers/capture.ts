/** Packets on a link of a topology while a body runs: from before its first until after its last. Needs root and tcpdump. */

import { spawnSync } from 'node:child_process';
import type { HostName, Topology } from '../../tools/topology.ts';
import { stop, until } from '../../tools/topology.ts';

const LONG_MS = 60_000;
/** What tcpdump says when it gets SIGUSR1: what it has written, and what the kernel has had for it. */
const COUNTS = /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/g;
let files = 0;

/** The text that tcpdump makes of what was captured, with these options. @throws Error when tcpdump does not begin */
export async function captured(
  topology: Topology,
  [host, link, filter]: readonly [HostName, string, string],
  body: () => void | Promise<void>,
  options: readonly string[] = ['-n'],
): Promise<string> {
  const file = topology.path(`capture-${++files}.pcap`);
  const words = ['tcpdump', '--immediate-mode', '-U', '-n', '-i', link, '-w', file, ...filter.split(' ')];
  const capturing = topology.start(host, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  capturing.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  if (!(await until(LONG_MS, () => said.includes('listening on')))) throw new Error(`tcpdump does not begin: ${said}`);
  await body();
  const isAllWritten = () => {
    const [written = 0, had = 0, lost = 0] = [...said.matchAll(COUNTS)].at(-1)?.slice(1).map(Number) ?? [0, 1];
    if (written + lost < had) capturing.kill('SIGUSR1');
    return written + lost >= had;
  };
  if (!(await until(LONG_MS, isAllWritten))) throw new Error(`tcpdump does not end: ${said}`);
  await stop(capturing);
  return spawnSync('tcpdump', [...options, '-r', file], { encoding: 'utf8' }).stdout;
}

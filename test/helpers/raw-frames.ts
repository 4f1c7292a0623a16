/** Frames and packets that no well-behaved stack would send, from a network namespace. Needs root. */

import { spawnSync } from 'node:child_process';

/** Sends frames given in hexadecimal on eth0, then prints how many ICMP errors came within a second. */
const SENDER = `
import socket, sys, time
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
link.bind(("eth0", 0x0800))
for frame in sys.argv[1:]:
    link.send(bytes.fromhex(frame))
errors, end = 0, time.monotonic() + 1
while (left := end - time.monotonic()) > 0:
    link.settimeout(left)
    try:
        packet, sender = link.recvfrom(65535)
    except TimeoutError:
        break
    if sender[2] != socket.PACKET_OUTGOING and packet[23] == 1 and packet[34] in (3, 5, 11, 12):
        errors += 1
print(errors)
`;

/**
 * Sends IPv4 packets (hexadecimal) to a link-layer address out of eth0 of a namespace; the number of ICMP errors that came
 * back.
 */
export function sendFrames(namespace: string, mac: string, packets: readonly string[]): number {
  const from = addressOf(namespace);
  const frames = packets.map((packet) => `${mac.replaceAll(':', '')}${from}0800${packet}`);
  const words = ['netns', 'exec', namespace, 'python3', '-c', SENDER, ...frames];
  const { status, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`raw frames: ${stderr}`);
  return Number(stdout);
}

function addressOf(namespace: string): string {
  return macOf(['-n', namespace, 'link', 'show', 'eth0']).replaceAll(':', '');
}

/** Link-layer address of a link of this namespace. */
export function linkAddress(link: string): string {
  return macOf(['link', 'show', link]);
}

function macOf(words: readonly string[]): string {
  const found = /link\/ether (\S+)/.exec(spawnSync('ip', words, { encoding: 'utf8' }).stdout)?.[1];
  if (found === undefined) throw new Error(`ip ${words.join(' ')}: no link-layer address`);
  return found;
}

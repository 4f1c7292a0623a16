/**
 * Sends small UDP packets: `udp-sender.js PACKETS_A_SECOND FIRST_ADDRESS COUNT` to so many consecutive addresses in turn, until its
 * input ends; then writes how many it sent. A rate of 0 is as fast as it can.
 */

import { createSocket } from 'node:dgram';
import { formatIpv4 } from '../../src/address.ts';

const PORT = 9;
const MOST_AT_ONCE = 64;

const [rate = 0, first = 0, count = 1] = process.argv.slice(2).map(Number);
const packet = Buffer.alloc(18);
const targets = Array.from({ length: count }, (_, index) => formatIpv4(first + index));
let isOver = false;
process.stdin.once('end', () => {
  isOver = true;
});
process.stdin.resume();
const socket = createSocket('udp4');
await new Promise<void>((resolve) => socket.bind(0, resolve));
let sent = 0;
const send = () =>
  new Promise<void>((resolve, reject) => {
    const target = targets[sent++ % count];
    socket.send(packet, PORT, target, (error) => (error ? reject(error) : resolve()));
  });
process.stdout.write('ready\n');
const began = performance.now();
while (!isOver) {
  const due = rate === 0 ? MOST_AT_ONCE : Math.floor(((performance.now() - began) / 1000) * rate) - sent;
  if (due > 0) await Promise.all(Array.from({ length: Math.min(due, MOST_AT_ONCE) }, send));
  // The end of the input must be seen, however fast it goes.
  await new Promise((resolve) => (due > 0 ? setImmediate(resolve) : setTimeout(resolve, 1)));
}
socket.close();
process.stdout.write(`${sent}\n`);

/**
 * A process that asks for one leaf again and again over a session of its own: `probe.js SOCKET`. When its input ends it
 * writes how long the longest answer took, in milliseconds. A process of its own, so that no large document of the bench
 * holds it up.
 */

import { NetconfClient } from '../../src/cli/client.ts';

const PAUSE_MS = 20;
const QUESTION =
  '<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6"><aftr><name>edge</name><ipv6-address/></aftr></softwire></filter></get-config>';

let isOver = false;
process.stdin.once('end', () => {
  isOver = true;
});
process.stdin.resume();
const client = await NetconfClient.connect(process.argv[2] ?? '');
process.stdout.write('ready\n');
let longestMs = 0;
while (!isOver) {
  const began = performance.now();
  for await (const _ of client.request(QUESTION));
  longestMs = Math.max(longestMs, performance.now() - began);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
client.close();
process.stdout.write(`${longestMs}\n`);

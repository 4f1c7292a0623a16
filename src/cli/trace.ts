/** `trace`: what would become of a packet, or what becomes of those of an address now; `clear-statistics`. */

import { parseIpv4 } from '../address.ts';
import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, textOf, textsOf } from './client.ts';
import { usageFailure } from './failure.ts';
import type { Output } from './output.ts';
import { printable } from './output.ts';
import type { PacketWish } from './trace-packet.ts';
import { describePacket, packetOf } from './trace-packet.ts';
import { escapeXml } from './xml-text.ts';

export interface TraceOptions extends PacketWish {
  readonly live?: string;
  /** With `live`: how long. */
  readonly seconds?: number;
  readonly json?: boolean;
}

const WISH_OPTIONS = [
  ['from', '--from'],
  ['to', '--to'],
  ['fromPort', '--from-port'],
  ['toPort', '--to-port'],
  ['ttl', '--ttl'],
  ['tunnelFrom', '--tunnel-from'],
  ['tunnelTo', '--tunnel-to'],
] as const satisfies readonly (readonly [keyof PacketWish, string])[];

/** Traces one packet, given in hexadecimal or made of addresses. */
export async function trace(
  client: NetconfClient,
  output: Output,
  hex: string | undefined,
  options: TraceOptions,
): Promise<void> {
  refuseContradictions(hex, options);
  if (options.live !== undefined) return traceLive(client, output, options.live, options);
  const packet = hex === undefined ? packetOf(options) : octetsOf(hex);
  const text = Buffer.from(packet).toString('base64');
  const reply = await client.call(`<trace xmlns="urn:gi-4over6"><packet>${text}</packet></trace>`);
  const sent = textsOf(reply, 'sent-packet').map((octets) => Buffer.from(octets, 'base64'));
  const found = { ...endOf(reply), ...bindingOf(reply) };
  if (options.json) {
    output.line(JSON.stringify({ ...found, sent: sent.map((octets) => octets.toString('hex')) }));
    return;
  }
  output.line(`${describePacket(packet)}: ${sentenceOf(found)}`);
  if (found.prefix !== '') output.line(`  decided by ${bindingText(found)}`);
  for (const octets of sent) {
    output.line(`  would send ${describePacket(octets)}, ${octets.length} octets`);
    output.line(`    ${octets.toString('hex')}`);
  }
}

/** @throws CommandFailure for words of which one would have no effect */
function refuseContradictions(hex: string | undefined, options: TraceOptions): void {
  const { live, seconds, json, ...wish } = options;
  const parts = WISH_OPTIONS.flatMap(([name, option]) => (wish[name] === undefined ? [] : [option]));
  const packet = hex === undefined ? parts : ['a packet in hexadecimal', ...parts];
  if (live !== undefined && packet.length > 0) throw usageFailure(`--live ${live} goes without ${packet.join(', ')}`);
  if (hex !== undefined && parts.length > 0) {
    throw usageFailure(`expected a packet in hexadecimal or ${parts.join(', ')}, came both`);
  }
  if (live === undefined && seconds !== undefined) throw usageFailure(`--seconds ${seconds} goes with --live alone`);
}

function octetsOf(hex: string): Uint8Array {
  const digits = hex.replace(/[\s:]/g, '').toLowerCase();
  if (!/^(?:[0-9a-f]{2})+$/.test(digits)) throw usageFailure('expected a packet in hexadecimal, from its IP header on');
  return Buffer.from(digits, 'hex');
}

/** Most packets of one answer to trace-live. */
const MAXIMUM_PACKETS = 1_000;

/** Shows packets of an address one by one until the time is over; programs are told last how many were missed. */
async function traceLive(
  client: NetconfClient,
  output: Output,
  address: string,
  { seconds = 60, json }: TraceOptions,
): Promise<void> {
  if (parseIpv4(address) === undefined) throw usageFailure(`--live ${address}: expected an IPv4 address`);
  const deadline = Date.now() + 1_000 * seconds;
  let [shown, missed] = [0, 0];
  do {
    const input = `<ipv4-address>${escapeXml(address)}</ipv4-address><seconds>1</seconds><maximum-packets>${MAXIMUM_PACKETS}</maximum-packets>`;
    const reply = await client.call(`<trace-live xmlns="urn:gi-4over6">${input}</trace-live>`);
    for (const packet of nodesAt(reply, 'packet')) {
      output.line(json ? jsonOf(packet) : lineOf(packet));
      shown++;
    }
    missed += Number(textOf(reply, 'missed-packets') || 0);
    await output.flush();
  } while (Date.now() < deadline);
  if (shown === 0 && !json) output.line(`No packet from or to ${address} came within ${seconds} s.`);
  if (missed === 0) return;
  output.line(
    json ? JSON.stringify({ 'missed-packets': missed }) : `${missed} more packets came too fast to be shown.`,
  );
}

interface End {
  readonly verdict: string;
  readonly reason: string;
  readonly instance: string;
}

function endOf(node: ReplyNode): End {
  return { verdict: textOf(node, 'verdict'), reason: textOf(node, 'reason'), instance: textOf(node, 'instance') };
}

interface Binding {
  readonly prefix: string;
  readonly gateway: string;
  /** Only of a port set. */
  readonly psid?: number;
}

/** Empty texts when nothing decides. */
function bindingOf(node: ReplyNode): Binding {
  const [binding = {}] = nodesAt(node, 'binding');
  const psid = textOf(binding, 'psid');
  return {
    prefix: textOf(binding, 'ipv4-prefix'),
    ...(psid !== '' && { psid: Number(psid) }),
    gateway: textOf(binding, 'gateway-ipv6-address'),
  };
}

function bindingText({ prefix, psid, gateway }: Binding): string {
  const what = psid === undefined ? prefix : `${prefix} port set ${psid}`;
  return `${what}, ${gateway === '' ? 'served prefix' : `bound to ${gateway}`}`;
}

function sentenceOf({ verdict, reason, instance }: End): string {
  const by = instance === '' ? '' : ` by ${printable(instance)}`;
  return `${verdict}${by}${reason === '' ? '' : ` (${reason})`}`;
}

function lineOf(packet: ReplyNode): string {
  const header = describePacket(Buffer.from(textOf(packet, 'header'), 'base64'));
  const [time, length] = [textOf(packet, 'time'), textOf(packet, 'length')];
  const binding = bindingOf(packet);
  const by = binding.prefix === '' ? '' : `, decided by ${bindingText(binding)}`;
  const sent = sentOf(packet).map((octets) => describePacket(octets));
  const left = sent.length === 0 ? '' : `, sent ${sent.join(', ')}`;
  const more = Number(textOf(packet, 'sent-packets')) - sent.length;
  const rest = more > 0 ? ` and ${more} more` : '';
  return `${time} ${header}, ${length} octets: ${sentenceOf(endOf(packet))}${by}${left}${rest}`;
}

/** First octets of what left for a packet. */
function sentOf(packet: ReplyNode): Buffer[] {
  return textsOf(packet, 'sent-header').map((octets) => Buffer.from(octets, 'base64'));
}

function jsonOf(packet: ReplyNode): string {
  const header = Buffer.from(textOf(packet, 'header'), 'base64').toString('hex');
  const [time, side, length] = [textOf(packet, 'time'), textOf(packet, 'side'), Number(textOf(packet, 'length'))];
  const sentPackets = Number(textOf(packet, 'sent-packets') || 0);
  const sent = sentOf(packet).map((octets) => octets.toString('hex'));
  return JSON.stringify({ time, side, ...endOf(packet), ...bindingOf(packet), length, header, sentPackets, sent });
}

/** Sets the counters of a gateway or an AFTR to zero. */
export async function clearStatistics(client: NetconfClient, role: string, name: string): Promise<void> {
  const instance = `<name>${escapeXml(name)}</name><clear-statistics/>`;
  await client.call(
    `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6"><${role}>${instance}</${role}></softwire></action>`,
  );
}

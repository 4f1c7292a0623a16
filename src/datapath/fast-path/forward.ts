/**
 * Plain good packets that follow one another in a batch, to and from the tunnel: runs of one side. It stops at a packet that is
 * something else, which it leaves as it was.
 *
 * The loops ask one thing after the other, keep little from one packet to the next, and take from globals what stays: so most of it
 * has a register in compiled code.
 *
 * No packet makes it read or write outside its slot and the 40 octets of headroom before that: of a packet, it reads headers at fixed
 * offsets below 60 + 40, which lie in the slot whatever the length, and before it writes anything, the length that the packet came
 * with, which the device knows, is that of its headers and at least theirs. What it reads elsewhere is at numbers that the control
 * thread wrote, rows and softwires, and at the bits of an address in a first level that has a word for each /24. Where that were not so,
 * the memory of the role still is all that a WebAssembly module reaches.
 */

import {
  AT,
  FORWARDED,
  INSTANCES,
  LENGTHS,
  OTHER_ROWS,
  OWNERS,
  ROWS,
  SIDES,
  SOFTWIRES,
  VERDICTS,
} from '../batch-layout.ts';
import {
  ANY_OWN,
  EGRESS_MTU_MASK,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_FLOW_LABEL,
  FLAG_MSS_CLAMP,
  FLAG_PIPE,
  NO_HOSTS,
  ROW_SHIFT,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_LOCAL,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_SIZES,
} from '../layout.ts';
import { flowLabelOf } from './flow-label.ts';
import {
  DESTINATION,
  filterOf,
  IPV4_LEN,
  IPV4_START,
  IPV4_START_MASK,
  isIcmp,
  isTcpSyn,
  LINK_LOCAL,
  LINK_LOCAL_MASK,
  LOOPBACK,
  lengthField,
  MOST,
  MULTICAST,
  NEXT_HEADER_IPV4,
  OUTER_LEN,
  SOURCE,
  setTos,
  sumOf,
  touchesOwn,
} from './headers.ts';
import { beginJunk, dropFromIpv4, dropFromIpv6, isAdmitted } from './junk.ts';
import { writeOuter } from './outer-header.ts';
import { entries, leavingEcn, outputs, rareIn, rareOut, slab, tableRows, templates } from './places.ts';

/** ECN fields below that leave. */
const ECN_DROP: u32 = 4;
/**
 * In the answer: there is a doubt about the packet it stops at, which is good if it is not too big for its far end.
 */
const DOUBT: u32 = 0x8000;

/** Outputs so far. */
let sent: u32 = 0;
/** The packet that the last run ended at is in doubt. */
let doubt: u32 = 0;
/** Entry of a packet about which a doubt was asked, and is none. */
let trusted: usize = 0;

/**
 * From packet `from` of `count` on, with so many outputs already there. `isTrusted` says that a doubt about the first one was asked
 * about and is none. With `junkMs`, the moment in milliseconds, from 0 on, junk is dropped, too. The answer: number of the packet that
 * it stops at, DOUBT, and 65,536 an output.
 */
export function forward(from: u32, count: u32, sentBefore: u32, isTrusted: bool, junkMs: f64): u32 {
  const end = entries + (count << 2);
  let e = entries + (from << 2);
  trusted = isTrusted ? e : 0;
  sent = sentBefore;
  doubt = 0;
  beginJunk(junkMs);
  while (e < end) {
    const isIpv4 = load<u32>(e, SIDES) === 4;
    e = isIpv4 ? encapsulate(e, end) : decapsulate(e, end);
    if (e === end) break;
    if ((load<u32>(e, SIDES) === 4) !== isIpv4) continue;
    // One of the same side has ended the run because it is not plain.
    if (junkMs < 0 || doubt !== 0) break;
    const junk = e;
    e = isIpv4 ? dropFromIpv4(e, end) : dropFromIpv6(e, end);
    if (e === junk || isAdmitted) break;
  }
  return (sent << 16) | doubt | (<u32>(e - entries) >> 2);
}

/** Writes outer headers before packets from IPv4. The entry of the first one that is not good, or `end`. */
function encapsulate(from: usize, end: usize): usize {
  let slot = sent;
  let e = from;
  for (; e < end; e += 4) {
    if (load<u32>(e, SIDES) !== 4) break;
    const row = load<u32>(e, ROWS);
    if (row === 0) break;
    if (load<u32>(e, OTHER_ROWS) !== 0) break;
    const place = load<u32>(e, AT);
    const len = load<u32>(e, LENGTHS);
    const ip = slab + place;
    const word0 = load<u32>(ip);
    const length = lengthField(len);
    if ((word0 & IPV4_START_MASK) !== ((length << 16) | IPV4_START)) break;
    if (len - IPV4_LEN > MOST - IPV4_LEN) break;
    const word1 = load<u32>(ip, 4);
    const word2 = load<u32>(ip, 8);
    // The kernel has taken a hop before.
    if ((word2 & 0xff) === 0) break;
    const source = load<u32>(ip, SOURCE);
    const destination = load<u32>(ip, DESTINATION);
    if (sumOf(word0, word1, word2, source, destination) < 0xffff0000) break;
    if ((source & 0xff) - 1 >= MULTICAST - 1) break;
    if ((source & 0xff) === LOOPBACK) break;
    if ((source & LINK_LOCAL_MASK) === LINK_LOCAL) break;
    if ((destination & 0xff) - 1 >= MULTICAST - 1) break;
    if ((destination & 0xff) === LOOPBACK) break;
    if ((destination & LINK_LOCAL_MASK) === LINK_LOCAL) break;
    const template = templates + (load<u32>(e, SOFTWIRES) << (SOFTWIRE_SHIFT + 2));
    const flags = load<u32>(template, SOFTWIRE_FLAGS * 4);
    if ((flags & rareIn) !== 0) {
      if (needsMore(ip, flags & rareIn)) break;
    }
    const isBig = u32(<i32>len > load<i32>(template, SOFTWIRE_PAYLOAD_MTU * 4));
    if (((filterOf(source) | filterOf(destination) | isBig) & 1) !== 0) {
      if (touchesOwn(source, destination, NO_HOSTS)) break;
      if (isBig !== 0 && isInDoubt(e)) break;
    }
    const label: u32 =
      (flags & FLAG_FLOW_LABEL) !== 0
        ? flowLabelOf(word1, word2, source, destination, ip + IPV4_LEN, IPV4_LEN, len)
        : 0;
    const far = tableRows + (row << (ROW_SHIFT + 2));
    writeOuter(ip - OUTER_LEN, length, (word0 >> 8) & 0xff, label, flags, template, far);
    send(e, slot, place - OUTER_LEN, len + OUTER_LEN, template);
    slot++;
  }
  sent = slot;
  return e;
}

/**
 * Makes the TOS octets of tunnel packets right that come from the far end that their row names to the tunnel address of its
 * softwire, and fit the IPv4 side. The entry of the first one that is not good, or `end`.
 */
function decapsulate(from: usize, end: usize): usize {
  let slot = sent;
  let e = from;
  for (; e < end; e += 4) {
    if (load<u32>(e, SIDES) === 4) break;
    const row = load<u32>(e, ROWS);
    if (row === 0) break;
    if (load<u32>(e, OTHER_ROWS) !== 0) break;
    const place = load<u32>(e, AT);
    const len = load<u32>(e, LENGTHS) - OUTER_LEN;
    const packet = slab + place;
    const length = lengthField(len);
    if ((load<u32>(packet, 4) & 0xffffff) !== ((NEXT_HEADER_IPV4 << 16) | length)) break;
    const outer: u32 = load<u16>(packet);
    if ((outer & 0xf0) !== 0x60) break;
    const ip = packet + OUTER_LEN;
    const word0 = load<u32>(ip);
    if ((word0 & IPV4_START_MASK) !== ((length << 16) | IPV4_START)) break;
    if (len - IPV4_LEN > MOST - IPV4_LEN) break;
    const template = templates + (load<u32>(e, SOFTWIRES) << (SOFTWIRE_SHIFT + 2));
    const far = v128.xor(v128.load(packet, 8), v128.load(tableRows + (row << (ROW_SHIFT + 2))));
    const local = v128.xor(v128.load(packet, 24), v128.load(template, SOFTWIRE_LOCAL * 4));
    if (v128.any_true(v128.or(far, local))) break;
    const word2 = load<u32>(ip, 8);
    // The kernel takes a hop after.
    if ((word2 & 0xff) <= 1) break;
    const source = load<u32>(ip, SOURCE);
    const destination = load<u32>(ip, DESTINATION);
    if (sumOf(word0, load<u32>(ip, 4), word2, source, destination) < 0xffff0000) break;
    if ((source & 0xff) - 1 >= MULTICAST - 1) break;
    if ((source & 0xff) === LOOPBACK) break;
    if ((source & LINK_LOCAL_MASK) === LINK_LOCAL) break;
    if ((destination & 0xff) - 1 >= MULTICAST - 1) break;
    if ((destination & 0xff) === LOOPBACK) break;
    if ((destination & LINK_LOCAL_MASK) === LINK_LOCAL) break;
    if (len > (load<u32>(template, SOFTWIRE_SIZES * 4) & EGRESS_MTU_MASK)) break;
    const flags = load<u32>(template, SOFTWIRE_FLAGS * 4);
    if ((flags & rareOut) !== 0) {
      if (needsMore(ip, flags & rareOut)) break;
    }
    if (((filterOf(source) | filterOf(destination)) & 1) !== 0) {
      if (touchesOwn(source, destination, ANY_OWN)) break;
    }
    const tos = (word0 >> 8) & 0xff;
    const trafficClass = ((outer & 0xf) << 4) | (outer >> 12);
    // RFC 6040.
    const ecn = <u32>(leavingEcn >> ((((tos & 3) << 2) | (trafficClass & 3)) << 2)) & 15;
    if (ecn >= ECN_DROP) break;
    // DSCP of the outer header unless in pipe mode (RFC 2983 §3).
    const dscp = (flags & FLAG_PIPE) !== 0 ? tos : trafficClass;
    const leaving = (dscp & 0xfc) | ecn;
    if (leaving !== tos) setTos(ip, word0, word2, leaving);
    send(e, slot, place + OUTER_LEN, len, template);
    slot++;
  }
  sent = slot;
  return e;
}

/** Leaves output and verdict of a good packet. */
function send(e: usize, slot: u32, at: u32, len: u32, template: usize): void {
  const output = outputs + (slot << 4);
  store<u64>(output, ((<u64>len) << 32) | at);
  store<u64>(output, 0, 8);
  store<u32>(outputs + (slot << 2), <u32>(e - entries) >> 2, OWNERS);
  store<u32>(e, FORWARDED, VERDICTS);
  store<u32>(e, load<u32>(template, SOFTWIRE_INSTANCE * 4), INSTANCES);
}

/** Notes a doubt, unless it was asked about. */
function isInDoubt(e: usize): bool {
  if (e === trusted) return false;
  doubt = DOUBT;
  return true;
}

/** Whether a packet whose softwire has one of these flags needs what they stand for. */
function needsMore(ip: usize, flags: u32): bool {
  if ((flags & FLAG_ENCAPSULATION_LIMIT) !== 0) return true;
  if ((flags & FLAG_MSS_CLAMP) !== 0 && isTcpSyn(ip)) return true;
  return (flags & ~FLAG_MSS_CLAMP) !== 0 && isIcmp(ip);
}

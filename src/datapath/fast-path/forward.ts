/**
 * Plain good packets that follow one another in a batch, to and from the tunnel. It stops at a packet that is something else, which
 * it leaves as it was.
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
  EGRESS_MTU_MASK,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_MSS_CLAMP,
  FLAG_PIPE,
  ROW_SHIFT,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_LOCAL,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_SIZES,
} from '../layout.ts';
import { IPV4_LEN, isIcmp, isPlainIpv4, isPlainOuter, isTcpSyn, mayTouchOwn, OUTER_LEN, setTos } from './headers.ts';
import { writeOuter } from './outer-header.ts';
import { entries, leavingEcn, outputs, rareIn, rareOut, slab, tableRows, templates } from './places.ts';

/** ECN fields below that leave. */
const ECN_DROP: u32 = 4;
/** The answer: number of a packet, this flag when it is good if it touches no own address and is not too big, and 65,536 an output. */
const DOUBT: u32 = 0x8000;

/**
 * From packet `from` of `count` on, with so many outputs already there. `isTrusted` says that a doubt about the first one was asked
 * about and is none.
 */
export function forward(from: u32, count: u32, sentBefore: u32, isTrusted: bool): u32 {
  // A global is read again at each access, a local is not.
  const packets = slab;
  const first = entries;
  const table = tableRows;
  const templatesAt = templates;
  const rare = rareIn;
  const end = first + (count << 2);
  const start = first + (from << 2);
  const trusted = isTrusted ? start : end;
  let sent = outputs + (sentBefore << 4);
  let owner = outputs + OWNERS + (sentBefore << 2);
  let doubt: u32 = 0;
  let e = start;
  for (; e < end; e += 4) {
    const row = load<u32>(e, ROWS);
    if (row === 0 || load<u32>(e, OTHER_ROWS) !== 0) break;
    const place = load<u32>(e, AT);
    const len = load<u32>(e, LENGTHS);
    const packet = packets + place;
    const far = table + (row << (ROW_SHIFT + 2));
    const template = templatesAt + (load<u32>(e, SOFTWIRES) << (SOFTWIRE_SHIFT + 2));
    const isOuter = load<u32>(e, SIDES) !== 4;
    const header: u32 = isOuter ? OUTER_LEN : 0;
    const ip = packet + header;
    // From IPv4 the kernel takes a hop before; into it, after.
    if (!isPlainIpv4(ip, len - header, isOuter ? 1 : 0)) break;
    if (isOuter) {
      if (!mayLeave(packet, ip, len, far, template)) break;
      if (mayTouchOwn(ip) && e !== trusted) {
        doubt = DOUBT;
        break;
      }
      if (!leave(packet, ip, template)) break;
      store<u64>(sent, ((<u64>(len - OUTER_LEN)) << 32) | (place + OUTER_LEN));
    } else {
      const flags = load<u32>(template, SOFTWIRE_FLAGS * 4);
      if ((flags & rare) !== 0 && needsMore(ip, flags & rare)) break;
      const isBig = <i32>len > load<i32>(template, SOFTWIRE_PAYLOAD_MTU * 4);
      if ((isBig || mayTouchOwn(ip)) && e !== trusted) {
        doubt = DOUBT;
        break;
      }
      writeOuter(ip - OUTER_LEN, ip, IPV4_LEN, len, 0, template, far);
      store<u64>(sent, ((<u64>(len + OUTER_LEN)) << 32) | (place - OUTER_LEN));
    }
    store<u64>(sent, 0, 8);
    store<u32>(owner, <u32>(e - first) >> 2);
    sent += 16;
    owner += 4;
    store<u32>(e, FORWARDED, VERDICTS);
    store<u32>(e, load<u32>(template, SOFTWIRE_INSTANCE * 4), INSTANCES);
  }
  return ((<u32>(sent - outputs)) << 12) | doubt | (<u32>(e - first) >> 2);
}

/** Whether a packet whose softwire has one of these flags needs what they stand for. */
function needsMore(ip: usize, flags: u32): bool {
  if ((flags & FLAG_ENCAPSULATION_LIMIT) !== 0) return true;
  if ((flags & FLAG_MSS_CLAMP) !== 0 && isTcpSyn(ip)) return true;
  return (flags & ~FLAG_MSS_CLAMP) !== 0 && isIcmp(ip);
}

/** Whether a tunnel packet comes from the far end that its row names to the tunnel address of its softwire, and fits the IPv4 side. */
function mayLeave(packet: usize, ip: usize, len: u32, far: usize, template: usize): bool {
  if (!isPlainOuter(packet, len)) return false;
  const source = v128.xor(v128.load(packet, 8), v128.load(far));
  const destination = v128.xor(v128.load(packet, 24), v128.load(template, SOFTWIRE_LOCAL * 4));
  if (v128.any_true(v128.or(source, destination))) return false;
  if (len - OUTER_LEN > (load<u32>(template, SOFTWIRE_SIZES * 4) & EGRESS_MTU_MASK)) return false;
  const rare = load<u32>(template, SOFTWIRE_FLAGS * 4) & rareOut;
  return rare === 0 || !needsMore(ip, rare);
}

/** Writes the TOS octet as it leaves: ECN by RFC 6040, DSCP of the outer header unless in pipe mode. False, and nothing done, for a drop. */
function leave(packet: usize, ip: usize, template: usize): bool {
  const tos: u32 = load<u8>(ip, 1);
  const word0: u32 = load<u16>(packet);
  const trafficClass = ((word0 & 0xf) << 4) | (word0 >> 12);
  const ecn = <u32>(leavingEcn >> ((((tos & 3) << 2) | (trafficClass & 3)) << 2)) & 15;
  if (ecn >= ECN_DROP) return false;
  const isPipe = (load<u32>(template, SOFTWIRE_FLAGS * 4) & FLAG_PIPE) !== 0;
  const leaving = ((isPipe ? tos : trafficClass) & 0xfc) | ecn;
  if (leaving !== tos) setTos(ip, leaving);
  return true;
}

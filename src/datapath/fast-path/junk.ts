/**
 * Packets that end for the commonest reasons, plain or with harmless IPv4 options, decided by a few words: what the slow path would say
 * of them, without its errors and notes. One whose source had none looked at in full for a while is left to the slow path
 * (slow-budget.ts). Of the others it is noted in the batch what violates a binding, and whose errors are suppressed.
 *
 * As in forward.ts, no packet makes it read outside its slot: lengths are checked before options are read.
 */

import {
  AT,
  INSTANCES,
  LENGTHS,
  OTHER_ROWS,
  ROWS,
  SIDES,
  SOFTWIRES,
  SUPPRESSED,
  SUPPRESSED_COUNT,
  SUPPRESSED_WORDS,
  VERDICTS,
  VIOLATORS,
} from '../batch-layout.ts';
import {
  ADMISSION_MS,
  ADMISSION_SHIFT,
  ANY_OWN,
  FLAG_ENABLED,
  FLAG_ICMPV4_ERRORS,
  FLAG_ICMPV6_ERRORS,
  NO_HOSTS,
  ROW_SHIFT,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_IPV4_ADDRESS,
} from '../layout.ts';
import {
  DESTINATION,
  IPV4_LEN,
  IPV4_START,
  isHost,
  isIcmp,
  lengthField,
  MOST,
  NEXT_HEADER_IPV4,
  OUTER_LEN,
  OUTER_SOURCE,
  SOURCE,
  sumOf,
  swap,
  touchesOwn,
} from './headers.ts';
import { hasRow, hasShared } from './look-up.ts';
import {
  admissions,
  entries,
  flowKey,
  isGatewayRole,
  noBinding,
  noInstance,
  outsideServedPrefix,
  slab,
  sourceMismatch,
  tableRows,
  unboundSource,
  wrongAftr,
} from './places.ts';
import { counts, endNotes, nextNote, refuse } from './row-counts.ts';
import { firstInstance, hasLocal, isLocal, poolSoftwire, softwireAt, templateOf } from './softwires.ts';

/** In an IPv6 header. */
const OUTER_DESTINATION: usize = 24;
/** The other end that a gateway's softwire has. */
const SOFTWIRE_REMOTE: usize = 24;
/** Of the word of an IPv4 header that begins with the identification: the fragment offset; and with it, more fragments. */
const OFFSET: u32 = 0xff1f0000;
const MORE_OR_OFFSET: u32 = 0xff3f0000;
/** Ports stand in the first octets behind the header. */
const PORTS_LEN: u32 = 4;
const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_LSRR: u32 = 131;
const OPTION_SSRR: u32 = 137;

/** The packet that the last run ended at is junk that the slow path is to look at. */
export let isAdmitted: bool = false;
/** The moment. */
let nowMs: f64 = 0;
/** The softwire that the last packet came to; most of a flood comes to one tunnel address. */
let lastSoftwire: u32 = 0;

export function beginJunk(junkMs: f64): void {
  nowMs = junkMs;
  isAdmitted = false;
  lastSoftwire = 0;
}

/** Drops packets from IPv4. The entry of the first one that is not junk, or that the slow path is to look at, or `end`. */
export function dropFromIpv4(from: usize, end: usize): usize {
  let e = from;
  for (; e < end; e += 4) {
    if (load<u32>(e, SIDES) !== 4) break;
    if ((load<u32>(e, ROWS) | load<u32>(e, OTHER_ROWS)) !== 0) break;
    const ip = slab + load<u32>(e, AT);
    const len = load<u32>(e, LENGTHS);
    if (!isSound(ip, len)) break;
    const source = load<u32>(ip, SOURCE);
    const destination = load<u32>(ip, DESTINATION);
    if (touchesOwn(source, destination, NO_HOSTS)) break;
    if (isGatewayRole) {
      if (admits(spread(mixed(flowKey, source)))) break;
      endWith(e, outsideServedPrefix, firstInstance());
      continue;
    }
    const isShared = hasShared && hasRow(destination);
    if (isShared && !hasPlainPort(ip, len)) break;
    if (admits(spread(mixed(flowKey, source)))) break;
    const softwire = poolSoftwire(swap(destination));
    if (softwire === 0) {
      endWith(e, noInstance, firstInstance());
      continue;
    }
    const template = templateOf(softwire);
    const instance = load<u32>(template, SOFTWIRE_INSTANCE * 4);
    // About a port of a shared address that nobody has, the slow path tells nobody either.
    if (!isShared && isErrorDue(ip, len, template)) suppress(instance, 4, 1);
    endWith(e, noBinding, instance);
  }
  return e;
}

/** The same for packets from IPv6. */
export function dropFromIpv6(from: usize, end: usize): usize {
  let softwire = lastSoftwire;
  let template = templateOf(softwire);
  let instance = load<u32>(template, SOFTWIRE_INSTANCE * 4);
  let isCounted = counts(instance);
  let untold: u32 = 0;
  let note = nextNote();
  let e = from;
  for (; e < end; e += 4) {
    if (load<u32>(e, SIDES) === 4) break;
    const row = load<u32>(e, ROWS);
    if (row !== 0 && !has(load<u32>(e, SOFTWIRES), FLAG_ENABLED)) break;
    const outer = slab + load<u32>(e, AT);
    const len = load<u32>(e, LENGTHS) - OUTER_LEN;
    if (!isPlainOuter(outer, len) || !isSound(outer + OUTER_LEN, len)) break;
    const inner = outer + OUTER_LEN;
    const source = load<u32>(inner, SOURCE);
    if (mayBeMartian(load<u32>(outer, OUTER_SOURCE))) break;
    if (touchesOwn(source, load<u32>(inner, DESTINATION), ANY_OWN)) break;
    if (softwire === 0 || !hasLocal(softwire, outer + OUTER_DESTINATION)) {
      suppress(instance, 6, untold);
      untold = 0;
      softwire = softwireAt(outer + OUTER_DESTINATION);
      template = templateOf(softwire);
      instance = load<u32>(template, SOFTWIRE_INSTANCE * 4);
      isCounted = counts(instance);
    }
    if (softwire === 0) break;
    const far = isGatewayRole ? template + SOFTWIRE_REMOTE : tableRows + (row << (ROW_SHIFT + 2));
    const isFromFar = !v128.any_true(v128.xor(v128.load(outer, OUTER_SOURCE), v128.load(far)));
    if (row !== 0 && isFromFar) break;
    if (row === 0 && hasShared && !isGatewayRole && hasRow(source) && !hasPlainPort(inner, len)) break;
    const hash = hashOf(outer + OUTER_SOURCE);
    if (admits(hash)) break;
    if (!isGatewayRole) {
      endWith(e, row === 0 ? unboundSource : sourceMismatch, instance);
      if (isCounted) {
        refuse(note, e, instance, hash);
        note += 4;
      }
      untold += u32(isRefusalDue(outer, template));
    } else if (isFromFar) {
      endWith(e, outsideServedPrefix, instance);
    } else {
      store<u32>(e, 0, ROWS);
      endWith(e, wrongAftr, instance);
    }
  }
  suppress(instance, 6, untold);
  endNotes(note);
  lastSoftwire = softwire;
  return e;
}

function endWith(e: usize, verdict: u32, instance: u32): void {
  store<u32>(e, verdict, VERDICTS);
  store<u32>(e, 0, VIOLATORS);
  store<u32>(e, instance, INSTANCES);
}

function has(softwire: u32, flag: u32): bool {
  return (load<u32>(templateOf(softwire), SOFTWIRE_FLAGS * 4) & flag) !== 0;
}

// Headers ---------------------------------------------------------------------------------------------------------------

/** IPv6 with a payload of `len` octets, as were received, and IPv4 right behind the header. */
function isPlainOuter(outer: usize, len: u32): bool {
  const isIpv4 = (load<u32>(outer, 4) & 0xffffff) === ((NEXT_HEADER_IPV4 << 16) | lengthField(len));
  return isIpv4 && (load<u32>(outer) & 0xf0) === 0x60;
}

/** Whether an IPv6 address that begins with this word may be multicast, link-local, unspecified or loopback. */
function mayBeMartian(word: u32): bool {
  return word === 0 || (word & 0xff) >= 0xfe;
}

/** Whether an IPv4 packet of exactly `len` octets is plain, or has nothing more than options that choose no route. */
function isSound(ip: usize, len: u32): bool {
  const word0 = load<u32>(ip);
  if (len - IPV4_LEN > MOST - IPV4_LEN || word0 >> 16 !== lengthField(len)) return false;
  const source = load<u32>(ip, SOURCE);
  const destination = load<u32>(ip, DESTINATION);
  if (!isHost(source) || !isHost(destination)) return false;
  if ((word0 & 0xff) !== IPV4_START) return hasSoundOptions(ip, word0, len);
  return sumOf(word0, load<u32>(ip, 4), load<u32>(ip, 8), source, destination) >= 0xffff0000;
}

function hasSoundOptions(ip: usize, word0: u32, len: u32): bool {
  const header = (word0 & 15) << 2;
  if ((word0 & 0xf0) !== 0x40 || header <= IPV4_LEN || header > len) return false;
  let sum: u64 = 0;
  for (let at: u32 = 0; at < header; at += 4) sum += load<u32>(ip + at);
  const folded = <u32>sum + <u32>(sum >> 32);
  return folded + rotl<u32>(folded, 16) >= 0xffff0000 && !hasSourceRoute(ip, header);
}

/** RFC 791 §3.1. A length that cannot be makes an option the last one. */
function hasSourceRoute(ip: usize, header: u32): bool {
  for (let at = IPV4_LEN; at < header; ) {
    const option: u32 = load<u8>(ip + at);
    if (option === OPTION_END) return false;
    if (option === OPTION_LSRR || option === OPTION_SSRR) return true;
    const octets: u32 = option === OPTION_NOP ? 1 : at + 1 < header ? load<u8>(ip + at, 1) : 0;
    if (octets < 2 && option !== OPTION_NOP) return false;
    at += octets;
  }
  return false;
}

/** Whether a packet that is sound has no options, is no fragment, and shows ports, as ports.ts says it. */
function hasPlainPort(ip: usize, len: u32): bool {
  if (load<u8>(ip) !== IPV4_START || len < IPV4_LEN + PORTS_LEN) return false;
  if ((load<u32>(ip, 4) & MORE_OR_OFFSET) !== 0) return false;
  const protocol: u32 = load<u8>(ip, 9);
  return protocol === 6 || protocol === 17 || protocol === 33 || protocol === 132 || protocol === 136;
}

// What is noted of it ---------------------------------------------------------------------------------------------------

/** Whether the packet is left to the slow path: the first one of a slot of sources in a while is. */
function admits(hash: u32): bool {
  const slot = admissions + ((hash >> ADMISSION_SHIFT) << 3);
  if (nowMs - load<f64>(slot) < ADMISSION_MS) return false;
  store<f64>(slot, nowMs);
  isAdmitted = true;
  return true;
}

/** That so many errors are suppressed. */
function suppress(instance: u32, side: u32, errors: u32): void {
  if (errors === 0) return;
  const count = load<u32>(entries, SUPPRESSED_COUNT);
  const last = entries + (count - 1) * (SUPPRESSED_WORDS * 4);
  if (count > 0 && load<u32>(last, SUPPRESSED) === instance && load<u32>(last, SUPPRESSED + 4) === side) {
    store<u32>(last, load<u32>(last, SUPPRESSED + 8) + errors, SUPPRESSED + 8);
    return;
  }
  const next = last + SUPPRESSED_WORDS * 4;
  store<u32>(next, instance, SUPPRESSED);
  store<u32>(next, side, SUPPRESSED + 4);
  store<u32>(next, errors, SUPPRESSED + 8);
  store<u32>(entries, count + 1, SUPPRESSED_COUNT);
}

/**
 * Whether an ICMPv4 error may be sent about a packet between hosts, none of them this device's, apart from the rate (replies.ts; RFC 1812
 * §4.3.2.7).
 */
function isErrorDue(ip: usize, len: u32, template: usize): bool {
  if (load<u32>(template, SOFTWIRE_IPV4_ADDRESS * 4) === 0) return false;
  if ((load<u32>(template, SOFTWIRE_FLAGS * 4) & FLAG_ICMPV4_ERRORS) === 0) return false;
  if ((load<u32>(ip, 4) & OFFSET) !== 0) return false;
  if (!isIcmp(ip)) return true;
  const header = (<u32>load<u8>(ip) & 15) << 2;
  return len > header && !isErrorType(load<u8>(ip + header));
}

function isErrorType(type: u32): bool {
  return (type >= 3 && type <= 5) || type === 11 || type === 12;
}

/** Whether an ICMPv6 error may be sent. What else RFC 4443 §2.4 (e) excludes is not plain. */
function isRefusalDue(outer: usize, template: usize): bool {
  return (load<u32>(template, SOFTWIRE_FLAGS * 4) & FLAG_ICMPV6_ERRORS) !== 0 && !isLocal(outer + OUTER_SOURCE);
}

/** As source-hash.ts has it, of the 16 octets at `at`. */
function hashOf(at: usize): u32 {
  let hash = mixed(flowKey, load<u32>(at));
  hash = mixed(hash, load<u32>(at, 4));
  hash = mixed(hash, load<u32>(at, 8));
  return spread(mixed(hash, load<u32>(at, 12)));
}

function mixed(hash: u32, word: u32): u32 {
  return ((hash ^ word) * 0x9e3779b1) ^ (hash >> 15);
}

function spread(hash: u32): u32 {
  return (hash ^ (hash >> 15)) * 0x85ebca6b;
}

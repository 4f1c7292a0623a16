/** Which softwire a packet belongs to that no row leads to one, as softwires.ts says. */

import {
  FLAG_ENABLED,
  POOL_WORDS,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_LOCAL,
  SOFTWIRE_SHIFT,
} from '../layout.ts';
import { byLocal, byLocalMask, highestSoftwire, localFilter, poolCount, pools, templates } from './places.ts';

const HASH_FACTOR: u32 = 0x9e3779b1;

/** The words of a softwire. */
export function templateOf(softwire: u32): usize {
  return templates + (softwire << (SOFTWIRE_SHIFT + 2));
}

/** The softwire of the pool that holds an address (a number, not as a packet has it); 0 when none does. */
export function poolSoftwire(address: u32): u32 {
  let low: i32 = 0;
  let high: i32 = load<i32>(poolCount) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const pool = pools + middle * (POOL_WORDS * 4);
    if (address < load<u32>(pool)) high = middle - 1;
    else if (address > load<u32>(pool, 4)) low = middle + 1;
    else return load<u32>(pool, 8);
  }
  return 0;
}

/** The softwire whose tunnel address are the 16 octets at `at`; 0 when there is none. Most places are free, which ends the search. */
export function softwireAt(at: usize): u32 {
  let place = placeOf(at);
  let softwire = load<u32>(byLocal + (place << 2));
  while (softwire !== 0 && !hasLocal(softwire, at)) {
    place = (place + 1) & byLocalMask;
    softwire = load<u32>(byLocal + (place << 2));
  }
  return softwire;
}

/** Whether the tunnel address of a softwire are the 16 octets at `at`. */
export function hasLocal(softwire: u32, at: usize): bool {
  return !v128.any_true(v128.xor(v128.load(at), v128.load(templateOf(softwire), SOFTWIRE_LOCAL * 4)));
}

/** Whether the 16 octets at `at` are a tunnel address. */
export function isLocal(at: usize): bool {
  const bit = (load<u32>(at, 12) * HASH_FACTOR) >> 27;
  return ((load<u32>(localFilter) >> bit) & 1) !== 0 && softwireAt(at) !== 0;
}

/** The instance of the first softwire in use: what belongs to no other counts there. */
export function firstInstance(): u32 {
  const highest = load<u32>(highestSoftwire);
  for (let softwire: u32 = 1; softwire <= highest; softwire++) {
    const template = templateOf(softwire);
    if ((load<u32>(template, SOFTWIRE_FLAGS * 4) & FLAG_ENABLED) !== 0)
      return load<u32>(template, SOFTWIRE_INSTANCE * 4);
  }
  return 0;
}

function placeOf(at: usize): u32 {
  const mixed = (load<u32>(at) ^ ((load<u32>(at, 4) ^ load<u32>(at, 8)) * 31)) * 31;
  return (((mixed ^ load<u32>(at, 12)) * HASH_FACTOR) >> 16) & byLocalMask;
}

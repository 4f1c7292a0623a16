/** libyang's judgement of operations, which without their contents are mostly the same few texts. */

import type { ValidationFault } from 'netconf-server';

/** Texts that are remembered, and characters of one at most. */
const REMEMBERED = 64;
const CHARACTERS = 1_024;

/** `check` asked once for each text without a fault, as far as texts are remembered: its answer depends on nothing else. */
export function rememberGood(
  check: (xml: string) => readonly ValidationFault[],
): (xml: string) => readonly ValidationFault[] {
  const good = new Set<string>();
  return (xml) => {
    if (good.has(xml)) return [];
    const faults = check(xml);
    if (faults.length > 0 || xml.length > CHARACTERS) return faults;
    // The oldest goes: a set keeps the order in which it was filled.
    for (const oldest of good) {
      if (good.size < REMEMBERED) break;
      good.delete(oldest);
    }
    good.add(xml);
    return faults;
  };
}

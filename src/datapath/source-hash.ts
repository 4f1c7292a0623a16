/**
 * A hash of the IPv6 address that a packet comes from, by which all is looked up that is known of a source; fast-path/junk.ts computes
 * the same one. Nobody who does not know the seed can choose sources that share one.
 */

/** Of the IPv6 address at word `w`. */
export function ofIpv6(words: Int32Array, w: number, seed: number): number {
  // Written out: a loop costs a packet of a flood more than the hash does.
  let hash = mixed(seed, words[w] ?? 0);
  hash = mixed(hash, words[w + 1] ?? 0);
  hash = mixed(hash, words[w + 2] ?? 0);
  return spread(mixed(hash, words[w + 3] ?? 0));
}

function mixed(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 15);
}

/** Lets each bit of a hash change the high ones; a signed word. */
function spread(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
}

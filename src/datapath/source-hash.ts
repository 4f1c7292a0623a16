/**
 * A hash of where a packet comes from: computed once a packet, and used for all that is looked up by its source. Nobody who
 * does not know the seed can choose sources that share one.
 */

import type { Batch } from './batch.ts';
import { SOURCE_WORD } from './plain.ts';

const OUTER_SOURCE_WORD = 2;

/** Of packet `k`, whose version is known: of its outer source (`ofIpv6`), or of its source when it is no tunnel packet. */
export function ofPacket({ words, at, sides }: Batch, k: number, seed: number): number {
  const w = (at[k] ?? 0) >> 2;
  return sides[k] === 4 ? spread(mixed(seed, words[w + SOURCE_WORD] ?? 0)) : ofIpv6(words, w + OUTER_SOURCE_WORD, seed);
}

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

/** Random numbers for tests: the same again with GI4OVER6_SEED, new in each run without. */

const given = Number(process.env.GI4OVER6_SEED ?? Date.now());

/** The seed of this run; tests print it in their names. */
export const seed = Number.isSafeInteger(given) ? given >>> 0 : 1;

/** A generator of unsigned 32-bit numbers (xorshift of Marsaglia), the same for the same seed. */
export function random(from = seed): () => number {
  let state = from >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

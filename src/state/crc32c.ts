/** CRC-32C (Castagnoli; RFC 3720 appendix B.4 has vectors): the check of every row and record in the store. */

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC of `octets` from `from` to before `to`, continuing from `crc` of what came before (0 at the start); unsigned. */
export function crc32c(octets: Uint8Array, crc = 0, from = 0, to = octets.length): number {
  let state = ~crc;
  for (let i = from; i < to; i++) state = (state >>> 8) ^ (TABLE[(state ^ (octets[i] ?? 0)) & 255] ?? 0);
  return ~state >>> 0;
}

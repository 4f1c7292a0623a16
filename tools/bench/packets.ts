/** Packets of benches, written a word at a time so that filling a batch costs little. `word` is that of the first octet. */

import { swapWord } from '../../src/datapath/memory.ts';

/** The first 20 octets of an IPv4 packet of `len` octets with UDP, between two addresses (numbers). */
export function writeUdpWords(words: Int32Array, word: number, len: number, source: number, destination: number): void {
  const from = swapWord(source);
  const to = swapWord(destination);
  const length = (len >> 8) | ((len & 0xff) << 8);
  words[word] = 0x45 | (length << 16);
  words[word + 1] = 0;
  words[word + 3] = from;
  words[word + 4] = to;
  let sum = 0x45 + length + 64 + (17 << 8);
  sum += (from & 0xffff) + (from >>> 16) + (to & 0xffff) + (to >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  words[word + 2] = 64 | (17 << 8) | ((~sum & 0xffff) << 16);
}

/** The outer header of an IPv4 packet of `len` octets in a tunnel, between two addresses (16 octets). */
export function writeTunnelWords(
  words: Int32Array,
  word: number,
  len: number,
  source: Uint8Array,
  destination: Uint8Array,
): void {
  words[word] = 0x60;
  words[word + 1] = (len >> 8) | ((len & 0xff) << 8) | (4 << 16) | (64 << 24);
  copyAddress(words, word + 2, source);
  copyAddress(words, word + 6, destination);
}

function copyAddress(words: Int32Array, word: number, octets: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    const at = 4 * i;
    const low = (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8);
    words[word + i] = low | ((octets[at + 2] ?? 0) << 16) | ((octets[at + 3] ?? 0) << 24);
  }
}

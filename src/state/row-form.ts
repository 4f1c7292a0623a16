/**
 * The form of rows in the store: a key that sorts by prefix, and a sealed value.
 *
 *     key    | address, 4 octets | length, 1 octet |             network order
 *     value  | format, 1 octet | presence bits, 1 octet | fields | CRC-32C, 4 octets |
 *
 * The CRC covers the key as well, so that a value under a wrong key is seen.
 */

import { crc32c } from './crc32c.ts';
import { DamageError } from './model-values.ts';

export const KEY_LENGTH = 5;
const HEAD_LENGTH = 2;
const CRC_LENGTH = 4;
/** A row of today's model has at most 1,061 octets. */
const LONGEST_ROW = 4_096;

const ENCODER = new TextEncoder();

/** The key of a prefix: sorted by address, a shorter prefix before a longer one. */
export function bindingKey(address: number, length: number): Uint8Array {
  const key = new Uint8Array(KEY_LENGTH);
  key[0] = address >>> 24;
  key[1] = address >>> 16;
  key[2] = address >>> 8;
  key[3] = address;
  key[4] = length;
  return key;
}

/** The prefix of a key. */
export function prefixOfKey(key: Uint8Array): { readonly address: number; readonly length: number } {
  return { address: uint32At(key, 0), length: key[4] ?? 0 };
}

function uint32At(octets: Uint8Array, at: number): number {
  const high = ((octets[at] ?? 0) << 24) | ((octets[at + 1] ?? 0) << 16);
  return (high | ((octets[at + 2] ?? 0) << 8) | (octets[at + 3] ?? 0)) >>> 0;
}

/**
 * Writes one row at a time: `begin`, its fields in order, each with its presence bit, `seal`. One writer serves all
 * rows: 0.7 µs a row, against 1.3 µs with a buffer for each field.
 */
export class RowWriter {
  /** Key, then value. */
  readonly #octets = new Uint8Array(LONGEST_ROW);
  #at = 0;
  #present = 0;

  begin(address: number, length: number, format: number): void {
    this.#putUint32(0, address);
    this.#octets[4] = length;
    this.#octets[KEY_LENGTH] = format;
    this.#at = KEY_LENGTH + HEAD_LENGTH;
    this.#present = 0;
  }

  ipv6(bit: number, address: Uint8Array | undefined): void {
    if (address === undefined) return;
    this.#present |= bit;
    for (let i = 0; i < 16; i++) this.#octets[this.#at++] = address[i] ?? 0;
  }

  /** Two octets of length in network order, then UTF-8. @throws Error when the row grows too long */
  text(bit: number, text: string | undefined): void {
    if (text === undefined) return;
    this.#present |= bit;
    const room = this.#octets.subarray(this.#at + 2, LONGEST_ROW - CRC_LENGTH - 1);
    const { read, written } = ENCODER.encodeInto(text, room);
    if (read < text.length) throw new Error(`a text of ${text.length} characters does not fit into a row`);
    this.#octets[this.#at] = written >>> 8;
    this.#octets[this.#at + 1] = written & 255;
    this.#at += 2 + written;
  }

  octet(bit: number, value: number): void {
    this.#present |= bit;
    this.#octets[this.#at++] = value;
  }

  /** The value of the row, in memory of its own. */
  seal(): Uint8Array {
    this.#octets[KEY_LENGTH + 1] = this.#present;
    this.#putUint32(this.#at, crc32c(this.#octets, 0, 0, this.#at));
    return this.#octets.slice(KEY_LENGTH, this.#at + CRC_LENGTH);
  }

  #putUint32(at: number, value: number): void {
    this.#octets[at] = value >>> 24;
    this.#octets[at + 1] = value >>> 16;
    this.#octets[at + 2] = value >>> 8;
    this.#octets[at + 3] = value;
  }
}

/** Reads the fields of one row in order; what it returns shares no memory with the row. 0.3 µs a row. */
export class RowReader {
  readonly #octets: Uint8Array;
  readonly #end: number;
  readonly #present: number;
  readonly #room: readonly Uint8Array[];
  #addresses = 0;
  #at = HEAD_LENGTH;

  /** Checks the value under `key`; addresses go to `room`, as far as it goes. @throws DamageError when the CRC or the format is wrong */
  constructor(key: Uint8Array, value: Uint8Array, format: number, room: readonly Uint8Array[]) {
    const end = value.length - CRC_LENGTH;
    if (end < HEAD_LENGTH || crc32c(value, crc32c(key), 0, end) !== uint32At(value, end)) {
      throw new DamageError(
        `the stored row of key ${Buffer.from(key).toString('hex')} is damaged: its CRC does not fit`,
      );
    }
    if (value[0] !== format) throw new DamageError(`a stored row has form ${value[0]}, this program knows ${format}`);
    this.#octets = value;
    this.#room = room;
    this.#end = end;
    this.#present = value[1] ?? 0;
  }

  has(bit: number): boolean {
    return (this.#present & bit) !== 0;
  }

  ipv6(): Uint8Array {
    const from = this.#take(16);
    const address = this.#room[this.#addresses++] ?? new Uint8Array(16);
    for (let i = 0; i < 16; i++) address[i] = this.#octets[from + i] ?? 0;
    return address;
  }

  text(): string {
    const length = (this.octet() << 8) | this.octet();
    const from = this.#take(length);
    const octets = this.#octets;
    const whole = Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.length);
    // A part of a Buffer as one of its own takes longer than reading it.
    return whole.toString('utf8', from, from + length);
  }

  octet(): number {
    return this.#octets[this.#take(1)] ?? 0;
  }

  /** One octet as a place in `names`. @throws DamageError when there is no such place */
  choice<Name extends string>(names: readonly Name[]): Name {
    const place = this.octet();
    const name = names[place];
    if (name === undefined)
      throw new DamageError(`a stored row has value ${place} where ${names.join(', ')} are known`);
    return name;
  }

  /** After the last field. @throws DamageError when octets are left */
  end(): void {
    if (this.#at !== this.#end) throw new DamageError('a stored row is longer than its form says');
  }

  #take(length: number): number {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new DamageError('a stored row is shorter than its form says');
    return from;
  }
}

/** Rows as they lie in the store: octet by octet, and every damage that must be seen. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Binding } from '../../src/state/binding.generated.ts';
import { decodeBinding, encodeBinding } from '../../src/state/binding.generated.ts';
import { crc32c } from '../../src/state/crc32c.ts';
import { DamageError } from '../../src/state/model-values.ts';
import { bindingKey, prefixOfKey } from '../../src/state/row-form.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('row-form');

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const GATEWAY = '20010db8000a00000000000000000001';
const AFTR = '20010db8000b00000000000000000002';
const plain: Binding = {
  address: 0xc0000200,
  length: 28,
  gatewayIpv6Address: Buffer.from(GATEWAY, 'hex'),
  aftrIpv6Address: undefined,
  description: undefined,
  origin: 'static',
};

/** The form by its description: format, presence bits, gateway, AFTR, text, origin. */
const rows = [
  ['gateway alone', plain, `0109${GATEWAY}00`],
  ['learned', { ...plain, origin: 'learned' }, `0109${GATEWAY}01`],
  ['with an AFTR address', { ...plain, aftrIpv6Address: Buffer.from(AFTR, 'hex') }, `010b${GATEWAY}${AFTR}00`],
  ['with a description', { ...plain, description: 'Zürich' }, `010d${GATEWAY}00075ac3bc7269636800`],
  ['with a mark at its beginning', { ...plain, description: '\ufeffx' }, `010d${GATEWAY}0004efbbbf7800`],
  ['with an empty description', { ...plain, description: '' }, `010d${GATEWAY}000000`],
  [
    'with everything',
    { ...plain, aftrIpv6Address: Buffer.from(AFTR, 'hex'), description: 'x', origin: 'learned' },
    `010f${GATEWAY}${AFTR}00017801`,
  ],
] as const satisfies readonly (readonly [string, Binding, string])[];

function sealed(key: Uint8Array, body: string): Uint8Array {
  const octets = Buffer.from(body, 'hex');
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(octets, crc32c(key)));
  return Buffer.concat([octets, crc]);
}

const plainOctets = (octets: Uint8Array | undefined): string | undefined => octets && hex(octets);
const comparable = (binding: Binding): unknown => ({
  ...binding,
  gatewayIpv6Address: hex(binding.gatewayIpv6Address),
  aftrIpv6Address: plainOctets(binding.aftrIpv6Address),
});

for (const [name, binding, body] of rows) {
  test(`row ${name}`, () => {
    const key = bindingKey(binding.address, binding.length);
    assert.is(hex(encodeBinding(binding)), hex(sealed(key, body)));
    assert.equal(comparable(decodeBinding(key, sealed(key, body))), comparable(binding));
  });
}

test('the longest description fits', () => {
  const longest = { ...plain, aftrIpv6Address: plain.gatewayIpv6Address, description: '\u{1f600}'.repeat(255) };
  const value = encodeBinding(longest);
  assert.is(value.length, 1_061);
  assert.equal(comparable(decodeBinding(bindingKey(plain.address, plain.length), value)), comparable(longest));
});

test('a row keeps no memory of its value', () => {
  const key = bindingKey(plain.address, plain.length);
  const value = Buffer.from(encodeBinding(plain));
  const decoded = decodeBinding(key, value);
  value.fill(0);
  assert.is(hex(decoded.gatewayIpv6Address), GATEWAY);
});

test('damage: every octet of key and value is covered by the CRC', () => {
  const key = bindingKey(plain.address, plain.length);
  const value = encodeBinding({ ...plain, description: 'x' });
  for (let i = 0; i < key.length + value.length; i++) {
    const octets = Buffer.concat([key, value]);
    octets[i] = (octets[i] ?? 0) ^ 0x10;
    assert.throws(
      () => decodeBinding(octets.subarray(0, key.length), octets.subarray(key.length)),
      (error: unknown) => error instanceof DamageError,
      `octet ${i}`,
    );
  }
});

const damaged = [
  ['nothing', ''],
  ['a format of the future', `0209${GATEWAY}00`],
  ['too short for its gateway', `0109${GATEWAY.slice(2)}`],
  ['an AFTR address announced and not there', `010b${GATEWAY}00`],
  ['a text longer than the row', `010d${GATEWAY}00ff7800`],
  ['an unknown origin', `0109${GATEWAY}02`],
  ['octets after the last field', `0109${GATEWAY}0000`],
] as const;
for (const [name, body] of damaged) {
  test(`damage: ${name}`, () => {
    const key = bindingKey(plain.address, plain.length);
    const value = body === '' ? new Uint8Array(0) : sealed(key, body);
    assert.throws(
      () => decodeBinding(key, value),
      (error: unknown) => error instanceof DamageError,
    );
  });
}

test(`keys sort as prefixes, seed ${seed}`, () => {
  const next = random();
  const prefixes = Array.from({ length: 2_000 }, () => ({ address: next(), length: next() % 33 }));
  for (const prefix of prefixes) {
    assert.equal(prefixOfKey(bindingKey(prefix.address, prefix.length)), prefix);
  }
  const byKey = [...prefixes].sort((a, b) =>
    Buffer.compare(bindingKey(a.address, a.length), bindingKey(b.address, b.length)),
  );
  assert.equal(
    byKey,
    [...prefixes].sort((a, b) => a.address - b.address || a.length - b.length),
  );
});

test.run();

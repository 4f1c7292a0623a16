import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Binding } from '../../src/state/binding.generated.ts';
import { encodeBinding } from '../../src/state/binding.generated.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import { bindingKey } from '../../src/state/row-form.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('content hash');
const next = random();
const NAMES = ['a', 'edge', 'ä-b'];

function randomRow(): { instance: string; binding: Binding } {
  const gatewayIpv6Address = Uint8Array.from({ length: 16 }, () => next() % 256);
  const binding: Binding = {
    address: next() >>> 0,
    length: next() % 33,
    gatewayIpv6Address,
    aftrIpv6Address: next() % 2 === 0 ? gatewayIpv6Address : undefined,
    description: next() % 2 === 0 ? 'x'.repeat(next() % 255) : undefined,
    origin: 'static',
  };
  return { instance: NAMES[next() % NAMES.length] ?? 'a', binding };
}

/** The same by whole numbers of any size. */
function plainHash(rows: readonly { instance: string; binding: Binding }[]): string {
  let sum = 0n;
  for (const { instance, binding } of rows) {
    const hash = createHash('sha256').update(`${instance}\u0000`).update(bindingKey(binding.address, binding.length));
    sum += BigInt(`0x${hash.update(encodeBinding(binding)).digest('hex')}`);
  }
  return (sum % (1n << 256n)).toString(16).padStart(64, '0');
}

test(`sums and differences are those of whole numbers modulo 2^256, seed ${seed}`, () => {
  const rows = Array.from({ length: 300 }, randomRow);
  const hash = new ContentHash();
  assert.is(hash.text, '0'.repeat(64));
  for (const { instance, binding } of rows) hash.addBinding(instance, binding);
  assert.is(hash.text, plainHash(rows));
  const going = rows.slice(0, 120);
  const again = new ContentHash(hash.text);
  for (const { instance, binding } of going) again.subtractBinding(instance, binding);
  assert.is(again.text, plainHash(rows.slice(120)));
  for (const { instance, binding } of going) again.addBinding(instance, binding);
  assert.is(again.text, hash.text);
});

test('below zero it begins again at the top', () => {
  const row = randomRow();
  const hash = new ContentHash();
  hash.subtractBinding(row.instance, row.binding);
  hash.addBinding(row.instance, row.binding);
  assert.is(hash.text, '0'.repeat(64));
});

test('many rows between two looks lose no bit', () => {
  const row = randomRow();
  const hash = new ContentHash();
  const count = 2 ** 20 + 3;
  for (let i = 0; i < count; i++) hash.addBinding(row.instance, row.binding);
  const one = BigInt(`0x${plainHash([row])}`);
  assert.is(hash.text, ((one * BigInt(count)) % (1n << 256n)).toString(16).padStart(64, '0'));
});

test.run();

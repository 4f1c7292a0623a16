import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NO_PSID, psidOf } from '../../src/state/psid.ts';

/** Port sets (RFC 7597 §5.1). */
const test = suite('psid');

const cases = [
  [6, 8, 0, NO_PSID, 'A = 0: in no set'],
  [6, 8, 1023, NO_PSID, 'A = 0: in no set'],
  [6, 8, 1024, 0, 'first port with A > 0'],
  [6, 8, 1231, 0x33, 'one below the first range'],
  [6, 8, 1232, 0x34, 'first port of the first range'],
  [6, 8, 1235, 0x34, 'last port of the first range'],
  [6, 8, 1236, 0x35, 'one above the first range'],
  [6, 8, 64_720, 0x34, 'first port of the last range'],
  [6, 8, 64_723, 0x34, 'last port of the last range'],
  [0, 16, 0, 0, 'one port a set'],
  [0, 16, 65_535, 65_535, 'one port a set'],
  [0, 0, 0, 0, 'one set of all ports'],
  [4, 0, 4_095, NO_PSID, 'one set of all ports but A = 0'],
  [4, 0, 4_096, 0, 'one set of all ports but A = 0'],
  [15, 1, 1, NO_PSID, 'the longest offset'],
  [15, 1, 2, 0, 'the longest offset'],
  [15, 1, 65_535, 1, 'the longest offset'],
] as const;
for (const [a, k, port, psid, why] of cases) {
  test(`a = ${a}, k = ${k}, port ${port}: ${why}`, () => assert.is(psidOf(port, a, k), psid));
}

/** Every port in binary. */
const BITS = Array.from({ length: 65_536 }, (_, port) => port.toString(2).padStart(16, '0'));

/** The figure of RFC 7597 §5.1, read as text. */
function naivePsid(port: number, a: number, k: number): number {
  const bits = BITS[port] ?? '';
  if (a > 0 && !bits.slice(0, a).includes('1')) return NO_PSID;
  return k === 0 ? 0 : Number.parseInt(bits.slice(a, a + k), 2);
}

for (let a = 0; a <= 15; a++) {
  for (const k of new Set([0, 1, 4, 5, 8, 10, 12, 16 - a])) {
    if (a + k > 16) continue;
    test(`a = ${a}, k = ${k}: every port as the figure says (D111)`, () => {
      const wrong = Array.from({ length: 65_536 }, (_, port) => port).find(
        (port) => psidOf(port, a, k) !== naivePsid(port, a, k),
      );
      assert.is(wrong, undefined);
    });
  }
}

test.run();

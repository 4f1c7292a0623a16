/**
 * Port sets (RFC 7597 §5.1): which subscriber of a shared address a port belongs to. a = psidOffset, k = psidLength,
 * a + k + m = 16.
 *
 *     | A: a bits | PSID: k bits | j: m bits |
 */

/** The port is in no set. */
export const NO_PSID = -1;

/** Port set of a port. With a > 0, A = 0 is in no set: the first 2^(16-a) ports give NO_PSID. */
export function psidOf(port: number, psidOffset: number, psidLength: number): number {
  if (psidOffset > 0 && port >>> (16 - psidOffset) === 0) return NO_PSID;
  return (port >>> (16 - psidOffset - psidLength)) & ((1 << psidLength) - 1);
}

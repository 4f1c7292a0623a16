/**
 * Explicit congestion notification at the end of a tunnel (RFC 6040 §4.2, figure 4): the ECN field that leaves, by the
 * inner field (rows) and the outer one (columns). Not-ECT 0, ECT(1) 1, ECT(0) 2, CE 3.
 */

/** Instead of a field: the packet must be dropped, since the mark would be lost. */
export const ECN_DROP = 4;

const LEAVING = Uint8Array.of(
  // outer: Not-ECT, ECT(1), ECT(0), CE
  ...[0, 0, 0, ECN_DROP], // inner Not-ECT
  ...[1, 1, 1, 3], // inner ECT(1)
  ...[2, 1, 2, 3], // inner ECT(0)
  ...[3, 3, 3, 3], // inner CE
);

/** ECN field after decapsulation, or ECN_DROP; both arguments may be whole TOS or traffic class octets. */
export function decapsulatedEcn(inner: number, outer: number): number {
  return LEAVING[((inner & 3) << 2) | (outer & 3)] ?? ECN_DROP;
}

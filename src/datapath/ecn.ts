/**
 * Explicit congestion notification at the end of a tunnel (RFC 6040 §4.2, figure 4): the ECN field that leaves, by the
 * inner field (rows) and the outer one (columns). Not-ECT 0, ECT(1) 1, ECT(0) 2, CE 3. The combinations that the figure
 * marks (!!!) come from a faulty or hostile network: they are to be logged.
 */

/** Instead of a field: the packet must be dropped, since the mark would be lost. */
export const ECN_DROP = 4;
/** Added to a field or to ECN_DROP: one of the combinations marked (!!!). */
export const ECN_ANOMALY = 8;

const LEAVING = Uint8Array.of(
  // outer: Not-ECT, ECT(1), ECT(0), CE
  ...[0, ECN_ANOMALY, ECN_ANOMALY, ECN_DROP | ECN_ANOMALY], // inner Not-ECT
  ...[1, 1, 1, 3], // inner ECT(1)
  ...[2, 1, 2, 3], // inner ECT(0)
  ...[3, 3 | ECN_ANOMALY, 3, 3], // inner CE
);

/**
 * ECN field after decapsulation, or ECN_DROP; either with ECN_ANOMALY. Both arguments may be whole TOS or traffic class
 * octets. What is below ECN_DROP needs no more than being written.
 */
export function decapsulatedEcn(inner: number, outer: number): number {
  return LEAVING[((inner & 3) << 2) | (outer & 3)] ?? 0;
}

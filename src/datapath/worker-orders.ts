/** The shared words by which the control thread tells the workers of a role what to do: each is 0 until then. */

/** To end. */
export const STOP = 0;
/** To open their queue and forward; until then they wait. */
export const BEGIN = 1;
export const ORDERS_OCTETS = 8;

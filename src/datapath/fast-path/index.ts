/** What fast-path.ts calls. */

export { forward } from './forward';
export { lookUp } from './look-up';
export { labelOf, writeHeader } from './outer-header';
export { setEnds, setLookups, setPackets, setRole, setTables } from './places';

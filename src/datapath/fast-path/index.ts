/** What fast-path.ts calls. */

export { count } from './counts';
export { forward } from './forward';
export { lookUp } from './look-up';
export { labelOf, writeHeader } from './outer-header';
export { setBatch, setCounters, setRole, setTables } from './places';

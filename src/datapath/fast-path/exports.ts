/** What fast-path.ts calls. */

import { count } from './counts.ts';
import { forward } from './forward.ts';
import { lookUp } from './look-up.ts';
import { labelOf, writeHeader } from './outer-header.ts';
import { setBatch, setCounters, setJunk, setRole, setSoftwires, setTables, setVerdicts } from './places.ts';

export {
  count,
  forward,
  labelOf,
  lookUp,
  setBatch,
  setCounters,
  setJunk,
  setRole,
  setSoftwires,
  setTables,
  setVerdicts,
  writeHeader,
};

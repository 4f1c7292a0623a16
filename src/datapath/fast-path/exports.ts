/** What fast-path.ts calls. */

import { count } from './counts.ts';
import { forward } from './forward.ts';
import { lookUp } from './look-up.ts';
import { labelOf, writeHeader } from './outer-header.ts';
import {
  setAdmissions,
  setBatch,
  setCounters,
  setRole,
  setRowCounters,
  setSoftwires,
  setTables,
  setVerdicts,
} from './places.ts';
import { addRefused, addTraffic, noteRefused } from './row-counts.ts';

export {
  addRefused,
  addTraffic,
  count,
  forward,
  labelOf,
  lookUp,
  noteRefused,
  setAdmissions,
  setBatch,
  setCounters,
  setRole,
  setRowCounters,
  setSoftwires,
  setTables,
  setVerdicts,
  writeHeader,
};

import { FastPath } from '../../src/datapath/fast-path.ts';
import type { Forwarding } from '../../src/datapath/forwarding.ts';
import { PathMtus } from '../../src/datapath/path-mtus.ts';
import { Softwires } from '../../src/datapath/softwires.ts';
import { TableReader } from '../../src/datapath/table.ts';

/** The fast path of the engine of a forwarding, with a key of flow labels that is always the same. */
export function fastPathOf({ memory: { engine } }: Forwarding): FastPath {
  const table = new TableReader(engine.table);
  const softwires = new Softwires(engine.softwires);
  const pathMtus = new PathMtus(softwires, table.rows, engine.seed, engine.pathMtus);
  return new FastPath({ ...engine, seed: 0x5eed }, 0, { table, softwires, pathMtus });
}

/**
 * A bare store process, for tests that kill it: `store-process.js FOLDER`. Each line of its input is one edit,
 * `{ "rows": [[prefix, gateway or null], ...], "candidate": boolean, "parameters": of the commit of a candidate }`, or
 * `{ "cancel": token }` of a confirmed commit, or `{ "compact": true }`; each line of its output the version after it. A line is written only when
 * that is acknowledged; for a refused one it is the tag.
 */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { CommitParameters } from '../../src/state/confirmed.ts';
import { DataNode } from '../../src/state/data.ts';
import { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { aftr, binding, OPERATOR, request, schema, softwire } from './state.ts';

interface EditLine {
  readonly rows: readonly (readonly [prefix: string, gateway: string | null])[];
  readonly candidate: boolean;
  readonly parameters?: CommitParameters;
}

interface CancelLine {
  readonly cancel: string;
}

interface CompactLine {
  readonly compact: true;
}

const datastores = await Datastores.open({
  dir: process.argv[2] ?? '',
  schema,
  validate: () => [],
  startup: process.argv[3] === 'startup',
  bootId: 'boot',
  initial: () => new DataNode(schema.root),
});
await datastores.edit(OPERATOR, request(aftr()));
writeSync(1, `${datastores.head().version}\n`);

async function carryOut(line: EditLine | CancelLine | CompactLine): Promise<void> {
  if ('cancel' in line) return datastores.cancelCommit(OPERATOR, line.cancel);
  if ('compact' in line) {
    await datastores.compact(async () => undefined);
    return;
  }
  const { rows, candidate, parameters } = line;
  const entries = rows.map(([prefix, gateway]) =>
    gateway === null ? { 'ipv4-prefix': prefix, '@operation': 'remove' } : binding(prefix, gateway),
  );
  const edit = request(softwire({ name: 'a', 'binding-table': { binding: entries } }), {
    target: candidate ? 'candidate' : 'running',
  });
  await datastores.edit(OPERATOR, edit);
  if (candidate) await datastores.commit(OPERATOR, undefined, undefined, parameters);
}

for await (const text of createInterface({ input: process.stdin })) {
  try {
    await carryOut(JSON.parse(text) as EditLine | CancelLine);
    writeSync(1, `${datastores.head().version}\n`);
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    writeSync(1, `${error.tag}\n`);
  }
}
await datastores.close();

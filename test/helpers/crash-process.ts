/**
 * A bare store process for tests that end it at any moment: `crash-process.js FOLDER BOOT [startup]`. Its first line is what
 * it found, as JSON. Each line of its input is one edit (crash-model.ts); each further line of its output, in the same order,
 * `ok` or the tag and message of the refusal, written when the edit is acknowledged.
 */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DataNode } from '../../src/state/data.ts';
import { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeToJson } from '../../src/state/json.ts';
import type { Caller, DatastoreName } from '../../src/state/request.ts';
import { verifyFile } from '../../src/state/verify.ts';
import type { Edit } from './crash-model.ts';
import { contentsOf, jsonOf } from './crash-model.ts';
import { request, schema } from './state.ts';

const [, , dir = '', bootId = '', mode] = process.argv;
const startup = mode === 'startup';
const initial = () => new DataNode(schema.root);
const datastores = await Datastores.open({ dir, schema, validate: () => [], startup, bootId, initial });

function contents(datastore: DatastoreName): [string, string][] {
  const view = datastores.view(datastore);
  try {
    const rows = ['a', 'b'].flatMap((instance) =>
      [...view.bindings(instance)].map((binding) => ({ instance, binding })),
    );
    return [...contentsOf(rows, treeToJson(view.tree))];
  } finally {
    view.close();
  }
}

async function perform(edit: Edit): Promise<unknown> {
  const caller: Caller = { user: `user-${edit.session}`, session: edit.session, face: 'netconf' };
  if (edit.kind === 'edit') return datastores.edit(caller, request(jsonOf(edit.changes), { target: edit.target }));
  if (edit.kind === 'commit') return datastores.commit(caller);
  if (edit.kind === 'discard') return datastores.discard(caller);
  if (edit.kind === 'compact') return datastores.compact(async (file) => requireGood(file));
  return datastores.copy(caller, 'running', 'startup');
}

function requireGood(file: string): void {
  const { result } = verifyFile(file);
  if (result !== 'good') throw new Error(`the copy is ${result}`);
}

function refusal(error: unknown): string {
  if (!(error instanceof ManagementError)) throw error;
  return `${error.tag}: ${error.message}`;
}

const found = {
  version: datastores.head().version,
  running: contents('running'),
  candidate: contents('candidate'),
  ...(startup && { startup: contents('startup') }),
};
writeSync(1, `${JSON.stringify(found)}\n`);
let answers: Promise<unknown> = Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  const answer = perform(JSON.parse(line) as Edit).then(() => 'ok', refusal);
  answers = answers.then(async () => writeSync(1, `${await answer}\n`));
}
await answers;
await datastores.close();

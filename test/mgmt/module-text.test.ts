import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OperationParts } from '../../src/mgmt/operations.ts';
import { Operations } from '../../src/mgmt/operations.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { Schema } from '../../src/state/schema.ts';

/** get-schema where a module is loaded in two revisions (RFC 6022 section 3.1). */
const test = suite('module text');

const module = (name: string, revision: string) => ({
  name,
  revision,
  namespace: `urn:${name}:${revision}`,
  prefix: name,
  implemented: true,
  features: [],
});
const modules = [module('twice', '2020-01-01'), module('twice', '2021-01-01'), module('once', '2020-01-01')];
const operations = new Operations({
  schema: new Schema({ modules, nodes: [] }),
  moduleSource: (name: string, revision: string | undefined) =>
    modules.some((known) => known.name === name && (revision ?? known.revision) === known.revision)
      ? `${name}@${revision}`
      : undefined,
} as unknown as OperationParts);

// [identifier, version, text or error]
const cases: readonly (readonly [string, string | undefined, string])[] = [
  ['once', undefined, 'once@undefined'],
  ['once', '2020-01-01', 'once@2020-01-01'],
  ['once', '2021-01-01', 'invalid-value '],
  ['twice', undefined, 'operation-failed data-not-unique'],
  ['twice', '2020-01-01', 'twice@2020-01-01'],
  ['twice', '2021-01-01', 'twice@2021-01-01'],
  ['twice', '2022-01-01', 'invalid-value '],
];
for (const [identifier, version, expected] of cases) {
  test(`${identifier}${version === undefined ? '' : ` of ${version}`}: ${expected}`, () => {
    let found: string;
    try {
      found = operations.moduleText(identifier, version, 'yang');
    } catch (error) {
      if (!(error instanceof ManagementError)) throw error;
      found = `${error.tag} ${error.appTag ?? ''}`;
    }
    assert.is(found, expected);
  });
}

test.run();

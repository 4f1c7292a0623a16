/**
 * Writes test/fixtures/schema.json, the schema dump that unit tests use in place of the addon: all our modules with
 * every optional part on, without descriptions, one node a line. `--check` compares instead and fails when it differs.
 *
 *     node dist/tools/dump-schema.js [--check]
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type SchemaDump, YangContext } from 'netconf-server';
import { YANG_SEARCH_DIRS, yangModules } from '../src/mgmt/yang-modules.ts';

const FIXTURE = 'test/fixtures/schema.json';

function asText(schema: SchemaDump): string {
  const line = (item: object): string =>
    JSON.stringify(item, (key, value) => (key === 'description' ? undefined : value));
  const block = (items: readonly object[]): string => `[\n${items.map(line).join(',\n')}\n]`;
  return `{\n"modules": ${block(schema.modules)},\n"nodes": ${block(schema.nodes)}\n}\n`;
}

function currentSchema(): string {
  const context = new YangContext({ searchDirs: YANG_SEARCH_DIRS, modules: yangModules({ startup: true }) });
  try {
    return asText(context.schema());
  } finally {
    context.close();
  }
}

const schema = currentSchema();
if (!process.argv.includes('--check')) {
  mkdirSync(dirname(FIXTURE), { recursive: true });
  writeFileSync(FIXTURE, schema);
} else if (readFileSync(FIXTURE, 'utf8') !== schema) {
  console.error(`${FIXTURE} is not the schema of today's modules: run \`node dist/tools/dump-schema.js\`.`);
  process.exitCode = 1;
}

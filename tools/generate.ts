/**
 * Generates from yang/gi-4over6.yang, below src/state:
 *
 *   model.generated.ts                   interfaces of the configuration
 *   configuration-reader.generated.ts    their reader from RFC 7951 JSON with the defaults of the model
 *   binding.generated.ts                 the binding: interface, codec of its row, checks of its leaves
 *   drop-reasons.generated.ts            the names of the drop reasons
 *
 *   node dist/tools/generate.js            writes the files
 *   node dist/tools/generate.js --check    fails when one is not what would be written
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { YangStatement } from 'yang-js';
import type { LeafType } from './yang-model.ts';
import {
  argument,
  camelCase,
  dataNodes,
  definition,
  isConfiguration,
  isMandatory,
  leafType,
  pascalCase,
  sentence,
  substatements,
} from './yang-model.ts';

const FOLDER = 'src/state';
/** The list that is kept as rows and is no part of the small tree. */
const ROW_LIST = 'binding';
const ROW_KEY = 'ipv4-prefix';

const interfaces: string[] = [];
const readers: string[] = [];
/** Containers of a grouping that is used twice are written once. */
const written = new Set<string>();

/** The docstring of a statement, in lines of at most 118 columns. */
function comment(statement: YangStatement): string {
  const text = sentence(statement);
  if (text.length <= 110) return `/** ${text} */`;
  const lines = text.match(/.{1,113}(?= |$)/g) ?? [];
  return ['/**', ...lines.map((line) => ` * ${line.trim()}`), ' */'].join('\n');
}

// Configuration -------------------------------------------------------------------------------------------------------

interface Member {
  readonly comment: string;
  readonly name: string;
  readonly type: string;
  /** Expression that reads it from `node`. */
  readonly value: string;
}

function defaultOf(leaf: YangStatement, { base, type }: LeafType): string {
  const value = argument(leaf, 'default');
  if (value === undefined) return 'undefined';
  if (base === 'string' || base === 'enumeration') return `'${value}' as const`;
  if (type === 'number' || type === 'boolean') return value;
  throw new Error(`leaf ${leaf.tag}: a default of type ${base} is not known to the generator`);
}

function leafMember(leaf: YangStatement, isKey: boolean): Member {
  const type = leafType(leaf);
  const hasDefault = argument(leaf, 'default') !== undefined;
  const isThere = isKey || isMandatory(leaf);
  const access = leaf.tag.includes('-') ? `node['${leaf.tag}']` : `node.${leaf.tag}`;
  const read = type.read.startsWith('(') ? `(${type.read})` : type.read;
  return {
    comment: comment(leaf),
    name: camelCase(leaf.tag),
    type: isThere || hasDefault ? type.type : `${type.type} | undefined`,
    value: isThere ? `${read}(${access})` : `leafAt(node, '${leaf.tag}', ${type.read}, ${defaultOf(leaf, type)})`,
  };
}

function memberOf(node: YangStatement, keys: readonly string[]): Member | undefined {
  if (node.kind === 'leaf') return leafMember(node, keys.includes(node.tag));
  const name = camelCase(node.tag);
  if (node.kind === 'leaf-list') {
    const { type, read } = leafType(node);
    return {
      comment: comment(node),
      name,
      type: `readonly (${type})[]`,
      value: `arrayAt(node, '${node.tag}', ${read})`,
    };
  }
  const type = node.tag === ROW_LIST ? undefined : writeNode(node);
  if (type === undefined) return undefined;
  if (node.kind === 'list') {
    return {
      comment: comment(node),
      name,
      type: `readonly ${type}[]`,
      value: `arrayAt(node, '${node.tag}', read${type})`,
    };
  }
  return { comment: comment(node), name, type, value: `read${type}(objectAt(node, '${node.tag}'))` };
}

/** Writes the interface and the reader of a container or list entry; undefined when it holds no configuration. */
function writeNode(statement: YangStatement): string | undefined {
  const keys = (argument(statement, 'key') ?? '').split(' ');
  const members = dataNodes(statement)
    .filter(isConfiguration)
    .flatMap((node) => memberOf(node, keys) ?? []);
  if (members.length === 0) return undefined;
  const name = pascalCase(statement.tag);
  if (written.has(name)) return name;
  written.add(name);
  interfaces.push(comment(statement), `export interface ${name} {`);
  for (const member of members) interfaces.push(member.comment, `readonly ${member.name}: ${member.type};`);
  interfaces.push('}', '');
  readers.push(`function read${name}(value: unknown): ${name} {`, 'const node = value as JsonNode;');
  readers.push('return {', ...members.map((member) => `${member.name}: ${member.value},`), '};', '}', '');
  return name;
}

// Rows ----------------------------------------------------------------------------------------------------------------

interface Field {
  readonly leaf: YangStatement;
  readonly name: string;
  readonly type: LeafType;
  readonly isOptional: boolean;
  /** Its presence bit. */
  readonly bit: number;
  /** How the row holds it. */
  readonly kind: 'text' | 'choice' | 'ipv6';
}

const FORMS: Readonly<Record<Field['kind'], string>> = {
  text: 'two octets of length in network order, UTF-8',
  choice: 'one octet, its place in the enumeration',
  ipv6: '16 octets',
};

function fieldsOf(list: YangStatement): Field[] {
  const leaves = dataNodes(list).filter(({ kind, tag }) => kind === 'leaf' && tag !== ROW_KEY);
  if (leaves.length > 8) throw new Error('a row has eight presence bits: take a new format for more leaves');
  return leaves.map((leaf, index) => {
    const type = leafType(leaf);
    const kind = type.base === 'string' ? 'text' : type.names ? 'choice' : 'ipv6';
    const isThere = argument(leaf, 'mandatory') === 'true' || kind === 'choice';
    return { leaf, name: camelCase(leaf.tag), type, isOptional: !isThere, bit: 1 << index, kind };
  });
}

/** The binding row: interface, encoder, decoder, checks of its leaves. */
function bindingRow(list: YangStatement): string[] {
  const fields = fieldsOf(list);
  const output = ['/** Number of the form in which rows are written. */', 'export const BINDING_FORMAT = 1;', ''];
  output.push(comment(list), 'export interface Binding {', '/** The prefix, host bits zero. */');
  output.push('readonly address: number;', '/** Its length, 0 to 32. */', 'readonly length: number;');
  for (const { leaf, name, type, isOptional } of fields) {
    output.push(comment(leaf), `readonly ${name}: ${type.type}${isOptional ? ' | undefined' : ''};`);
  }
  output.push('}', '');
  for (const { name, type } of fields) {
    const names = (type.names ?? []).map((item) => `'${item}'`).join(', ');
    if (names !== '') output.push(`const ${nameList(name)} = [${names}] as const;`, '');
  }
  return [...output, ...encoder(fields), ...decoder(fields), ...checks(fields)];
}

function nameList(name: string): string {
  return `${name.toUpperCase()}_NAMES`;
}

function encoder(fields: readonly Field[]): string[] {
  const output = [
    '/**',
    ' * The value of a row in the store: format, presence bits, then the fields that are present:',
    ' *',
  ];
  for (const { leaf, kind, bit } of fields) output.push(` *     ${leaf.tag.padEnd(24)}bit ${bit}  ${FORMS[kind]}`);
  output.push(' *', ' * and CRC-32C over key and value, four octets in network order.', ' */');
  output.push('export function encodeBinding(binding: Binding): Uint8Array {');
  output.push('WRITER.begin(binding.address, binding.length, BINDING_FORMAT);');
  for (const { name, bit, kind } of fields) {
    if (kind === 'choice') output.push(`WRITER.octet(${bit}, ${nameList(name)}.indexOf(binding.${name}));`);
    else output.push(`WRITER.${kind}(${bit}, binding.${name});`);
  }
  return [...output, 'return WRITER.seal();', '}', '', 'const WRITER = new RowWriter();', ''];
}

function decoder(fields: readonly Field[]): string[] {
  const output = [
    '/**',
    ' * The row of a key and its value; its addresses stand in `room` as far as that goes, 16 octets each, else in memory of their own.',
    ' * @throws DamageError when the CRC or the form is wrong',
    ' */',
    'export function decodeBinding(key: Uint8Array, value: Uint8Array, room: readonly Uint8Array[] = []): Binding {',
  ];
  output.push(
    'const row = new RowReader(key, value, BINDING_FORMAT, room);',
    'const { address, length } = prefixOfKey(key);',
  );
  for (const { name, isOptional, bit, kind } of fields) {
    const read = kind === 'choice' ? `row.choice(${nameList(name)})` : `row.${kind}()`;
    output.push(`const ${name} = ${isOptional ? `row.has(${bit}) ? ${read} : undefined` : read};`);
  }
  return [
    ...output,
    'row.end();',
    `return { address, length, ${fields.map(({ name }) => name).join(', ')} };`,
    '}',
    '',
  ];
}

function checks(fields: readonly Field[]): string[] {
  const output = [
    '/** Canonical text of a leaf of a binding, or what was expected. @throws Error for a name it does not have */',
  ];
  output.push('export function checkBindingLeaf(name: string, text: string): LeafCheck {', 'switch (name) {');
  output.push(`case '${ROW_KEY}':`, 'return checkIpv4Prefix(text);');
  for (const { leaf, name, type, kind } of fields) {
    const [min, max] = type.length ?? [0, 65_535];
    const check = {
      text: `checkString(text, ${min}, ${max})`,
      choice: `checkEnumeration(text, ${nameList(name)})`,
      ipv6: 'checkIpv6(text)',
    };
    output.push(`case '${leaf.tag}':`, `return ${check[kind]};`);
  }
  return [...output, 'default:', 'throw new Error(`a binding has no leaf $' + '{name}`);', '}', '}', ''];
}

// The files -----------------------------------------------------------------------------------------------------------

/** What a generated file may need, by the module it comes from. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  './model-values.ts': [
    'arrayAt',
    'checkEnumeration',
    'checkIpv4Prefix',
    'checkIpv6',
    'checkString',
    'ipv4PrefixValue',
    'ipv4Value',
    'ipv6Value',
    'leafAt',
    'objectAt',
  ],
  './row-form.ts': ['prefixOfKey', 'RowReader', 'RowWriter'],
};
const TYPES: Readonly<Record<string, readonly string[]>> = {
  '../address.ts': ['Ipv4Prefix'],
  './model-values.ts': ['JsonNode', 'LeafCheck'],
};

function child(statement: YangStatement, name: string): YangStatement {
  const found = dataNodes(statement).find(({ tag }) => tag === name);
  if (!found) throw new Error(`gi-4over6: ${statement.tag} has no ${name}`);
  return found;
}

/** Import statements for what `body` names of these modules. */
function importsOf(body: string, modules: Readonly<Record<string, readonly string[]>>, keyword: string): string[] {
  return Object.entries(modules).flatMap(([module, names]) => {
    const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(body));
    return used.length > 0 ? [`${keyword} { ${used.join(', ')} } from '${module}';`] : [];
  });
}

/** A file of these lines, as it is written. `own` are the interfaces of model.generated.ts that it may name. */
function fileOf(name: string, lines: readonly string[], own: readonly string[] = []): [name: string, text: string] {
  const body = lines.join('\n');
  const types = importsOf(body, { ...TYPES, './model.generated.ts': own }, 'import type');
  const imports = [...types, ...importsOf(body, VALUES, 'import')].join('\n');
  const title = '/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */';
  return [name, formatted(name, `${title}\n\n${imports}\n\n${body}\n`)];
}

function dropReasons(): string[] {
  const reasons = substatements(definition('typedef', 'drop-reason'), 'type').flatMap((type) =>
    substatements(type, 'enum'),
  );
  const names = reasons.map(({ tag }) => `  '${tag}',`);
  return ['/** In the order of the model. */', 'export const DROP_REASONS = [', ...names, '] as const;'];
}

function generate(): [name: string, text: string][] {
  const softwire = definition('container', 'softwire');
  writeNode(softwire);
  readers.push(
    '/** The configuration from RFC 7951 JSON (`{ "gi-4over6:softwire": ... }`) with the defaults of the model. */',
    'export function readConfiguration(data: unknown): Softwire {',
    `return readSoftwire(objectAt(data as JsonNode, 'gi-4over6:softwire'));`,
    '}',
  );
  const row = bindingRow(child(child(child(softwire, 'aftr'), 'binding-table'), ROW_LIST));
  return [
    fileOf('model.generated.ts', interfaces),
    fileOf('configuration-reader.generated.ts', readers, [...written]),
    fileOf('binding.generated.ts', row),
    fileOf('drop-reasons.generated.ts', dropReasons()),
  ];
}

/** In the form of the project's sources, imports in order. */
function formatted(name: string, text: string): string {
  const words = ['check', '--write', '--log-level=error', `--stdin-file-path=${join(FOLDER, name)}`];
  const result = spawnSync(join('node_modules', '.bin', 'biome'), words, { input: text, encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(`biome refused the generated ${name}: ${result.stderr}`, { cause: result.error });
  return result.stdout;
}

for (const [name, text] of generate()) {
  const target = join(FOLDER, name);
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write(`${target} is not what yang/gi-4over6.yang gives: run node dist/tools/generate.js\n`);
    process.exitCode = 1;
  }
}

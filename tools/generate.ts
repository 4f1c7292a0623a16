/**
 * Generates src/state/model.generated.ts from yang/gi-4over6.yang, read with yang-js: interfaces of the configuration,
 * their reader from RFC 7951 JSON with the defaults of the model, and the codec of the binding row.
 *
 *   node dist/tools/generate.js            writes the file
 *   node dist/tools/generate.js --check    fails when the file is not what would be written
 *
 * Nodes behind a feature are left out: every feature is off until it works.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { YangStatement } from 'yang-js';
import Yang from 'yang-js';

const TARGET = 'src/state/model.generated.ts';

interface LeafType {
  /** TypeScript type. */
  readonly type: string;
  /** Expression that reads it from a JSON value. */
  readonly read: string;
  /** Names of an enumeration. */
  readonly names?: readonly string[];
  /** Name after typedefs are resolved: ipv6-address-no-zone, string, enumeration ... */
  readonly base: string;
  readonly length?: readonly [min: number, max: number];
}

const module_ = Yang.parse(readFileSync(join('yang', 'gi-4over6.yang'), 'utf8'), { compile: false });
const output: string[] = [];

function substatements(statement: YangStatement, kind: string): YangStatement[] {
  return (statement.children ?? []).filter((child) => child.kind === kind);
}

function argument(statement: YangStatement, kind: string): string | undefined {
  return substatements(statement, kind)[0]?.tag;
}

/** The data nodes below a statement: uses and choices opened, those behind a feature left out. */
function dataNodes(statement: YangStatement): YangStatement[] {
  const nodes: YangStatement[] = [];
  for (const child of statement.children ?? []) {
    if (substatements(child, 'if-feature').length > 0) continue;
    if (['container', 'list', 'leaf', 'leaf-list'].includes(child.kind)) nodes.push(child);
    else if (child.kind === 'choice' || child.kind === 'case') nodes.push(...dataNodes(child));
    else if (child.kind === 'uses') nodes.push(...dataNodes(definition('grouping', child.tag)));
  }
  return nodes;
}

function definition(kind: string, name: string): YangStatement {
  const found = substatements(module_, kind).find(({ tag }) => tag === name);
  if (!found) throw new Error(`gi-4over6 defines no ${kind} ${name}`);
  return found;
}

function isConfiguration(node: YangStatement): boolean {
  return String(argument(node, 'config') ?? 'true') !== 'false';
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function pascalCase(name: string): string {
  return camelCase(`-${name}`);
}

const BASES: Readonly<Record<string, readonly [type: string, read: string]>> = {
  string: ['string', 'String'],
  boolean: ['boolean', 'Boolean'],
  uint8: ['number', 'Number'],
  uint16: ['number', 'Number'],
  uint32: ['number', 'Number'],
  dscp: ['number', 'Number'],
  'ipv4-address-no-zone': ['number', 'ipv4Value'],
  'ipv4-prefix': ['Ipv4Prefix', 'ipv4PrefixValue'],
  'ipv6-address-no-zone': ['Uint8Array', 'ipv6Value'],
};

function leafType(leaf: YangStatement): LeafType {
  let type = substatements(leaf, 'type')[0];
  while (type && substatements(module_, 'typedef').some(({ tag }) => tag === type?.tag)) {
    type = substatements(definition('typedef', type.tag), 'type')[0];
  }
  if (!type) throw new Error(`leaf ${leaf.tag} has no type`);
  const base = type.tag.slice(type.tag.indexOf(':') + 1);
  if (base === 'enumeration') {
    const names = substatements(type, 'enum').map(({ tag }) => tag);
    const union = names.map((name) => `'${name}'`).join(' | ');
    return { base, names, type: union, read: `(value) => String(value) as ${union}` };
  }
  const known = BASES[base];
  if (!known) throw new Error(`leaf ${leaf.tag}: type ${base} is not known to the generator`);
  const [min = 0, max = 65_535] = (argument(type, 'length') ?? '0..65535').split('..').map(Number);
  return { base, type: known[0], read: known[1], length: [min, max] };
}

function defaultOf(leaf: YangStatement, { base }: LeafType): string {
  const value = argument(leaf, 'default');
  if (value === undefined) return 'undefined';
  return base === 'string' || base === 'enumeration' ? `'${value}' as const` : String(value);
}

/** Access to a member: `.name` or `['a-name']`. */
function member(name: string): string {
  return name.includes('-') ? `['${name}']` : `.${name}`;
}

interface Member {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

function leafMember(leaf: YangStatement, isKey: boolean): Member {
  const type = leafType(leaf);
  const isOptional =
    !isKey && argument(leaf, 'default') === undefined && String(argument(leaf, 'mandatory')) !== 'true';
  return {
    name: camelCase(leaf.tag),
    type: isOptional ? `${type.type} | undefined` : type.type,
    value:
      isKey || !(isOptional || argument(leaf, 'default') !== undefined)
        ? `${type.read}(node${member(leaf.tag)})`
        : `leafAt(node, '${leaf.tag}', ${type.read}, ${defaultOf(leaf, type)})`,
  };
}

/** Writes the interface and the reader of a container or list entry; undefined when it holds no configuration. */
function writeNode(statement: YangStatement): string | undefined {
  const key = String(argument(statement, 'key') ?? '').split(' ');
  const members: Member[] = [];
  for (const node of dataNodes(statement).filter(isConfiguration)) {
    if (node.kind === 'leaf') members.push(leafMember(node, key.includes(node.tag)));
    else if (node.kind === 'leaf-list') {
      const { type, read } = leafType(node);
      const value = `arrayAt(node, '${node.tag}', ${read})`;
      members.push({ name: camelCase(node.tag), type: `readonly (${type})[]`, value });
    } else if (node.tag !== 'binding') {
      const type = writeNode(node);
      if (type === undefined) continue;
      const isList = node.kind === 'list';
      const value = isList
        ? `arrayAt(node, '${node.tag}', read${type})`
        : `read${type}Node(objectAt(node, '${node.tag}'))`;
      members.push({ name: camelCase(node.tag), type: isList ? `readonly ${type}[]` : type, value });
    }
  }
  if (members.length === 0) return undefined;
  const name = pascalCase(statement.tag);
  output.push(`/** ${sentence(statement)} */`, `export interface ${name} {`);
  for (const member of members) output.push(`  readonly ${member.name}: ${member.type};`);
  output.push(
    '}',
    '',
    `function read${name}(value: unknown): ${name} {`,
    '  const node = value as JsonNode;',
    '  return {',
  );
  for (const member of members) output.push(`    ${member.name}: ${member.value},`);
  output.push('  };', '}', '');
  return name;
}

function sentence(statement: YangStatement): string {
  return String(argument(statement, 'description') ?? statement.tag).replace(/\s+/g, ' ');
}

/** The binding row: interface, encoder, decoder, checks of its leaves. */
function writeRow(list: YangStatement): void {
  const fields = dataNodes(list)
    .filter((node) => node.kind === 'leaf' && node.tag !== 'ipv4-prefix')
    .map((leaf) => {
      const isOptional = String(argument(leaf, 'mandatory')) !== 'true' && leaf.tag !== 'origin';
      return { leaf, name: camelCase(leaf.tag), type: leafType(leaf), isOptional };
    });
  output.push(`/** ${sentence(list)} `, ' * `address` and `length` are the prefix. */', 'export interface Binding {');
  output.push('  readonly address: number;', '  readonly length: number;');
  for (const { name, type, isOptional } of fields) {
    output.push(`  readonly ${name}: ${type.type}${isOptional ? ' | undefined' : ''};`);
  }
  output.push('}', '', ...rowComment(fields.map(({ leaf, type }) => `${leaf.tag}: ${form(type)}`)));
  output.push(
    'export function encodeBinding(binding: Binding): Uint8Array {',
    '  let present = 0;',
    '  const parts: Uint8Array[] = [];',
  );
  for (const [index, { name, type, isOptional }] of fields.entries()) {
    const value = `binding.${name}`;
    const encoded =
      type.base === 'string'
        ? `textOctets(${value})`
        : type.names
          ? `Uint8Array.of(${nameList(name)}.indexOf(${value}))`
          : value;
    const add = `present |= ${1 << index}; parts.push(${encoded});`;
    output.push(isOptional ? `  if (${value} !== undefined) { ${add} }` : `  ${add}`);
  }
  output.push(
    '  return sealRow(bindingKey(binding.address, binding.length), BINDING_FORMAT, present, parts);',
    '}',
    '',
  );
  output.push('/** The row of a key and its value. @throws DamageError when the CRC or the form is wrong. */');
  output.push('export function decodeBinding(key: Uint8Array, value: Uint8Array): Binding {');
  output.push(
    '  const { present, reader } = openRow(key, value, BINDING_FORMAT);',
    '  return {',
    '    ...prefixOfKey(key),',
  );
  for (const [index, { name, type, isOptional }] of fields.entries()) {
    const decoded =
      type.base === 'string'
        ? 'reader.text()'
        : type.names
          ? `${nameList(name)}[reader.octet()] ?? '${type.names[0]}'`
          : 'reader.ipv6()';
    output.push(`    ${name}: ${isOptional ? `present & ${1 << index} ? ${decoded} : undefined` : decoded},`);
  }
  output.push('  };', '}', '');
  for (const { name, type } of fields) {
    if (type.names)
      output.push(`const ${nameList(name)} = [${type.names.map((item) => `'${item}'`).join(', ')}] as const;`, '');
  }
  writeChecks(fields.map(({ leaf, type }) => [leaf.tag, type] as const));
}

function rowComment(fields: readonly string[]): string[] {
  const header = [
    '/**',
    ' * The value of a row in the store: format, presence bits, then the fields that are present in this order:',
  ];
  return [
    ...header,
    ...fields.map((field) => ` *   ${field}`),
    ' * and CRC-32C over key and value, four octets in network order.',
    ' */',
  ];
}

function form(type: LeafType): string {
  if (type.base === 'string') return 'two octets of length, UTF-8';
  return type.names ? 'one octet, its place in the enumeration' : '16 octets';
}

function nameList(name: string): string {
  return `${name.toUpperCase()}_NAMES`;
}

function writeChecks(fields: readonly (readonly [string, LeafType])[]): void {
  output.push(
    '/** Canonical text of a leaf of a binding, or what was expected; an unknown name is our own mistake. */',
  );
  output.push('export function checkBindingLeaf(name: string, text: string): LeafCheck {', '  switch (name) {');
  output.push(`    case 'ipv4-prefix':`, '      return checkIpv4Prefix(text);');
  for (const [tag, type] of fields) {
    const [min, max] = type.length ?? [0, 0];
    const check =
      type.base === 'string'
        ? `checkString(text, ${min}, ${max})`
        : type.names
          ? `checkEnumeration(text, ${nameList(camelCase(tag))})`
          : 'checkIpv6(text)';
    output.push(`    case '${tag}':`, `      return ${check};`);
  }
  output.push('    default:', '      throw new Error(`a binding has no leaf $' + '{name}`);', '  }', '}', '');
}

function generate(): string {
  const softwire = substatements(module_, 'container').find(({ tag }) => tag === 'softwire');
  const table = softwire && dataNodes(softwire).find(({ tag }) => tag === 'aftr');
  const binding =
    table &&
    dataNodes(table)
      .flatMap(dataNodes)
      .find(({ tag }) => tag === 'binding');
  if (!softwire || !binding) throw new Error('gi-4over6 has no softwire/aftr/binding-table/binding');
  writeNode(softwire);
  output.push(
    '/** The configuration from RFC 7951 JSON (`{ "gi-4over6:softwire": ... }`) with the defaults of the model. */',
  );
  output.push(`export function readConfiguration(data: unknown): Softwire {`);
  output.push(`  return readSoftwire(objectAt(data as JsonNode, 'gi-4over6:softwire'));`, '}', '');
  writeRow(binding);
  const reasons = substatements(substatements(definition('typedef', 'drop-reason'), 'type')[0] ?? softwire, 'enum');
  output.push('/** Names of the drop reasons, in the order of the model. */', 'export const DROP_REASONS = [');
  output.push(...reasons.map(({ tag }) => `  '${tag}',`), '] as const;');
  const body = output.join('\n');
  const used = [
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
    'textOctets',
  ];
  const imports = used.filter((name) => new RegExp(`\\b${name}\\b`).test(body)).join(', ');
  return `/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */

import type { Ipv4Prefix } from '../address.ts';
import type { JsonNode, LeafCheck } from './model-values.ts';
import { ${imports} } from './model-values.ts';
import { bindingKey, openRow, prefixOfKey, sealRow } from './row-form.ts';

/** Number of the form in which rows are written. */
export const BINDING_FORMAT = 1;

${body}
`;
}

function formatted(text: string): string {
  const words = ['biome', 'check', '--write', '--log-level=error', `--stdin-file-path=${TARGET}`];
  const result = spawnSync('npx', words, { input: text, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`biome refused the generated file: ${result.stderr}`);
  return result.stdout;
}

const text = formatted(generate());
if (!process.argv.includes('--check')) writeFileSync(TARGET, text);
else if (readFileSync(TARGET, 'utf8') !== text) {
  process.stderr.write(`${TARGET} is not what yang/gi-4over6.yang gives: run node dist/tools/generate.js\n`);
  process.exitCode = 1;
}

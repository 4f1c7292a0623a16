/** `import` and `export`: configurations and binding tables to files and back. */

import { createWriteStream, existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { BindingFile, CSV_COLUMNS } from './binding-csv.ts';
import { aftrNames, eachBinding, noAftr } from './binding-rows.ts';
import type { NetconfClient } from './client.ts';
import { BASE_NAMESPACE, readOperation } from './client.ts';
import { csvField } from './csv.ts';
import { edit, rehearse, requireRecord } from './edit.ts';
import { CommandFailure, EXIT, usageFailure } from './failure.ts';
import { editsFromJson } from './file-json.ts';
import { linesIn, octetsOf, utf8Text } from './file-text.ts';
import { editsFromXml } from './file-xml.ts';
import { Output } from './output.ts';
import { portSetRows, sharedAddressXml } from './shared-addresses.ts';
import { get, requireOneSource } from './show.ts';

export const FORMATS = ['xml', 'json', 'csv'] as const;
/** As many as Linux follows. */
const MAX_LINKS = 40;
export type Format = (typeof FORMATS)[number];

export interface ImportOptions {
  readonly format?: Format;
  readonly replace?: boolean;
  readonly commit?: boolean;
  readonly comment?: string;
  readonly dryRun?: boolean;
  readonly aftr?: string;
  /** A file without bindings may empty a table. */
  readonly allowEmpty?: boolean;
}

export interface ExportOptions {
  readonly format?: Format;
  readonly candidate?: boolean;
  readonly version?: number;
  readonly aftr?: string;
}

/** Edits the candidate with what a file holds; a sentence about what was done. */
export async function importFile(client: NetconfClient, file: string, options: ImportOptions): Promise<string> {
  requireRecord(options);
  const format = formatOf(file, options.format);
  const { replace = false, commit = false, dryRun = false } = options;
  if (format === 'csv') return importBindings(client, file, options);
  requireCsv('--aftr', options.aftr);
  requireCsv('--allow-empty', options.allowEmpty);
  // Cut into edits where a lock holds them together.
  const configs = editsOf(client, file, format, replace, commit || dryRun);
  if (dryRun) return `${file} ${await rehearse(client, configs)}.`;
  await edit(client, configs, options);
  return `${file} is in ${commit ? 'running' : 'the candidate: `gi4over6 commit` makes it running'}.`;
}

/** @throws CommandFailure that names the file, and where in it when it is not well-formed */
async function* editsOf(
  client: NetconfClient,
  file: string,
  format: 'xml' | 'json',
  replace: boolean,
  isCut: boolean,
): AsyncGenerator<string> {
  const pieces = textOf(file);
  let isEmpty = true;
  try {
    for await (const config of format === 'xml'
      ? editsFromXml(pieces, replace, isCut)
      : editsFromJson(client, pieces, replace, isCut)) {
      isEmpty = false;
      yield config;
    }
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw noFile(file, error);
  }
  if (isEmpty) throw new CommandFailure(EXIT.refused, `${file}: it holds no configuration`);
}

async function importBindings(client: NetconfClient, file: string, options: ImportOptions): Promise<string> {
  const { replace = false, commit = false, dryRun = false, allowEmpty } = options;
  const aftr = await aftrOf(client, options.aftr);
  const bindings = new BindingFile(file, linesIn(textOf(file)), {
    aftr,
    replace,
    allowEmpty,
    isCut: commit || dryRun,
    kept: () => sharedAddressXml(client),
  });
  if (dryRun) return `${file} ${await rehearse(client, bindings.edits(), bindings.explain)}.`;
  await edit(client, bindings.edits(), options, bindings.explain);
  return `${bindings.count} bindings of ${file} are in ${commit ? 'running' : 'the candidate: `gi4over6 commit` makes them running'}.`;
}

/** The AFTR of rows that name none: the one that was given, or the only one. @throws CommandFailure when there is none of that name */
async function aftrOf(client: NetconfClient, given: string | undefined): Promise<string | undefined> {
  const names = await aftrNames(client, 'candidate');
  if (given !== undefined && !names.includes(given)) throw noAftr(given, { candidate: true });
  return given ?? (names.length === 1 ? names[0] : undefined);
}

function requireCsv(option: string, value: unknown): void {
  if (value !== undefined) throw usageFailure(`${option} is for CSV`);
}

/** Writes running (or the candidate) to a file or, without one, to standard output. */
export async function exportFile(
  client: NetconfClient,
  file: string | undefined,
  stdout: Output,
  options: ExportOptions,
): Promise<void> {
  requireOneSource(options);
  const format = file === undefined ? (options.format ?? 'xml') : formatOf(file, options.format);
  if (format !== 'csv') requireCsv('--aftr', options.aftr);
  if (file === undefined || file === '-') {
    await writeExport(client, stdout, format, options);
    return;
  }
  // Password hashes are in it: for the owner alone.
  // In a file of its own until it is whole: a broken session must not cost yesterday's export.
  const place = placeOf(file);
  const isPlain = !existsSync(place) || statSync(place).isFile();
  const target = isPlain ? `${place}.new-${process.pid}` : place;
  const stream = createWriteStream(target, { mode: 0o600, flags: isPlain ? 'wx' : 'w' });
  const broken = new Promise<never>((_, reject) => stream.once('error', (error) => reject(noFile(file, error))));
  broken.catch(() => undefined);
  const opened = new Promise<void>((resolve) => stream.once('open', () => resolve()));
  await Promise.race([opened, broken]);
  try {
    const output = new Output(stream);
    await Promise.race([writeExport(client, output, format, options), broken]);
    await output.flush();
    stream.end();
    await finished(stream);
    if (isPlain) await rename(target, place);
  } catch (error) {
    stream.destroy();
    if (isPlain) await rm(target, { force: true });
    throw error;
  }
}

/** Where a symbolic link leads to, through others, also when nothing is there yet; any other file is its own place. */
function placeOf(file: string, links = 0): string {
  const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  if (!isLink) return file;
  if (links === MAX_LINKS) throw noFile(file, new Error('more than 40 symbolic links lead one to the next'));
  return placeOf(resolve(dirname(file), readlinkSync(file)), links + 1);
}

async function writeExport(
  client: NetconfClient,
  output: Output,
  format: Format,
  { candidate, version, aftr }: ExportOptions,
): Promise<void> {
  const datastore = candidate ? 'candidate' : 'running';
  if (format === 'json') {
    await get(client, output, [], { json: true, config: true, candidate, version });
  } else if (format === 'xml') {
    const reply = client.request(readOperation('', { datastore, version }));
    for await (const piece of dataInside(reply)) {
      output.write(piece);
      await output.flow();
    }
    output.write('\n');
  } else {
    // Not before it is known that there is something to tell.
    let isBegun = false;
    const begin = () => {
      if (!isBegun) output.line(CSV_COLUMNS.join(','));
      isBegun = true;
    };
    const query = { candidate, version, aftr };
    const onRow = ({ aftr: name, leaves }: { aftr: string; leaves: Readonly<Record<string, string>> }) => {
      begin();
      const [, ...columns] = CSV_COLUMNS;
      output.line([name, ...columns.map((column) => leaves[column] ?? '')].map(csvField).join(','));
    };
    const portSets = await eachBinding(client, query, onRow, output.flow);
    begin();
    tellPortSets(version === undefined ? (await portSetRows(client, query)).length : portSets);
  }
}

/** What a CSV file leaves out. */
function tellPortSets(count: number): void {
  if (count === 0) return;
  process.stderr.write(`gi4over6: ${count} port sets of shared addresses are not in it: export XML or JSON for them\n`);
}

/** A reply with its envelope exchanged for a `config` element. */
async function* dataInside(reply: AsyncIterable<string>): AsyncGenerator<string> {
  let tail = '';
  let isBegun = false;
  for await (const piece of reply) {
    tail += piece;
    if (!isBegun) {
      const head = /<(?:\w+:)?data(?:\s[^>]*?)?(\/?)>/.exec(tail);
      if (!head) continue;
      isBegun = true;
      yield `<config xmlns="${BASE_NAMESPACE}">`;
      tail = head[1] === '/' ? '' : tail.slice(head.index + head[0].length);
    }
    // The end of the envelope is shorter than this.
    const ready = Math.max(0, tail.length - 200);
    if (ready > 0) yield tail.slice(0, ready);
    tail = tail.slice(ready);
  }
  yield `${tail.replace(/<\/(?:\w+:)?data>\s*<\/(?:\w+:)?rpc-reply>\s*$|<\/(?:\w+:)?rpc-reply>\s*$/, '')}</config>`;
}

function formatOf(file: string, wanted: Format | undefined): Format {
  const suffix = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase();
  const format = wanted ?? FORMATS.find((name) => name === suffix);
  if (format) return format;
  throw usageFailure(`${file}: the name does not tell the format: add --format ${FORMATS.join('|')}`);
}

/** @throws CommandFailure that names the file, and where in it the text is none */
async function* textOf(file: string): AsyncGenerator<string> {
  try {
    yield* utf8Text(octetsOf(file));
  } catch (error) {
    throw noFile(file, error);
  }
}

function noFile(file: string, error: unknown): CommandFailure {
  return new CommandFailure(EXIT.refused, `${file}: ${error instanceof Error ? error.message : String(error)}`);
}

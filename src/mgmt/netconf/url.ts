/**
 * The `url` of edit-config, copy-config, delete-config and validate (RFC 6241 §8.8): `file:///NAME`, a file of the one directory that
 * the program was started with. It holds `config` of the base namespace, with the data inside. Whoever names one must have the right
 * to read everything: what is in a file was written by somebody, and no rule says who may read it.
 */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { DatastoreName } from '../../state/request.ts';
import type { RowPack } from '../../state/row-pack.ts';
import type { SealedRow } from '../../state/rows.ts';
import { reshapeForFile } from '../copy-defaults.ts';
import { fileFault } from '../file-fault.ts';
import type { Piece } from '../pause.ts';
import type { WithDefaults } from '../read-options.ts';
import { rowSchema } from '../row-node.ts';
import { WholeRows } from '../whole-rows.ts';
import type { XmlElement } from '../xml.ts';
import { childElement } from '../xml.ts';
import { NETCONF_NAMESPACE, writeXml } from '../xml-data.ts';
import { configIn } from './config-element.ts';
import { longMessage } from './incoming.ts';
import type { RpcContext } from './rpcs.ts';

/** RFC 8089 §2, the host being this one. */
const FILE_URL = /^file:(?:\/\/(?:localhost)?)?\/([^/?#]*)$/i;
/** No path, and nothing that begins as hidden files do. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** The text of the url in an operation, or in its source or target; undefined when there is none. */
export function urlIn(operation: XmlElement, parameter?: 'source' | 'target'): string | undefined {
  const holder = parameter === undefined ? operation : childElement(operation, parameter);
  return holder && childElement(holder, 'url')?.text.trim();
}

/** The name of the file that a URL means. @throws ManagementError invalid-value */
export function fileNameOf(url: string): string {
  const name = decoded(FILE_URL.exec(url)?.[1] ?? '');
  if (NAME.test(name)) return name;
  const message =
    `url '${url.slice(0, 200)}': expected file:///NAME, NAME being one of a file without a path: ` +
    'letters, digits, _, and behind the first of them . and -';
  throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'url' } });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/**
 * Work with the configuration that a file holds.
 * @throws ManagementError access-denied; of `fileNameOf`, `ConfigFiles.read`, `configIn`; invalid-value for another document; what
 *   `work` throws
 */
export function withFile<Result>(
  context: RpcContext,
  url: string,
  options: { readonly edit: boolean },
  work: (tree: DataNode) => Promise<Result>,
): Promise<Result> {
  const { operations, caller } = context;
  const name = fileNameOf(url);
  const { files, limits } = filesOf(context);
  return files.inTurn(async () => {
    operations.authorizeFiles(caller);
    const feed = longMessage(limits);
    await files.read(name, (octets) => feed.push(octets));
    const config = documentOf(name, () => feed.end());
    return work(configIn(operations, config, options));
  });
}

/** What is wrong with a document in a file is no fault of the message that names it. */
function documentOf(name: string, read: () => XmlElement): XmlElement {
  try {
    const root = read();
    if (root.name === 'config' && root.namespace === NETCONF_NAMESPACE) return root;
    const why = `expected config in ${NETCONF_NAMESPACE}, found ${root.name} in '${root.namespace}'`;
    throw fileFault('invalid-value', name, why);
  } catch (error) {
    if (!(error instanceof ManagementError) || error.type !== 'rpc') throw error;
    throw fileFault(error.tag === 'too-big' ? 'too-big' : 'invalid-value', name, error.message);
  }
}

/** Writes a datastore into a file, as a reading in that mode shows it. @throws ManagementError access-denied; as `ConfigFiles.write` */
export function saveToFile(
  context: RpcContext,
  url: string,
  datastore: DatastoreName,
  withDefaults: WithDefaults | undefined,
): Promise<void> {
  const { operations, caller } = context;
  const name = fileNameOf(url);
  const { files } = filesOf(context);
  return files.inTurn(async () => {
    const mayReplace = operations.authorizeFiles(caller);
    const reading = await operations.read(caller, { datastore, content: 'config', withDefaults });
    try {
      await files.write(name, document(writeXml(reading.root.children(), reading.rows)), mayReplace);
    } finally {
      reading.close();
    }
  });
}

/**
 * Writes a whole configuration into a file: one that came in the message.
 * @throws ManagementError access-denied; as `ConfigFiles.write`
 */
export function saveConfig(
  context: RpcContext,
  url: string,
  tree: DataNode,
  withDefaults: WithDefaults | undefined,
): Promise<void> {
  const name = fileNameOf(url);
  return filesOf(context).files.inTurn(() => writeConfig(context, name, tree, withDefaults));
}

/** Writes what one file holds into another (RFC 6241 §7.3). @throws ManagementError as `withFile`, `saveConfig` */
export function copyFile(
  context: RpcContext,
  from: string,
  to: string,
  withDefaults: WithDefaults | undefined,
): Promise<void> {
  const name = fileNameOf(to);
  return withFile(context, from, { edit: false }, (tree) => writeConfig(context, name, tree, withDefaults));
}

/** In the turn of its request. */
async function writeConfig(
  context: RpcContext,
  name: string,
  tree: DataNode,
  withDefaults: WithDefaults | undefined,
): Promise<void> {
  const mayReplace = context.operations.authorizeFiles(context.caller);
  reshapeForFile(tree, withDefaults);
  await filesOf(context).files.write(name, document(writeXml(tree.children(), bulkOf)), mayReplace);
}

/** Entries that came as rows. */
function bulkOf(parent: DataNode): Iterable<DataNode> {
  return parent.bulk ? new WholeRows(rowSchema(parent), parent, sealedRows(parent.bulk), false) : [];
}

function* sealedRows(rows: RowPack): Generator<SealedRow> {
  for (const number of rows.numbers()) {
    const value = rows.get(number);
    if (value) yield { number, value };
  }
}

function* document(data: Iterable<Piece>): Generator<Piece> {
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="${NETCONF_NAMESPACE}">`;
  yield* data;
  yield '</config>\n';
}

/** @throws ManagementError access-denied; as `ConfigFiles.remove` */
export function deleteFile(context: RpcContext, url: string): Promise<void> {
  const name = fileNameOf(url);
  const { files } = filesOf(context);
  return files.inTurn(async () => {
    context.operations.authorizeFiles(context.caller);
    await files.remove(name);
  });
}

function filesOf({ files }: RpcContext): NonNullable<RpcContext['files']> {
  if (files) return files;
  const message = 'there are no URLs here: the program was started without --url-dir';
  throw new ManagementError('operation-not-supported', { type: 'protocol', message, info: { 'bad-element': 'url' } });
}

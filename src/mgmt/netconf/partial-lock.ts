/** Operations of RFC 5717: locks of parts of running. */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { PartialLock } from '../../state/partial-locks.ts';
import type { Operations } from '../operations.ts';
import type { XmlElement } from '../xml.ts';
import { childElement } from '../xml.ts';
import { withModuleNames } from '../xpath/module-names.ts';
import type { XPathSelection } from '../xpath/selection.ts';
import { xpathTextSelection } from '../xpath/selection.ts';
import type { Handler } from './rpcs.ts';

/**
 * partial-lock (§2.4.1): each `select` is any XPath expression over the configuration in running that the caller may read.
 * @throws ManagementError invalid-value for an expression that is none, with app-tag not-a-node-set for one that gives
 *   something else; operation-failed, app-tag no-matches, when all give nothing; as `Operations.partialLock`
 */
export const partialLock: Handler = async ({ operations, caller }, operation) => {
  const elements = operation.children.filter(({ name }) => name === 'select');
  const selections = elements.map((element) => selectionOf(operations, element));
  const { namespaces } = operations.schema.root;
  const texts = elements.map(({ text, prefixes }) => withModuleNames(text.trim(), prefixes, namespaces));
  const lock = await operations.partialLock(caller, texts, selections);
  return { kind: 'output', output: { output: outputOf(operations, lock) } };
};

/** partial-unlock (§2.4.2). @throws ManagementError invalid-value for a lock that is not this session's */
export const partialUnlock: Handler = async ({ operations, caller }, operation) => {
  const text = childElement(operation, 'lock-id')?.text.trim();
  if (text === undefined) {
    const message = 'partial-unlock needs the lock-id that partial-lock gave';
    throw new ManagementError('missing-element', { type: 'protocol', message, info: { 'bad-element': 'lock-id' } });
  }
  operations.partialUnlock(caller, Number(text));
  return { kind: 'ok' };
};

function selectionOf({ schema, check }: Operations, element: XmlElement): XPathSelection {
  return xpathTextSelection(schema, check, element, 'not-a-node-set');
}

function outputOf({ schema }: Operations, { id, paths }: PartialLock): DataNode {
  const output = schema.find('/ietf-netconf-partial-lock:partial-lock')?.child('output');
  const [lockId, lockedNode] = [output?.child('lock-id'), output?.child('locked-node')];
  if (!output || !lockId || !lockedNode) throw new Error('the schema of partial-lock has no output');
  const node = new DataNode(output);
  node.add(new DataNode(lockId, `${id}`));
  for (const path of paths) node.add(new DataNode(lockedNode, path));
  return node;
}

/** The fault of an operation or action that came without what it needs. */

import type { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import type { SchemaNode } from '../state/schema.ts';
import { missingBelow, missingChoices, oneOfChoice } from './lacking.ts';

export function missingInput(operation: DataNode, name: string): ManagementError {
  const message = `${operation.schema.name} needs ${name}`;
  return new ManagementError('missing-element', { path: operation.path, message, info: { 'bad-element': name } });
}

/**
 * @throws ManagementError missing-element when the input lacks a mandatory node (RFC 7950 §7.14.2), with app-tag missing-choice when it
 *   has nothing of a mandatory choice (§7.9.4)
 */
export function requireInput(operation: DataNode, input: DataNode): void {
  const [choice] = missingChoices(input);
  if (choice !== undefined) throw missingChoice(operation, input.schema, choice);
  const [missing] = missingBelow(input);
  if (missing) throw missingInput(operation, missing.name);
}

function missingChoice(operation: DataNode, input: SchemaNode, choice: string): ManagementError {
  return new ManagementError('missing-element', {
    type: operation.schema.kind === 'rpc' ? 'protocol' : 'application',
    appTag: 'missing-choice',
    path: operation.path,
    message: `${operation.schema.name} needs ${oneOfChoice(input, choice)}`,
    info: { 'missing-choice': choice },
  });
}

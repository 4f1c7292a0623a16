/** The fault of an operation or action that came without what it needs. */

import type { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';

export function missingInput(operation: DataNode, name: string): ManagementError {
  const message = `${operation.schema.name} needs ${name}`;
  return new ManagementError('missing-element', { path: operation.path, message, info: { 'bad-element': name } });
}

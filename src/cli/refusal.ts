/** rpc-error elements of a reply to one failure of the command. */

import { parseStringPromise } from 'xml2js';
import type { Fault } from './failure.ts';
import { Refusal } from './failure.ts';

/** The text of a whole reply that holds rpc-error elements. */
export async function refusalOf(reply: string): Promise<Refusal> {
  const options = { tagNameProcessors: [localName], explicitRoot: false, ignoreAttrs: true, explicitArray: false };
  const parsed: unknown = await parseStringPromise(reply, options);
  const errors = memberOf(parsed, 'rpc-error');
  const faults = (Array.isArray(errors) ? errors : [errors]).map(toFault);
  return new Refusal(faults);
}

function toFault(error: unknown): Fault {
  const text = (name: string) => {
    const value = memberOf(error, name);
    return typeof value === 'string' ? value : '';
  };
  return {
    tag: text('error-tag') || 'operation-failed',
    message: text('error-message'),
    path: withoutPrefixes(text('error-path')),
    appTag: text('error-app-tag'),
  };
}

/** The form people write: a path without prefixes, /softwire/aftr[name='a']. */
function withoutPrefixes(path: string): string {
  return path.replace(/('[^']*'|"[^"]*")|([/[])[A-Za-z_][\w.-]*:/g, (whole, quoted, mark) => quoted ?? mark ?? whole);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

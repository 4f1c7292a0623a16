/** `show alarms`: the alarm list (RFC 8632), one line each: what is so now first, the most severe before others. */

import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, readOperation, textOf } from './client.ts';
import type { Output } from './output.ts';
import { rowSink } from './rows.ts';

const FILTER = '<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><alarm-list/></alarms>';
const ORDER = ['critical', 'major', 'minor', 'warning', 'indeterminate', 'cleared'];
const COLUMNS = ['severity', 'since', 'alarm', 'resource', 'text'];

export async function alarms(client: NetconfClient, output: Output, options: { readonly json?: boolean | undefined }) {
  const reply = await client.call(readOperation(FILTER, { datastore: undefined }));
  const sink = rowSink(output, COLUMNS, 'There are no alarms.', options.json ?? false);
  const rows = nodesAt(reply, 'data', 'alarms', 'alarm-list', 'alarm').map(rowOf);
  // Within one severity the newest first.
  rows.sort(
    (a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || Date.parse(b.since) - Date.parse(a.since),
  );
  for (const row of rows) sink.row({ ...row });
  sink.finish();
}

function rowOf(alarm: ReplyNode) {
  const isCleared = textOf(alarm, 'is-cleared') === 'true';
  return {
    severity: isCleared ? 'cleared' : textOf(alarm, 'perceived-severity'),
    since: textOf(alarm, isCleared ? 'last-changed' : 'last-raised'),
    alarm: textOf(alarm, 'alarm-type-id').replace(/^.*:/, ''),
    resource: resourceText(textOf(alarm, 'resource')),
    text: textOf(alarm, 'alarm-text'),
  };
}

/** The commands' words for an instance path: `aftr a`; what is about the whole device is its datapath or its store. */
function resourceText(path: string): string {
  const words = [...path.matchAll(/\/(?:[\w.-]+:)?([\w.-]+)(?:\[[^=]*='([^']*)'\])?/g)];
  const last = words[words.length - 1];
  if (last?.[2] !== undefined) return `${last[1]} ${last[2]}`;
  return words[0]?.[1] ?? path;
}

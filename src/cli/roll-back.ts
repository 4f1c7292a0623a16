/** `rollback`: the candidate, or with --commit running at once, becomes what running was at a version on record. */

import type { NetconfClient } from './client.ts';
import type { EditOptions } from './edit.ts';
import { requireRecord } from './edit.ts';
import type { Output } from './output.ts';
import { escapeXml } from './xml-text.ts';

export async function rollBack(
  client: NetconfClient,
  output: Output,
  version: number,
  options: EditOptions,
): Promise<void> {
  requireRecord(options);
  const { commit = false, comment } = options;
  const target = commit ? 'running' : 'candidate';
  const words = comment === undefined ? '' : `<comment>${escapeXml(comment)}</comment>`;
  await client.call(
    `<roll-back xmlns="urn:gi-4over6"><version>${version}</version><target>${target}</target>${words}</roll-back>`,
  );
  output.line(
    commit
      ? `Running is what it was at version ${version}.`
      : `The candidate is what running was at version ${version}: \`gi4over6 compare\` shows the difference, \`gi4over6 commit\` makes it running.`,
  );
}

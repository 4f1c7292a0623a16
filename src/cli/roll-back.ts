/** `rollback`: the candidate, or with --commit running at once, becomes what running was at a version on record. */

import type { NetconfClient } from './client.ts';
import type { Output } from './output.ts';
import { escapeXml } from './xml-text.ts';

export interface RollBackOptions {
  readonly commit?: boolean;
  readonly comment?: string;
}

export async function rollBack(
  client: NetconfClient,
  output: Output,
  version: number,
  { commit = false, comment }: RollBackOptions,
): Promise<void> {
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

/** Texts that change with the program alone, modules and the OpenAPI description: their entity-tag is their hash. */

import { createHash } from 'node:crypto';
import { requireTag, sameTag } from './conditions.ts';
import type { Reply } from './reply.ts';
import type { Conditions } from './request.ts';

export interface TaggedText {
  readonly text: string;
  readonly etag: string;
}

export function tagged(text: string): TaggedText {
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
}

/** 200, or 304 for who has it. @throws RestconfFault 412 for who wants another one */
export function textReply(conditions: Conditions, { text, etag }: TaggedText, type: string): Reply {
  requireTag(conditions, etag);
  const headers = { etag, 'cache-control': 'no-cache' };
  if (sameTag(conditions, etag)) return { status: 304, headers };
  return { status: 200, headers: { 'content-type': type, ...headers }, body: [text] };
}

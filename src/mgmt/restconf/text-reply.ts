/** Texts that change with the program alone, modules and the OpenAPI description: their entity-tag is their hash. */

import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { requireTag, sameTag } from './conditions.ts';
import type { Reply } from './reply.ts';
import type { Conditions } from './request.ts';

/** The longest that others wait while a text is made. */
const SLICE_MS = 10;

export interface TaggedText {
  readonly pieces: readonly string[];
  readonly etag: string;
}

export function tagged(text: string): TaggedText {
  return { pieces: [text], etag: tagOf(createHash('sha256').update(text)) };
}

/** A text that is made piece by piece. Others have their turn each time that it has taken `sliceMs`. */
export async function taggedInSlices(text: Iterable<string>, sliceMs = SLICE_MS): Promise<TaggedText> {
  const hash = createHash('sha256');
  const pieces: string[] = [];
  let began = performance.now();
  for (const piece of text) {
    hash.update(piece);
    pieces.push(piece);
    if (performance.now() - began < sliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
  return { pieces, etag: tagOf(hash) };
}

function tagOf(hash: Hash): string {
  return `"${hash.digest('base64url').slice(0, 22)}"`;
}

/** 200, or 304 for who has it. @throws RestconfFault 412 for who wants another one */
export function textReply(conditions: Conditions, { pieces, etag }: TaggedText, type: string): Reply {
  requireTag(conditions, etag);
  const headers = { etag, 'cache-control': 'no-cache' };
  if (sameTag(conditions, etag)) return { status: 304, headers };
  return { status: 200, headers: { 'content-type': type, ...headers }, body: pieces };
}

/** `log`: the commits on record, newest first (operation list-versions of the model). */

import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, textOf } from './client.ts';
import type { Output } from './output.ts';
import type { Cell } from './rows.ts';
import { counter, rowSink } from './rows.ts';

export interface LogOptions {
  /** How many commits at most. */
  readonly count: number;
  /** Only commits of versions below this one. */
  readonly before?: number;
  readonly json?: boolean;
}

const COLUMNS = ['version', 'time', 'user', 'face', 'added', 'changed', 'removed', 'other', 'comment'];

export async function log(client: NetconfClient, output: Output, options: LogOptions): Promise<void> {
  const { count, before, json = false } = options;
  const limit = before === undefined ? '' : `<before>${before}</before>`;
  const reply = await client.call(
    `<list-versions xmlns="urn:gi-4over6"><maximum>${count}</maximum>${limit}</list-versions>`,
  );
  const sink = rowSink(output, COLUMNS, 'No commits are on record.', json);
  for (const node of nodesAt(reply, 'version')) sink.row(rowOf(node));
  sink.finish();
}

function rowOf(node: ReplyNode): Record<string, Cell> {
  const number = (name: string) => counter(textOf(node, name));
  const [session, comment] = [textOf(node, 'session-id'), textOf(node, 'comment')];
  return {
    version: number('number'),
    time: textOf(node, 'time'),
    user: textOf(node, 'user'),
    face: textOf(node, 'face'),
    ...(session === '' ? {} : { session: Number(session) }),
    added: number('added'),
    changed: number('changed'),
    removed: number('removed'),
    other: textOf(node, 'other-configuration') === 'true',
    ...(comment === '' ? {} : { comment }),
  };
}

/** What the event stream of RESTCONF sends the guest of a world: all of it, or what passes a filter that asks for what is hidden. */

import { request as httpsRequest } from 'node:https';
import { BY_THE_CLOCK, GUEST_LOGIN, LAST_MARK, plain, type World } from './two-worlds.ts';

type Next = () => number;

/** Conditions beside the mark that ends what is compared. */
const CONDITIONS = [
  'true()',
  '/gi-4over6:binding-table-changed',
  '/gi-4over6:binding-table-changed/added > 2',
  '/gi-4over6:binding-table-changed[removed = 0]',
  'count(/*/edit) > 2',
  'count(//*) > 9',
  "contains(/, 'secret')",
  "contains(/*/edit/target, '192.0.2.200')",
  "re-match(string(/*), '.*(198\\.51|203\\.0)\\..*')",
  "/netconf-config-change/edit[operation='delete']",
  'string-length(/) > 300',
] as const;

export interface WorldStream {
  /** The events up to the next mark that all may see, without their times. */
  untilMark(): Promise<string>;
  end(): void;
}

/** Resource and query of one of the streams, the same for all worlds. */
export function randomStream(next: Next): string {
  const encoding = next() % 2 ? 'json' : 'xml';
  const condition = CONDITIONS[next() % CONDITIONS.length] ?? 'true()';
  const filter = `contains(/, '${LAST_MARK}') or ${condition}`;
  return `/restconf/streams/NETCONF/${encoding}${next() % 3 ? `?filter=${encodeURIComponent(filter)}` : ''}`;
}

/** Opens it; it is listening when this returns. @throws Error for another status than 200 */
export function openWorldStream({ management }: World, path: string): Promise<WorldStream> {
  const options = { rejectUnauthorized: false, auth: GUEST_LOGIN, headers: { accept: 'text/event-stream' } };
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(`https://127.0.0.1:${management.restconfPort}${path}`, options, (reply) => {
      if (reply.statusCode !== 200) return reject(new Error(`${path}: ${reply.statusCode}`));
      let text = '';
      let isOver = false;
      let wake: () => void = () => undefined;
      reply.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        wake();
      });
      reply
        .on('error', () => undefined)
        .on('close', () => {
          isOver = true;
          wake();
        });
      const untilMark = async () => {
        for (;;) {
          const events = text.split('\n\n');
          const at = events.findIndex((event, index) => event.includes(LAST_MARK) && index < events.length - 1);
          if (at >= 0) {
            text = events.slice(at + 1).join('\n\n');
            return plain(
              events
                .slice(0, at + 1)
                .filter((event) => !BY_THE_CLOCK.test(event))
                .join('\n\n'),
            );
          }
          if (isOver) throw new Error(`the stream ended: ${text.slice(-500)}`);
          await new Promise<void>((woken) => {
            wake = woken;
          });
        }
      };
      resolve({ untilMark, end: () => sent.destroy() });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** What is shown of event streams and subscriptions (RFC 8639 §4: /streams, /subscriptions). */

import type { EventStreams } from '../events/streams.ts';
import { STREAM, STREAM_DESCRIPTION } from '../events/streams.ts';
import { SUBSCRIBED } from './refusal.ts';

type Json = Readonly<Record<string, unknown>>;

/** `entries` are those of the list of subscriptions. */
export function subscriptionsState({ created, log }: EventStreams, entries: readonly Json[]): Json {
  const { aged } = log;
  const stream = {
    name: STREAM,
    description: STREAM_DESCRIPTION,
    'replay-support': [null],
    'replay-log-creation-time': created.toISOString(),
    ...(aged && { 'replay-log-aged-time': aged.toISOString() }),
  };
  return {
    [`${SUBSCRIBED}:streams`]: { stream: [stream] },
    ...(entries.length > 0 && { [`${SUBSCRIBED}:subscriptions`]: { subscription: entries } }),
  };
}

/** State data about event streams, for NETCONF (RFC 5277 §3.2.5) and RESTCONF (RFC 8040 §9.3). */

import { STREAM, STREAM_DESCRIPTION } from './streams.ts';

/** `created` is when the replay log began. */
export function netconfStreams(created: Date): Readonly<Record<string, unknown>> {
  const stream = {
    name: STREAM,
    description: STREAM_DESCRIPTION,
    replaySupport: true,
    replayLogCreationTime: created.toISOString(),
  };
  return { 'nc-notifications:netconf': { streams: { stream: [stream] } } };
}

/** One entry of restconf-state/streams; the locations are relative to where the client asks. */
export function restconfStream(
  created: Date,
  location: (encoding: string) => string,
): Readonly<Record<string, unknown>> {
  return {
    name: STREAM,
    description: STREAM_DESCRIPTION,
    'replay-support': true,
    'replay-log-creation-time': created.toISOString(),
    access: ['json', 'xml'].map((encoding) => ({ encoding, location: location(encoding) })),
  };
}

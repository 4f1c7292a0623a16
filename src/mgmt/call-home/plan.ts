/** Call home (RFC 8071) as it is configured: whom to call, in which order, and how long to wait. */

import { parseDateTime } from '../../date-time.ts';
import type { DataNode } from '../../state/data.ts';

export interface Endpoint {
  readonly name: string;
  readonly transport: 'ssh' | 'tls';
  /** Address or name of a host. */
  readonly address: string;
  readonly port: number;
}

export interface Periodic {
  readonly periodMs: number;
  /** Calls begin whole periods before and after it; milliseconds since 1970. */
  readonly anchor: number | undefined;
  /** Of a connection on which nothing is sent; 0 for any time. */
  readonly idleMs: number;
}

export interface CallHomeClient {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** undefined: connected all the time. */
  readonly periodic: Periodic | undefined;
  readonly startWith: 'first-listed' | 'last-connected' | 'random-selection';
  readonly maxWaitMs: number;
  readonly maxAttempts: number;
  readonly maxBackOffMs: number;
}

/** Ports of the IANA registry: netconf-ch-ssh and netconf-ch-tls (RFC 8071 §5). */
const PORTS: Readonly<Record<Endpoint['transport'], number>> = { ssh: 4334, tls: 4335 };
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const FIRST_BACK_OFF_MS = 1_000;

/** Clients of the configuration, whose root this is. */
export function clientsOf(configuration: DataNode): CallHomeClient[] {
  const callHome = configuration.child('management', 'gi-4over6-management')?.child('call-home');
  return (callHome?.entries('netconf-client') ?? []).map(clientOf).filter(({ endpoints }) => endpoints.length > 0);
}

function clientOf(entry: DataNode): CallHomeClient {
  const schema = entry.schema.child('reconnect-strategy');
  const strategy = (leaf: string) =>
    entry.child('reconnect-strategy')?.leaf(leaf) ?? schema?.child(leaf)?.defaults[0] ?? '';
  const periodic = entry.child('periodic');
  return {
    name: entry.leaf('name') ?? '',
    endpoints: entry.entries('endpoint').map(endpointOf),
    periodic: periodic && periodicOf(periodic),
    startWith: strategy('start-with') as CallHomeClient['startWith'],
    maxWaitMs: Number(strategy('max-wait')) * SECOND_MS,
    maxAttempts: Number(strategy('max-attempts')),
    maxBackOffMs: Number(strategy('max-back-off')) * SECOND_MS,
  };
}

function endpointOf(entry: DataNode): Endpoint {
  const transport = entry.leaf('transport') === 'tls' ? 'tls' : 'ssh';
  const port = entry.leaf('remote-port');
  return {
    name: entry.leaf('name') ?? '',
    transport,
    address: entry.leaf('remote-address') ?? '',
    port: port === undefined ? PORTS[transport] : Number(port),
  };
}

function periodicOf(node: DataNode): Periodic {
  const leaf = (name: string) => node.leaf(name) ?? node.schema.child(name)?.defaults[0] ?? '';
  return {
    periodMs: Number(leaf('period')) * MINUTE_MS,
    anchor: parseDateTime(node.leaf('anchor-time') ?? '')?.getTime(),
    idleMs: Number(leaf('idle-timeout')) * SECOND_MS,
  };
}

/**
 * The endpoints, of which there is at least one, in the order of their attempts, without end: each as often as it has attempts, then the next one, round and round.
 * `last` is the name of the endpoint of the last connection, `random` gives numbers from 0 up to 1.
 */
export function* attempts(
  { endpoints, startWith, maxAttempts }: Pick<CallHomeClient, 'endpoints' | 'startWith' | 'maxAttempts'>,
  last: string | undefined,
  random: () => number,
): Generator<Endpoint, void> {
  const lastAt = endpoints.findIndex(({ name }) => name === last);
  const begin = {
    'first-listed': 0,
    'last-connected': Math.max(lastAt, 0),
    'random-selection': Math.floor(random() * endpoints.length),
  }[startWith];
  for (let at = begin; ; at++) {
    const endpoint = endpoints[at % endpoints.length];
    for (let attempt = 0; endpoint && attempt < maxAttempts; attempt++) yield endpoint;
  }
}

/** The wait before the attempt that comes after so many in turn that led to nothing. */
export function backOffMs(failures: number, longestMs: number, random: () => number): number {
  const whole = Math.min(FIRST_BACK_OFF_MS * 2 ** Math.max(failures - 1, 0), longestMs);
  // Many devices that lost one client do not come back at the same moment.
  return whole * (1 - random() / 4);
}

/** How long until the next call of a period; `begun` is when the last one began, in milliseconds since 1970 as `now`. */
export function untilCallMs({ periodMs, anchor }: Periodic, begun: number | undefined, now: number): number {
  if (anchor === undefined) return begun === undefined ? 0 : Math.max(begun + periodMs - now, 0);
  const after = begun === undefined ? now : Math.max(now, begun + 1);
  return anchor + Math.ceil((after - anchor) / periodMs) * periodMs - now;
}

/** Requests of RFC 5277 that tests send, and what comes. */

import type { RawClient } from './netconf-client.ts';

export const BASE_EVENTS = 'urn:ietf:params:xml:ns:yang:ietf-netconf-notifications';
export const LONG_AGO = '<startTime>2020-01-01T00:00:00Z</startTime>';

export function subscribe(inside = ''): string {
  return `<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0">${inside}</create-subscription>`;
}

/** All notifications up to one that matches. */
export async function upTo(client: RawClient, last: RegExp): Promise<string[]> {
  const found: string[] = [];
  do found.push(await client.receive());
  while (!last.test(found[found.length - 1] ?? ''));
  return found;
}

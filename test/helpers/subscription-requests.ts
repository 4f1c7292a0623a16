/** Requests of RFC 8639 and RFC 8641 that tests send over NETCONF. */

import * as assert from 'uvu/assert';
import { allOk, openLocal, withSessions } from './local-sessions.ts';
import type { Management } from './management.ts';
import type { RawClient } from './netconf-client.ts';
import { AFTR, edit, RESET } from './netconf-requests.ts';

export const SN = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"';
export const YP = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-push"';
const DS = 'xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"';

export const ESTABLISH = (inside: string): string => `<establish-subscription ${SN}>${inside}</establish-subscription>`;
export const MODIFY = (id: string, inside: string): string =>
  `<modify-subscription ${SN}><id>${id}</id>${inside}</modify-subscription>`;
export const DELETE = (id: string): string => `<delete-subscription ${SN}><id>${id}</id></delete-subscription>`;
export const KILL = (id: string): string => `<kill-subscription ${SN}><id>${id}</id></kill-subscription>`;
export const RESYNC = (id: string): string => `<resync-subscription ${YP}><id>${id}</id></resync-subscription>`;

/** A datastore with a filter around these elements. */
export function datastore(filter = '', name = 'running'): string {
  const inside = filter === '' ? '' : `<datastore-subtree-filter ${YP}>${filter}</datastore-subtree-filter>`;
  return `<datastore ${YP} ${DS}>ds:${name}</datastore>${inside}`;
}

export function xpathFilter(select: string): string {
  return `<datastore-xpath-filter ${YP} xmlns:g="urn:gi-4over6">${select}</datastore-xpath-filter>`;
}

export const onChange = (inside = ''): string => `<on-change ${YP}>${inside}</on-change>`;
export const periodic = (inside: string): string => `<periodic ${YP}>${inside}</periodic>`;

/** The number of a subscription in the reply. @throws Error when there is none */
export function idIn(reply: string): string {
  const id = /<id [^>]*>(\d+)<\/id>/.exec(reply)?.[1];
  if (id === undefined) throw new Error(`no subscription: ${reply}`);
  return id;
}

export function appTagOf(reply: string): string | undefined {
  return /<error-app-tag>([^<]+)</.exec(reply)?.[1];
}

/** What a push-update holds of the datastore. */
export const contentsOf = (message: string): string =>
  /<datastore-contents(?:\/>|>(.*)<\/datastore-contents>)/.exec(message)?.[1] ?? '';

/** Runs a body with a session that watches and one that edits; there is the AFTR `a` and nothing else that is its own. */
export function withWatcher(
  management: Management,
  body: (watcher: RawClient, editor: RawClient) => Promise<void>,
  watch: () => Promise<RawClient> = () => openLocal(management),
): Promise<void> {
  return withSessions(
    () => openLocal(management),
    1,
    async (editor) => {
      await allOk(editor as RawClient, RESET, edit(AFTR));
      await withSessions(watch, 1, (watcher) => body(watcher as RawClient, editor as RawClient));
    },
  );
}

/** The edits of an update: operation, target, value. */
export function editsOf(message: string): string[] {
  assert.match(
    message,
    /^<notification .*<push-change-update .*<yang-patch xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-push">|<yang-patch>/,
  );
  return [
    ...message.matchAll(
      /<edit><edit-id>\d+<\/edit-id><operation>(\w+)<\/operation><target>([^<]+)<\/target>(?:<value>(.*?)<\/value>)?<\/edit>/g,
    ),
  ].map(([, operation, target = '', value = '']) => {
    const short = target.replace('/gi-4over6:softwire/aftr=a/binding-table/', '');
    return `${operation} ${decodeURIComponent(short)} ${value
      .replace(/<[^>]*>/g, ' ')
      .trim()
      .replace(/ +/g, ' ')}`.trim();
  });
}

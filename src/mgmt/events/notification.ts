/** One notification as a value, and its XML (RFC 5277 §4), which NETCONF and RESTCONF share. */

import type { DataNode } from '../../state/data.ts';
import type { Piece } from '../pause.ts';
import { elementText, writeXml } from '../xml-data.ts';
import type { ReaderEdits } from './reader-edits.ts';

export const NOTIFICATION_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:notification:1.0';

export interface Notification {
  readonly time: Date;
  /** The event: a node of the schema's notification. */
  readonly node: DataNode;
  /** Its edits for who may not read all. */
  readonly readers?: ReaderEdits | undefined;
  /** Entries that stand below a node of it, made while they are sent; then it can be sent once, and `close` is called once after. */
  readonly rows?: (parent: DataNode) => Iterable<DataNode>;
  /** Told when it is out, or given up. */
  readonly close?: () => void;
}

/** Text that was made for one subscriber serves the others. */
const texts = new WeakMap<Notification, string>();

/** The same in pieces, of one with rows. */
export function* notificationPieces({ time, node, rows }: Notification): Generator<Piece> {
  yield `<notification xmlns="${NOTIFICATION_NAMESPACE}"><eventTime>${time.toISOString()}</eventTime>`;
  yield* writeXml([node], rows);
  yield '</notification>';
}

export function notificationXml(notification: Notification): string {
  const known = texts.get(notification);
  if (known !== undefined) return known;
  const time = `<eventTime>${notification.time.toISOString()}</eventTime>`;
  const text = `<notification xmlns="${NOTIFICATION_NAMESPACE}">${time}${elementText(notification.node)}</notification>`;
  texts.set(notification, text);
  return text;
}

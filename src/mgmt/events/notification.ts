/** One notification as a value, and its XML (RFC 5277 §4), which NETCONF and RESTCONF share. */

import type { DataNode } from '../../state/data.ts';
import { elementText } from '../xml-data.ts';

export const NOTIFICATION_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:notification:1.0';

export interface Notification {
  readonly time: Date;
  /** The event: a node of the schema's notification. */
  readonly node: DataNode;
}

/** Text that was made for one subscriber serves the others. */
const texts = new WeakMap<Notification, string>();

export function notificationXml(notification: Notification): string {
  const known = texts.get(notification);
  if (known !== undefined) return known;
  const time = `<eventTime>${notification.time.toISOString()}</eventTime>`;
  const text = `<notification xmlns="${NOTIFICATION_NAMESPACE}">${time}${elementText(notification.node)}</notification>`;
  texts.set(notification, text);
  return text;
}

/** The hello exchange (RFC 6241 §8.1): what the client's must be, and the session-id in the library's. */

import type { XmlElement } from '../xml.ts';
import { childElement, parseXml } from '../xml.ts';
import { NETCONF_NAMESPACE } from '../xml-data.ts';
import type { Framing } from './framing.ts';

const BASE_10 = 'urn:ietf:params:netconf:base:1.0';
const BASE_11 = 'urn:ietf:params:netconf:base:1.1';

/** The client's hello is not acceptable: the session ends. */
export class HelloError extends Error {}

/** What goes to the library in the client's place, whatever the client said beside its versions. */
export const CANONICAL_HELLO = `<hello xmlns="${NETCONF_NAMESPACE}"><capabilities><capability>${BASE_11}</capability></capabilities></hello>]]>]]>`;

/** The framing the session goes on with. @throws HelloError for a wrong root, a session-id, no common version */
export function checkHello(hello: XmlElement): Framing {
  if (hello.name !== 'hello' || hello.namespace !== NETCONF_NAMESPACE) {
    throw new HelloError(`expected hello in ${NETCONF_NAMESPACE}, found ${hello.name} in '${hello.namespace}'`);
  }
  if (childElement(hello, 'session-id')) throw new HelloError('a client sends no session-id');
  const capabilities = childElement(hello, 'capabilities');
  if (!capabilities) throw new HelloError('expected capabilities in the hello, found none');
  const versions = capabilities.children
    .filter(({ name, namespace }) => name === 'capability' && namespace === NETCONF_NAMESPACE)
    .map(({ text }) => text.trim());
  if (versions.includes(BASE_11)) return 'chunked';
  if (versions.includes(BASE_10)) return 'end-of-message';
  throw new HelloError('expected the capability base:1.0 or base:1.1, found neither');
}

/** The session-id in the library's hello. */
export function sessionIdOf(hello: string): number {
  const match = /<session-id>(\d+)<\/session-id>/.exec(hello);
  if (!match) throw new Error('the hello of libnetconf2 has no session-id');
  return Number(match[1]);
}

/** The capabilities in the library's hello. */
export function capabilitiesOf(hello: string): string[] {
  const capabilities = childElement(parseXml(hello), 'capabilities')?.children ?? [];
  return capabilities.map(({ text }) => text.trim());
}

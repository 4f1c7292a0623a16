/** Requests of RFC 8526 that tests send. */

export const NMDA = 'urn:ietf:params:xml:ns:yang:ietf-netconf-nmda';
export const OR = 'xmlns:or="urn:ietf:params:xml:ns:yang:ietf-origin"';
const NAMES = `xmlns="${NMDA}" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores" ${OR} xmlns:gi="urn:gi-4over6"`;

/** `more` are parameters after the datastore. */
export function getData(datastore: string, more = ''): string {
  return `<get-data ${NAMES}><datastore>ds:${datastore}</datastore>${more}</get-data>`;
}

/** `more` are parameters between datastore and config. */
export function editData(config: string, more = '', datastore = 'running'): string {
  return `<edit-data ${NAMES}><datastore>ds:${datastore}</datastore>${more}<config>${config}</config></edit-data>`;
}

export function subtree(content: string): string {
  return `<subtree-filter>${content}</subtree-filter>`;
}

/** Lock, unlock or validate of a datastore by its identity. */
export function byIdentity(operation: string, datastore: string): string {
  const parameter = operation === 'validate' ? 'source' : 'target';
  return `<${operation}><${parameter}><datastore ${NAMES}>ds:${datastore}</datastore></${parameter}></${operation}>`;
}

/** What stands in the data of a reply. */
export function dataIn(reply: string): string {
  const found = new RegExp(`<data xmlns="${NMDA}">(.*)</data></rpc-reply>`, 's').exec(reply);
  if (found) return found[1] ?? '';
  throw new Error(`no data of get-data: ${reply.slice(0, 500)}`);
}

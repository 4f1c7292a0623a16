/**
 * Paths as values of leaves (RFC 7951 §6.11): in JSON a name has its module only where that is another than that of the node it
 * stands in; in XML each name has a prefix.
 */

/** Leaves whose values are such paths. */
export const PATH_LEAVES: ReadonlySet<string> = new Set(['path']);

const NAME = /('[^']*'|"[^"]*")|([/[]\s*)(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)/g;

/** With a module before each name. */
export function pathWithAllModules(text: string): string {
  let module = '';
  return text.replace(NAME, (whole, quoted, mark: string, prefix: string | undefined, name: string) => {
    if (quoted !== undefined) return whole;
    const own = prefix ?? module;
    if (mark.startsWith('/')) module = own;
    return own === '' ? whole : `${mark}${own}:${name}`;
  });
}

/** With a module only where it changes. */
export function pathWithFewModules(text: string): string {
  let module = '';
  return text.replace(NAME, (whole, quoted, mark: string, prefix: string | undefined, name: string) => {
    if (quoted !== undefined || prefix === undefined) return whole;
    const isSame = prefix === module;
    if (mark.startsWith('/')) module = prefix;
    return isSame ? mark + name : whole;
  });
}

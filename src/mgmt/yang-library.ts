/** What libyang leaves out of the YANG library: where the text of each module is (RFC 8525 §4, `location`; RFC 8040 §3.7). */

type Json = Readonly<Record<string, unknown>>;

/** As RESTCONF has them, relative to the server. */
const MODULES = '/restconf/modules';
const LIBRARY = 'ietf-yang-library:yang-library';
const MODULES_STATE = 'ietf-yang-library:modules-state';
/** Lists of modules in a module set. */
const LISTS = ['module', 'import-only-module'] as const;

/** The library with a location for each module, in the older form (`modules-state`) too. */
export function withLocations(library: Json): Json {
  const sets = objectsIn(library[LIBRARY], 'module-set').map((set) => {
    const lists = LISTS.map((name) => [name, located(set, name, (url) => ({ location: [url] }))] as const);
    return { ...set, ...Object.fromEntries(lists.filter(([, modules]) => modules.length > 0)) };
  });
  const older = located(library[MODULES_STATE], 'module', (url) => ({ schema: url }));
  return {
    ...library,
    ...(sets.length > 0 && { [LIBRARY]: { ...(library[LIBRARY] as Json), 'module-set': sets } }),
    ...(older.length > 0 && { [MODULES_STATE]: { ...(library[MODULES_STATE] as Json), module: older } }),
  };
}

function located(parent: unknown, list: string, leaf: (url: string) => Json): Json[] {
  return objectsIn(parent, list).map((module) => {
    const { name, revision } = module;
    const file = revision === undefined || revision === '' ? String(name) : `${String(name)}@${String(revision)}`;
    return { ...module, ...leaf(`${MODULES}/${file}.yang`) };
  });
}

function objectsIn(parent: unknown, list: string): readonly Json[] {
  return ((parent as Json | undefined)?.[list] as readonly Json[] | undefined) ?? [];
}

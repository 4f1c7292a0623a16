/** The identities of all modules and what they are derived from (RFC 7950 §7.18). */

import type { ModuleDump } from './schema.ts';

/** Every identity, with its module before it, and all that it is derived from, directly or not; never itself. */
export function identitiesOf(modules: readonly ModuleDump[]): ReadonlyMap<string, ReadonlySet<string>> {
  const derived = new Map<string, readonly string[]>();
  for (const { name: module, identities = {} } of modules)
    for (const [name, below] of Object.entries(identities)) derived.set(`${module}:${name}`, below);
  const found = new Map([...derived.keys()].map((identity) => [identity, new Set<string>()]));
  for (const base of derived.keys()) {
    const waiting = [...(derived.get(base) ?? [])];
    for (let identity = waiting.pop(); identity !== undefined; identity = waiting.pop()) {
      const bases = found.get(identity) ?? new Set<string>();
      found.set(identity, bases);
      if (bases.has(base)) continue;
      bases.add(base);
      waiting.push(...(derived.get(identity) ?? []));
    }
  }
  return found;
}

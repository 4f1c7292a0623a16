/**
 * Packages in CommonJS that the way to the first packet needs. For `import` Node would compile a lexer, read each of their files twice,
 * and so take a tenth of a second more at each start of a process; `require` reads them once.
 */

import { createRequire } from 'node:module';

interface Packages {
  readonly commander: typeof import('commander');
  readonly lmdb: typeof import('lmdb');
  readonly netlink: typeof import('netlink');
  readonly pino: typeof import('pino');
}

const require = createRequire(import.meta.url);

/** What the package exports. @throws Error with code MODULE_NOT_FOUND */
export function load<Name extends keyof Packages>(name: Name): Packages[Name] {
  return require(name);
}

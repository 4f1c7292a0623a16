/**
 * How packages in CommonJS are loaded that stand in the way to the first packet. For `import` Node would compile a lexer and read each of
 * their files twice, and so take a tenth of a second more at each start of a process.
 */

import { createRequire } from 'node:module';

/** What a package exports, to be cast to its type. @throws Error with code MODULE_NOT_FOUND */
export const require: NodeJS.Require = createRequire(import.meta.url);

/** Prints how many milliseconds libyang alone takes to parse and validate the XML document on standard input. */

import { readFileSync } from 'node:fs';
import { YangContext } from 'netconf-server';
import { YANG_SEARCH_DIRS, yangModules } from '../../src/mgmt/yang-modules.ts';

const text = readFileSync(0, 'utf8');
const context = new YangContext({ searchDirs: YANG_SEARCH_DIRS, modules: yangModules({ startup: false }) });
const began = performance.now();
const faults = context.validateConfig(text);
const elapsedMs = performance.now() - began;
context.close();
if (faults.length > 0) throw new Error(JSON.stringify(faults));
process.stdout.write(`${elapsedMs}\n`);

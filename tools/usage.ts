/** Words of a tool's command line: what is wrong with them is one line and exit code 2, before anything starts. */

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';

export class UsageError extends Error {}

/** Runs the tool; a UsageError of it ends the process with exit code 2 and one line. */
export async function runTool(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

export type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;
type Values<T extends Options> = { readonly [Name in keyof T]?: T[Name]['type'] extends 'boolean' ? boolean : string };

/** As parseArgs. @throws UsageError for an option that is not among them, comes twice, or lacks its value, and for any other word */
export function optionsIn<const T extends Options>(args: readonly string[], options: T): Values<T> {
  try {
    const { values, tokens } = parseArgs({ args: [...args], options, tokens: true });
    const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw new UsageError(`--${twice}: expected once, got twice`);
    return values as Values<T>;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const names = Object.keys(options).map((name) => `--${name}`);
    const [what = ''] = (error instanceof Error ? error.message : String(error)).split(/\.? (?=To specify)|\.?\n/);
    throw new UsageError(`${what}: there are ${names.join(', ') || 'no options'}`);
  }
}

function numbersOf(name: string, text: string, least: number, most: number): number[] {
  const all = text.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)));
  if (all.every((number) => number >= least && number <= most)) return all;
  throw new UsageError(`--${name}: expected numbers from ${least} to ${most} with commas between, got '${text}'`);
}

/** Whole numbers with commas between. @throws UsageError */
export function wholeNumbersOf(name: string, text: string, least: number, most: number): number[] {
  const all = numbersOf(name, text, least, most);
  if (all.every(Number.isInteger)) return all;
  throw new UsageError(`--${name}: expected whole numbers, got '${text}'`);
}

/** One whole number. @throws UsageError */
export function wholeNumberOf(name: string, text: string, least: number, most: number): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new UsageError(`--${name}: expected a whole number from ${least} to ${most}, got '${text}'`);
}

/** One number. @throws UsageError */
export function numberOf(name: string, text: string, least: number, most: number): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name}: expected a number from ${least} to ${most}, got '${text}'`);
}

/** Names with commas between, of which each must be one of those. @throws UsageError */
export function namesOf<T extends string>(name: string, text: string, all: readonly T[]): T[] {
  const words = text.split(',');
  const wrong = words.find((word) => !all.some((known) => known === word));
  if (wrong === undefined) return all.filter((known) => words.includes(known));
  throw new UsageError(`--${name}: expected some of ${all.join(', ')}, got '${wrong}'`);
}

/** That the process may do what only root does. @throws UsageError */
export function requireRoot(what: string): void {
  if (process.geteuid?.() !== 0) throw new UsageError(`${what} makes network namespaces: run it as root`);
}

/** That a file can be written there, as far as that is known before it is. @throws UsageError */
export function requireWritable(name: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (file === '' || found?.isDirectory()) throw new UsageError(`--${name} '${file}': expected a file`);
    if (!found && !statSync(dirname(file)).isDirectory())
      throw new UsageError(`--${name} ${file}: ${dirname(file)} is no folder`);
    accessSync(found ? file : dirname(file), constants.W_OK);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--${name} ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

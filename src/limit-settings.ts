/** Limits that an operator sets with an option of the form NAME=VALUE; NAME is the one of the table with hyphens (`idle-ms`). */

export interface Limit {
  readonly standard: number;
  /** The smallest and the largest that may be set. */
  readonly range: readonly [number, number];
  readonly what: string;
}

type Limits = Readonly<Record<string, Limit>>;
type NameOf<Table extends Limits> = keyof Table & string;

/** A timer takes no more. */
export const LONGEST_MS = 2 ** 31 - 1;

/** What is read and written of one table of limits. */
export interface LimitSettings<Name extends string> {
  readonly names: readonly Name[];
  /** Those that hold where nothing else was said. */
  readonly standard: Readonly<Record<Name, number>>;
  /** One setting of the form NAME=VALUE; a sentence when it is none. */
  read(text: string): { readonly name: Name; readonly value: number } | string;
  /** The words of a command line that sets these. */
  words(limits: Partial<Readonly<Record<Name, number>>>): string[];
}

/** `option` is that of the command line, `--netconf-limit`. */
export function limitSettings<const Table extends Limits>(option: string, table: Table): LimitSettings<NameOf<Table>> {
  const names = Object.keys(table) as NameOf<Table>[];
  const standard = Object.fromEntries(names.map((name) => [name, table[name]?.standard])) as Record<
    NameOf<Table>,
    number
  >;
  return {
    names,
    standard,
    read: (text) => {
      const [word = '', number = ''] = text.split(/=(.*)/s);
      const name = names.find((each) => hyphenated(each) === word);
      const limit = name && table[name];
      if (!limit) return `expected NAME=VALUE with NAME of ${names.map(hyphenated).join(', ')}.`;
      const value = Number(number);
      const [min, max] = limit.range;
      if (/^\d+$/.test(number) && value >= min && value <= max) return { name, value };
      return `${word}: expected a whole number from ${min} to ${max}, found '${number}'.`;
    },
    words: (limits) =>
      names.flatMap((name) => {
        const value = limits[name];
        return value === undefined ? [] : [option, `${hyphenated(name)}=${value}`];
      }),
  };
}

/** `helloOctets` as an operator writes it: `hello-octets`. */
export function hyphenated(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

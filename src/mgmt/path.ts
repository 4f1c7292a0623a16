/** Instance paths as clients write them: steps, names with an optional prefix, and key predicates. */

export interface Predicate {
  /** Prefix or module name; undefined when none was written. */
  readonly prefix: string | undefined;
  /** Key name without prefix; '.' for a leaf-list value. */
  readonly name: string;
  readonly value: string;
}

export interface PathStep {
  /** Prefix or module name; undefined when none was written. */
  readonly prefix: string | undefined;
  readonly name: string;
  readonly predicates: readonly Predicate[];
}

const PREDICATE = /^\[\s*(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*|\.)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*\]/;
const STEP = /^\/(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)/;

/** `[a='1'] [b='2']` to its predicates, with or without white space between; undefined when the text is anything else. */
export function parsePredicates(text: string): Predicate[] | undefined {
  const predicates: Predicate[] = [];
  let rest = text.trim();
  for (let [found, after] = takePredicates(rest); found.length > 0; [found, after] = takePredicates(rest)) {
    predicates.push(...found);
    rest = after.trimStart();
  }
  return rest === '' && predicates.length > 0 ? predicates : undefined;
}

function takePredicates(text: string): [Predicate[], string] {
  const predicates: Predicate[] = [];
  let rest = text;
  for (let match = PREDICATE.exec(rest); match; match = PREDICATE.exec(rest)) {
    predicates.push({ prefix: match[1], name: match[2] ?? '', value: match[3] ?? match[4] ?? '' });
    rest = rest.slice(match[0].length);
  }
  return [predicates, rest];
}

/** An absolute path of names and key predicates, `/m:a/b[k='v']/c`; undefined when the text is anything else. */
export function parsePath(text: string): PathStep[] | undefined {
  const steps: PathStep[] = [];
  let rest = text;
  for (let match = STEP.exec(rest); match; match = STEP.exec(rest)) {
    const [predicates, after] = takePredicates(rest.slice(match[0].length));
    steps.push({ prefix: match[1], name: match[2] ?? '', predicates });
    rest = after;
  }
  return rest === '' && steps.length > 0 ? steps : undefined;
}

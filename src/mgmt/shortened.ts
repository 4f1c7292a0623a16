/** What an error quotes of a client's texts: he knows them, and who sends much must not be sent more. */

/** Characters of a message or a name in an error; a path of more is left out. */
const LONGEST = 1_024;

export function shortened(text: string): string {
  // A pair of surrogates stays together.
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, '')}...`;
}

/** The path of an error as it goes out; undefined without one. */
export function shownPath(path: string | undefined): string | undefined {
  return path === undefined || path === '' || path.length > LONGEST ? undefined : path;
}

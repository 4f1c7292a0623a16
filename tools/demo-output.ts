/** What a demo says: chapters, what is done, and whether it came out. */

const isTerminal = process.stdout.isTTY === true;
const paint = (code: string) => (text: string) => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint('1');
const dim = paint('2');
export const green = paint('32');
export const red = paint('31');

let failures = 0;

/** How many steps did not come out. */
export function countFailures(): number {
  return failures;
}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export function chapter(title: string): void {
  say();
  say(bold(title));
}

export function show(text: string): void {
  for (const line of text.trim().split('\n')) say(dim(`    ${line}`));
}

export function verdict(what: string, isGood: boolean): void {
  if (!isGood) failures++;
  say(`  ${isGood ? green('ok') : red('FAILED')}  ${what}`);
}

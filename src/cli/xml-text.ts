/** XML text made by hand: escapes, good for character data and for attribute values in double quotes. */

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
};

export function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => ESCAPES[character] ?? character);
}

/** Characters that XML 1.0 cannot hold (§2.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNFIT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/u;

/** Whether XML can hold the text: no control character but tabs and ends of lines, no half of a surrogate pair. */
export function isXmlText(text: string): boolean {
  return !UNFIT.test(text);
}

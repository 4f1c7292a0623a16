/** Which characters a YANG string may hold (RFC 7950 §14, yang-char). */

/**
 * Whether every character is allowed: no C0 control but tab, line feed and carriage return, no lone surrogate, no
 * noncharacter. What passes here holds no NUL and can be handed to C.
 */
export function isYangText(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x20 && unit < 0xd800) continue;
    if (unit < 0x20) {
      if (unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return false;
    } else if (unit < 0xe000) {
      const low = text.charCodeAt(at + 1);
      if (unit >= 0xdc00 || !(low >= 0xdc00 && low < 0xe000)) return false;
      // U+nFFFE and U+nFFFF.
      if ((unit & 0x3f) === 0x3f && low >= 0xdffe) return false;
      at++;
    } else if ((unit >= 0xfdd0 && unit <= 0xfdef) || unit >= 0xfffe) return false;
  }
  return true;
}

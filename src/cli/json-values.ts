/** Whether a JSON value is as RFC 7951 writes the node of its name, by what the commands know of the model. */

import { TokenType } from '@streamparser/json';
import { ARRAYS, BOOLEANS, CONTAINERS, NUMBERS } from './model.ts';
import { isXmlText } from './xml-text.ts';

/** A node in the JSON text. */
interface JsonPlace {
  readonly name: string;
  /** Name of the node that it stands in; '' at the top. */
  readonly parent: string;
  /** It is a value in an array. */
  readonly isEntry: boolean;
}

interface JsonToken {
  readonly token: TokenType;
  readonly value: unknown;
  /** Text of a number. */
  readonly number: string;
}

const SCALARS = [TokenType.STRING, TokenType.NUMBER, TokenType.TRUE, TokenType.FALSE, TokenType.NULL];

export function isScalar(token: TokenType): boolean {
  return SCALARS.includes(token);
}

/** What is wrong, undefined when nothing is. */
export function wrongValue({ name, parent, isEntry }: JsonPlace, json: JsonToken): string | undefined {
  const { token, value } = json;
  const isList = ARRAYS.has(`${parent}/${name}`);
  const wrong = (expected: string) => `expected ${expected}, ${describe(json)} came (RFC 7951)`;
  // Of a leaf without a value, which is [null].
  if (isEntry && !isList)
    return token === TokenType.NULL ? undefined : wrong('no array, as no list has that name here');
  if (isList && !isEntry) return token === TokenType.LEFT_BRACKET ? undefined : wrong('an array');
  if (token === TokenType.LEFT_BRACKET) {
    if (isEntry) return wrong('no array in an array');
    return CONTAINERS.has(name) ? wrong('an object') : undefined;
  }
  if (token === TokenType.LEFT_BRACE) {
    return isEntry || CONTAINERS.has(name) ? undefined : wrong('no object, as no container has that name');
  }
  if (CONTAINERS.has(name) && !isEntry) return wrong('an object');
  const expected = expectedScalar(name, json);
  if (expected !== undefined) return wrong(expected);
  return isXmlText(String(value)) ? undefined : 'it holds a control character, or half of a pair of surrogates';
}

/** What scalar the leaf wants, undefined when it is one. */
function expectedScalar(name: string, { token, number }: JsonToken): string | undefined {
  if (NUMBERS.has(name)) {
    return token === TokenType.NUMBER && /^-?\d+$/.test(number) ? undefined : 'a number without fraction and exponent';
  }
  if (BOOLEANS.has(name)) return [TokenType.TRUE, TokenType.FALSE].includes(token) ? undefined : 'true or false';
  if (token === TokenType.STRING) return undefined;
  return token === TokenType.NULL ? 'a value' : 'a string, as no leaf of another kind has that name';
}

/** In words for messages. */
function describe({ token, value, number }: JsonToken): string {
  if (token === TokenType.LEFT_BRACE) return 'an object';
  if (token === TokenType.LEFT_BRACKET) return 'an array';
  if (token === TokenType.NUMBER) return `the number ${number.slice(0, 40)}`;
  return token === TokenType.STRING ? `the string ${JSON.stringify(String(value).slice(0, 40))}` : String(value);
}

/** The tokens of a JSON text (RFC 8259) as it comes, each with the place it stands at. */

import type { ParsedTokenInfo } from '@streamparser/json';
import { Tokenizer } from '@streamparser/json';
import { Place } from './file-text.ts';

/** What is wrong at an offset, in octets, of the text. */
export class JsonFault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** A piece of the text, and where it begins. */
interface Piece {
  readonly octets: Buffer;
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Keeps of a number the text it came as. */
class Numbers extends Tokenizer {
  text = '';

  override parseNumber(text: string): number {
    this.text = text;
    return super.parseNumber(text);
  }
}

/** In the tokenizer's message about a character that is out of place. */
const AT_OCTET = /at chunk position "(\d+)"/;

export class JsonTokens {
  readonly #tokenizer = new Numbers();
  readonly #place = new Place();
  #octets = 0;
  /** Since the token that came last. */
  #pieces: Piece[] = [];
  #lastToken = 0;

  constructor(onToken: (token: ParsedTokenInfo) => void) {
    this.#tokenizer.onToken = (token) => {
      this.#lastToken = token.offset;
      onToken(token);
    };
    this.#tokenizer.onError = (error) => {
      throw error;
    };
  }

  /** Text of the number that came last. */
  get number(): string {
    return this.#tokenizer.text;
  }

  /** @throws Error with line and column of what is wrong in it */
  write(text: string): void {
    const octets = Buffer.from(text);
    const { line, column } = this.#place;
    const piece = { octets, offset: this.#octets, line, column };
    this.#pieces = this.#pieces.filter(({ octets: { length }, offset }) => offset + length > this.#lastToken);
    this.#pieces.push(piece);
    this.#place.pass(text);
    this.#octets += octets.length;
    try {
      this.#tokenizer.write(octets);
    } catch (error) {
      throw this.#placed(error, piece);
    }
  }

  /** That the text ends here, and should not. */
  endFault(message: string): Error {
    return new Error(`${this.#place}: ${message}`);
  }

  #placed(error: unknown, piece: Piece): Error {
    if (error instanceof JsonFault) return new Error(`${this.#placeOf(error.offset)}: ${error.message}`);
    const message = error instanceof Error ? error.message : String(error);
    const at = AT_OCTET.exec(message)?.[1];
    if (at === undefined) return new Error(message);
    const [character = ''] = piece.octets.toString('utf8', Number(at), Number(at) + 4);
    const place = this.#placeOf(piece.offset + Number(at));
    return new Error(`${place}: the character ${JSON.stringify(character)} is out of place in JSON`);
  }

  #placeOf(offset: number): Place {
    const piece = this.#pieces.find(
      ({ octets: { length }, offset: begin }) => begin <= offset && offset < begin + length,
    );
    const place = new Place();
    if (!piece) return this.#place;
    place.line = piece.line;
    place.column = piece.column;
    place.pass(piece.octets.toString('utf8', 0, offset - piece.offset));
    return place;
  }
}

/** Where a command writes: gathered, as fast as the reader takes it. A reader that goes away is no fault. */

import type { Writable } from 'node:stream';

const GATHER = 64 * 1024;

/** Nobody reads any more: the command has nothing left to do. */
export class ReaderGone extends Error {}

export class Output {
  readonly #stream: Writable;
  #gathered = '';
  #isGone = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#isGone = true;
    });
  }

  readonly write = (text: string): void => {
    this.#gathered += text;
  };

  readonly line = (text = ''): void => this.write(`${text}\n`);

  /** Lets out what has gathered once it is worth it, waiting for the reader. @throws ReaderGone */
  readonly flow = async (): Promise<void> => {
    if (this.#gathered.length >= GATHER) await this.flush();
    if (this.#isGone) throw new ReaderGone();
  };

  async flush(): Promise<void> {
    const text = this.#gathered;
    this.#gathered = '';
    if (text === '' || this.#isGone) return;
    await new Promise<void>((resolve) => this.#stream.write(text, () => resolve()));
  }
}

/** Text from the device with control characters made visible, so that it cannot drive the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

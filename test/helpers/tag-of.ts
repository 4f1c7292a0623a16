import { ManagementError } from '../../src/state/errors.ts';

/** `ok`, or how work was refused: the error-tag, or the text of what is no refusal. */
export async function tagOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof ManagementError ? error.tag : String(error);
  }
  return 'ok';
}

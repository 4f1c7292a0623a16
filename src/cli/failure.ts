/** How a command ends when it does not come to its aim: one line for people, one exit code for programs. */

export const EXIT = { refused: 1, usage: 2, noConnection: 3 } as const;

/** Ends the command; the message says what was expected, what came, and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The session ended in the middle of an answer. */
export class SessionEnded extends CommandFailure {}

export function usageFailure(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message);
}

/** One rpc-error, as far as people want to know it. */
export interface Fault {
  readonly tag: string;
  readonly message: string;
  readonly path: string;
  readonly appTag: string;
}

/** The device refused an operation. */
export class Refusal extends CommandFailure {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(EXIT.refused, faults.map(sentence).join('; '));
    this.faults = faults;
  }
}

function sentence({ tag, message, path }: Fault): string {
  const isNamed = message.replace(/\/[a-z0-9-]+:(?=[A-Za-z_])/g, '/').includes(path);
  const where = isNamed ? '' : ` (at ${path})`;
  return `${message || 'refused'}${where} [${tag}]`;
}

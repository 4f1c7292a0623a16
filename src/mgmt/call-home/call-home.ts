/** Call home: a caller for each client of the running configuration. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Log } from '../../log.ts';
import type { DataNode } from '../../state/data.ts';
import type { CallerParts } from './caller.ts';
import { Caller } from './caller.ts';
import { clientsOf } from './plan.ts';

export interface CallHomeOptions {
  /** Root of the small tree of running. */
  readonly configuration: () => DataNode;
  readonly fronts: CallerParts['fronts'];
  /** Keeps the endpoint of each client's last connection over restarts. */
  readonly file: string;
  readonly log: Log;
}

export class CallHome {
  readonly #options: CallHomeOptions;
  readonly #callers = new Map<string, { readonly caller: Caller; readonly ended: Promise<void> }>();
  /** Endpoint by client. */
  readonly #last: Map<string, string>;
  #isClosed = false;

  constructor(options: CallHomeOptions) {
    this.#options = options;
    this.#last = readLast(options.file);
  }

  /** Calls whom the configuration names now, and nobody else. */
  follow(): void {
    if (this.#isClosed) return;
    const clients = new Map(clientsOf(this.#options.configuration()).map((client) => [client.name, client]));
    for (const [name, { caller }] of this.#callers) caller.update(clients.get(name));
    for (const [name, client] of clients) {
      if (this.#callers.has(name)) continue;
      const { fronts, log } = this.#options;
      const last = () => this.#last.get(name);
      const caller = new Caller(client, { fronts, log, last, onConnected: (endpoint) => this.#note(name, endpoint) });
      const ended = caller.run().finally(() => {
        this.#callers.delete(name);
        // It may have been configured anew at the very end.
        this.follow();
      });
      this.#callers.set(name, { caller, ended });
    }
  }

  /** Calls nobody any more; resolves when the connections have ended, which whoever has the fronts sees to. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { caller } of this.#callers.values()) caller.update(undefined);
    await Promise.all([...this.#callers.values()].map(({ ended }) => ended));
  }

  #note(client: string, endpoint: string): void {
    if (this.#last.get(client) === endpoint) return;
    this.#last.set(client, endpoint);
    const { file, log } = this.#options;
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(this.#last))}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      log.warn({ error: String(error) }, 'call home: the endpoint of a connection could not be noted');
    }
  }
}

/** Without the file, or with one of another form, nobody was connected. */
function readLast(file: string): Map<string, string> {
  try {
    const noted = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
    return new Map(noted.flatMap(([client, endpoint]) => (typeof endpoint === 'string' ? [[client, endpoint]] : [])));
  } catch {
    return new Map();
  }
}

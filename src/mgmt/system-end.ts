/**
 * system-restart and system-shutdown of ietf-system (RFC 7317 §3.4). The system is this program: the supervisor starts it anew, or
 * ends; the host goes on.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT_RESTART, EXIT_SHUTDOWN } from '../exit-codes.ts';
import { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import { outputOf } from './actions.ts';
import type { StoreOperation } from './store-care.ts';

/** The answer is on its way before the session ends. */
const ANSWER_MS = 200;

export class SystemEnd {
  /** Exit code of this process, once an operation has asked for its end. */
  readonly asked: Promise<number>;
  readonly operations: Readonly<Record<string, StoreOperation>>;

  constructor(datastores: Pick<Datastores, 'restarts'>) {
    let ask: (code: number) => void = () => undefined;
    this.asked = new Promise<number>((resolve) => {
      ask = resolve;
    }).then((code) => sleep(ANSWER_MS, code));
    this.operations = {
      '/ietf-system:system-restart': async (operation) => {
        await datastores.restarts();
        ask(EXIT_RESTART);
        return new DataNode(outputOf(operation));
      },
      '/ietf-system:system-shutdown': async (operation) => {
        ask(EXIT_SHUTDOWN);
        return new DataNode(outputOf(operation));
      },
    };
  }
}

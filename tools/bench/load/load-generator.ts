/** `load-generator.cc` as a child: traffic for as long as it is wanted. What its words and fields mean stands there. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { nativeProgram } from '../native-program.ts';
import type { Lab } from '../rfc8219/lab.ts';
import { DEVICE_CORE } from '../rfc8219/lab.ts';

export interface Gap {
  /** Since 1970. */
  readonly atMs: number;
  readonly lengthMs: number;
  readonly ownMs: number;
  readonly machineMs: number;
}

export interface StreamCounts {
  readonly sent: number;
  readonly received: number;
  /** Frames that came and for which the generator had no room. */
  readonly overruns: number;
  /** How often it was too late to keep to the rate. */
  readonly late: number;
  /** Of the time since the line before. */
  readonly gaps: readonly Gap[];
}

export interface LoadLine {
  readonly seconds: number;
  readonly streams: readonly StreamCounts[];
}

export interface LoadPlan {
  /** Frames a second and stream; 0: as fast as it goes. */
  readonly rate: number;
  /** Shorter ones are no gaps. */
  readonly gapMs: number;
  readonly streams: readonly string[];
  /** Before all that is not, on its core. Only at a rate that lets it sleep: else nothing else has its turn there. */
  readonly isRealTime?: boolean;
}

export class LoadGenerator {
  /** What has come so far, the newest last. */
  readonly lines: LoadLine[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error('load-generator has no output');
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.lines.push(JSON.parse(line) as LoadLine));
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (code !== 0) reject(new Error(`load-generator ended with ${code ?? signal}`));
      });
      lines.once('close', resolve);
    });
    this.#ended.catch(() => undefined);
  }

  static start(lab: Lab, { rate, gapMs, streams, isRealTime = false }: LoadPlan): LoadGenerator {
    const before = isRealTime ? ['chrt', '--rr', '1'] : [];
    const [first = '', ...words] = [...lab.enter('tester'), ...before, nativeProgram('load/load-generator')];
    return new LoadGenerator(
      spawn(first, [...words, `${rate}`, `${gapMs}`, `${DEVICE_CORE}`, ...streams], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
  }

  /** Ends it; what it said last. @throws Error when it failed */
  async end(): Promise<LoadLine> {
    this.#child.stdin?.end();
    await this.#ended;
    const last = this.lines.at(-1);
    if (!last) throw new Error('load-generator said nothing');
    return last;
  }
}

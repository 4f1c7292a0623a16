/** One trial: frames of one size through one device at one rate, in one direction or both at once, by `frame-tester.cc`. */

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { nativeProgram } from '../native-program.ts';
import type { Direction, Form } from './frames.ts';
import { flows, frameLength, tagOffset } from './frames.ts';
import type { Lab } from './lab.ts';
import type { Outcome } from './search.ts';

/** What goes in at one port of a device and comes out at the other. */
export interface Path {
  readonly from: { readonly port: string; readonly form: Form };
  readonly to: { readonly port: string; readonly form: Form };
}

export interface Device {
  readonly name: string;
  readonly paths: Readonly<Record<Direction, Path>>;
}

export interface Load {
  readonly device: Device;
  /** Both: at once, each at the rate. */
  readonly directions: readonly Direction[];
  /** Octets of the frame of the IPv4 side, with FCS. */
  readonly size: number;
  readonly gateways: number;
}

export interface TrialPlan {
  /** Frames a second in each direction; 0: as fast as it goes. */
  readonly rate: number;
  /** In each direction. */
  readonly frames: number;
  /** For late frames, after the last one is sent. */
  readonly drainMs: number;
  /** Frames whose latency is recorded one by one (RFC 8219 §7.2). */
  readonly tags: number;
}

/** Counts of one direction of a trial; times in nanoseconds. */
export interface StreamResult {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  readonly reordered: number;
  /** What else came to the port. */
  readonly foreign: number;
  /** Frames that came and for which the tester had no room. */
  readonly overruns: number;
  /** How often the tester was so late that it went on at the rate from there. */
  readonly stalls: number;
  readonly seconds: number;
  readonly tagged: number;
  readonly typicalNs: number;
  readonly worstCaseNs: number;
  readonly leastNs: number;
  readonly p999Ns: number;
}

/** Of the rate that was asked for, what must have been sent for the trial to say something of it. */
const OFFERED_SHARE = 0.97;
/** Above this share of lost frames a trial need not be repeated. */
const OVERLOADED_SHARE = 0.05;
/** The tester ends by itself long before. */
const TRIAL_LIMIT_MS = 30 * 60_000;

export class Tester {
  readonly #lab: Lab;
  #trial = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** One result for each direction of the load. @throws Error when the tester could not work */
  async run(load: Load, plan: TrialPlan): Promise<StreamResult[]> {
    this.#trial = (this.#trial % 0xffff) + 1;
    const numbers = [plan.frames, plan.rate, plan.drainMs, plan.tags, this.#trial].map(String);
    const streams = load.directions.map((direction) => this.#stream(load, direction));
    const [program = '', ...words] = [...this.#lab.enter('tester'), nativeProgram('rfc8219/frame-tester')];
    const child = spawn(program, [...words, ...numbers, ...streams], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: TRIAL_LIMIT_MS,
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const output = await text(child.stdout);
    const code = await ended;
    if (code !== 0) throw new Error(`frame-tester ended with ${code}`);
    return (JSON.parse(output) as { streams: StreamResult[] }).streams;
  }

  #stream({ device, size, gateways }: Load, direction: Direction): string {
    const { from, to } = device.paths[direction];
    const name = `${direction}-${from.form}-${size}-${gateways}.flows`;
    const file = join(this.#lab.dir, name);
    if (!existsSync(file)) writeFileSync(file, flows(direction, from.form, size, gateways));
    const sent = [from.port, file, frameLength(size, from.form)];
    const received = [to.port, to.form === 'tunnel' ? 6 : 4, frameLength(size, to.form), tagOffset(to.form)];
    return [...sent, ...received].join(',');
  }
}

/** Frames that did not come back, of all directions. */
export function lostOf(results: readonly StreamResult[]): number {
  return results.reduce((sum, { sent, received }) => sum + sent - received, 0);
}

/** Frames a second that went in, all directions together. */
export function offeredOf(results: readonly StreamResult[]): number {
  return results.reduce((sum, { sent, seconds }) => sum + (seconds > 0 ? (sent - 1) / seconds : 0), 0);
}

/**
 * What a trial says of a rate (frames a second and direction). A duplicate counts against the device as a loss does, and so
 * does what the tester itself could not take: `overruns` are seen as lost frames and cannot be told from them.
 */
export function outcomeOf(results: readonly StreamResult[], plan: TrialPlan): Outcome {
  const duplicates = results.reduce((sum, { duplicates }) => sum + duplicates, 0);
  if (results.some(({ overruns }) => overruns > 0)) return 'unoffered';
  const isAllSent = results.every(({ sent }) => sent === plan.frames);
  const isOffered = plan.rate === 0 || offeredOf(results) >= OFFERED_SHARE * plan.rate * results.length;
  const sent = results.reduce((sum, result) => sum + result.sent, 0);
  if (lostOf(results) > OVERLOADED_SHARE * sent) return 'overloaded';
  if (lostOf(results) > 0 || duplicates > 0) return 'lossy';
  return isAllSent && isOffered ? 'clean' : 'unoffered';
}

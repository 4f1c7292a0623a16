/**
 * Bench after RFC 8219: `npm run bench -- rfc8219 [--seconds S] [--gateways N,N] [--sizes N,N] [--strict] [--svg FILE]`. How it
 * measures, what it read out of the RFC and where it deviates stands in docs/rfc8219.md. Needs root and two cores.
 *
 * 1. What the tester can send through a cable is the ceiling of every search.
 * 2. All frame sizes and directions through the AFTR; at some sizes kernel forwarding and the bare C loop in turn with it.
 * 3. The same bindings spread over more gateways (§10).
 * 4. The gateway, and gateway and AFTR in a row.
 */

import { writeFileSync } from 'node:fs';
import { onInterrupt } from '../interrupted.ts';
import { numberOf, optionsIn, requireRoot, requireWritable, wholeNumbersOf } from '../usage.ts';
import type { BenchResult } from './results.ts';
import type { RunningAftr, RunningDevice } from './rfc8219/devices.ts';
import { aftr, cable, chain, cLoop, gateway, kernelForwarding } from './rfc8219/devices.ts';
import { FRAME_SIZES } from './rfc8219/frames.ts';
import { Lab } from './rfc8219/lab.ts';
import type { Cell, Effort } from './rfc8219/measure.ts';
import { DIRECTION_NAMES, measureCell, quickEffort, STRICT_EFFORT, testerLimit } from './rfc8219/measure.ts';
import { picture } from './rfc8219/picture.ts';
import { resultsOf, tableOf } from './rfc8219/report.ts';
import { Tester } from './rfc8219/tester.ts';

export interface SweepPlan {
  readonly sizes: readonly number[];
  /** Of these: where the AFTR with more gateways, the gateway and both in a row are measured. */
  readonly someSizes: readonly number[];
  /** Of these: where the baselines are. */
  readonly baselineSizes: readonly number[];
  readonly gateways: readonly number[];
  readonly effort: Effort;
  readonly progress: (text: string) => void;
}

const DEFAULT_SECONDS = '0.5';
const DEFAULT_GATEWAYS = '1,10,100';
const SOME_SIZES = [64, 1518];
const BASELINE_SIZES = [64, 512, 1518, 9216];
const MAX_GATEWAYS = 1_000;

/** The whole bench as the command line asks for it. @throws UsageError for a word that it does not know */
export async function benchRfc8219(words: readonly string[]): Promise<{ results: BenchResult[]; text: string }> {
  const { plan, svg } = planOf(words);
  requireRoot('bench rfc8219');
  const cells = await sweep(plan);
  if (svg !== undefined) writeFileSync(svg, picture(cells));
  return { results: resultsOf(cells), text: tableOf(cells) };
}

function planOf(words: readonly string[]): { plan: SweepPlan; svg: string | undefined } {
  const text = { type: 'string' } as const;
  const options = {
    json: text,
    svg: text,
    seconds: text,
    gateways: text,
    sizes: text,
    strict: { type: 'boolean' },
  } as const;
  const values = optionsIn(words, options);
  requireWritable('json', values.json);
  requireWritable('svg', values.svg);
  const seconds = numberOf('seconds', values.seconds ?? DEFAULT_SECONDS, 0.05, 600);
  const sizes = values.sizes === undefined ? FRAME_SIZES : wholeNumbersOf('sizes', values.sizes, 64, 9_216);
  const isWhole = values.strict === true || values.sizes !== undefined;
  const some = (of: readonly number[]) => (isWhole ? sizes : sizes.filter((size) => of.includes(size)));
  const plan = {
    sizes,
    someSizes: some(SOME_SIZES),
    baselineSizes: some(BASELINE_SIZES),
    gateways: wholeNumbersOf('gateways', values.gateways ?? DEFAULT_GATEWAYS, 1, MAX_GATEWAYS),
    effort: values.strict ? STRICT_EFFORT : quickEffort(seconds),
    progress: (line: string) => process.stderr.write(`${line}\n`),
  };
  return { plan, svg: values.svg };
}

/** Builds devices, measures all cells, takes everything down again. */
export async function sweep(plan: SweepPlan): Promise<Cell[]> {
  const lab = new Lab(`gi8219-${process.pid}`);
  const running: RunningDevice[] = [];
  const keep = <T extends RunningDevice>(device: T): T => {
    running.push(device);
    return device;
  };
  const stopAll = async () => {
    for (const device of running.splice(0).reverse()) await device.stop();
  };
  const forget = onInterrupt(stopAll);
  try {
    const work = new Sweep(plan, new Tester(lab));
    await work.findCeilings(keep(cable(lab)));
    const baselines = [keep(kernelForwarding(lab)), keep(await cLoop(lab))];
    const edge = keep(await aftr(lab));
    await work.measureSizes(baselines, edge);
    await work.measureGateways(edge);
    await stopAll();
    for (const build of [gateway, chain]) {
      await work.measureSome(keep(await build(lab)), 1);
      await stopAll();
    }
    return work.cells;
  } finally {
    forget();
    await stopAll();
    lab.close();
  }
}

class Sweep {
  readonly cells: Cell[] = [];
  readonly #plan: SweepPlan;
  readonly #tester: Tester;
  /** Frames a second and direction, by size and direction. */
  readonly #ceilings = new Map<string, number>();
  /** What a device passed last, by device and direction: most of a frame costs the same whatever its size. */
  readonly #found = new Map<string, number>();

  constructor(plan: SweepPlan, tester: Tester) {
    this.#plan = plan;
    this.#tester = tester;
  }

  async findCeilings(device: RunningDevice): Promise<void> {
    for (const size of this.#plan.sizes) {
      for (const direction of DIRECTION_NAMES) {
        const limit = await testerLimit(this.#tester, { device, direction, size, gateways: 1 });
        this.#ceilings.set(`${size} ${direction}`, limit);
      }
    }
    await this.measureSome(device, 1);
  }

  async measureSizes(baselines: readonly RunningDevice[], edge: RunningDevice): Promise<void> {
    for (const size of this.#plan.sizes) {
      const isCompared = this.#plan.baselineSizes.includes(size);
      await this.#measure(isCompared ? [...baselines, edge] : [edge], size, 1);
    }
  }

  /** One gateway is measured before. */
  async measureGateways(edge: RunningAftr): Promise<void> {
    for (const gateways of this.#plan.gateways.filter((number) => number !== 1)) {
      await edge.setGateways(gateways);
      await this.measureSome(edge, gateways);
    }
  }

  async measureSome(device: RunningDevice, gateways: number): Promise<void> {
    for (const size of this.#plan.someSizes) await this.#measure([device], size, gateways);
  }

  /** Device after device in each direction, so that what they are compared by lies close in time. */
  async #measure(devices: readonly RunningDevice[], size: number, gateways: number): Promise<void> {
    for (const direction of DIRECTION_NAMES) {
      for (const device of devices) {
        const ceiling = this.#ceilings.get(`${size} ${direction}`) ?? 0;
        const name = `${device.name} ${direction}`;
        const range = { ceiling, hint: this.#found.get(name) };
        const cell = await measureCell(this.#tester, { device, direction, size, gateways }, range, this.#plan.effort);
        this.cells.push(cell);
        this.#found.set(name, cell.framesPerSecond / (direction === 'both' ? 2 : 1));
        const { framesPerSecond, trials, typicalUs } = cell;
        const figures = `${Math.round(framesPerSecond)} frames/s in ${trials} trials, ${Math.round(typicalUs)} µs`;
        this.#plan.progress(`${device.name} ${gateways} ${size} ${direction}: ${figures}`);
      }
    }
  }
}

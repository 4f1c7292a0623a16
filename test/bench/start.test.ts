import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoadLine } from '../../tools/bench/load/load-generator.ts';
import { MemoryWatch } from '../../tools/bench/memory-watch.ts';
import { arrivalsAfter } from '../../tools/bench/start.ts';
import { until } from '../helpers/http-connections.ts';

const test = suite('start');

const MEBIBYTES = 200;
const BEGAN = 10_000;
/** From 300 ms before the start until 1,700 after it. */
const GAP = { atMs: BEGAN - 300, lengthMs: 2_000, ownMs: 0, machineMs: 0 };

function line(sent: number, received: number, gaps: LoadLine['streams'][number]['gaps'] = []): LoadLine {
  return { seconds: 0, streams: [{ sent, received, overruns: 0, late: 0, gaps }] };
}

const cases: readonly { name: string; later: readonly LoadLine[]; lost: number }[] = [
  { name: 'nothing', later: [line(3_000, 1_000), line(4_000, 2_000)], lost: 0 },
  { name: 'what was under way at a line is not lost', later: [line(3_000, 998), line(4_000, 2_000)], lost: 0 },
  { name: 'packets', later: [line(3_000, 998), line(4_000, 1_995), line(5_000, 2_993)], lost: 5 },
  { name: 'no line follows', later: [], lost: 0 },
];
for (const { name, later, lost } of cases) {
  test(`lost later than a second after the first packet: ${name}`, () => {
    const before = [line(1_000, 1_000), line(2_000, 1_000, [{ ...GAP, atMs: 0 }, GAP])];
    const { firstMs, lostLater } = arrivalsAfter(BEGAN, [...before, ...later]);
    assert.is(firstMs, 1_700);
    assert.is(lostLater, lost);
  });
}

test('without a gap nothing was started anew', () => {
  assert.throws(() => arrivalsAfter(BEGAN, [line(1_000, 1_000)]), /packets came all the time/);
});

/** A process whose child of a role takes so many MiB at once, and gives them back and says so when it is told to. */
function supervisor(mebibytes: number): ChildProcess {
  const child =
    `let some = Buffer.alloc(${mebibytes} * 2 ** 20, 1);` +
    'process.stdin.once("data", () => { some = undefined; gc(); console.log("given back"); });';
  const words = JSON.stringify(['--expose-gc', '-e', child, 'datapath']);
  const script = `require("child_process").spawn(process.execPath, ${words}, { stdio: "inherit" });`;
  return spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
}

test('memory is watched from the beginning on, in children that come later, and the most of it is told', async () => {
  const { pid, stdin, stdout } = supervisor(MEBIBYTES);
  assert.ok(pid !== undefined && stdin && stdout);
  const watch = new MemoryWatch(pid);
  try {
    await until(() => watch.peak[1] >= MEBIBYTES);
    stdin.write('now');
    await once(stdout, 'data');
    const [management, datapath] = watch.end();
    assert.is(management, 0);
    assert.ok(datapath >= MEBIBYTES, `${datapath} MiB`);
  } finally {
    watch.end();
    process.kill(-pid, 'SIGKILL');
  }
});

test.run();

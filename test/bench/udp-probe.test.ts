// needs: root
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nativeProgram } from '../../tools/bench/native-program.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('udp-probe');

test('what waits in the socket when the input ends is counted, too', async () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const probe = nativeProgram('offloads/udp-probe');
  const counting = spawn(probe, ['count', '5300'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(counting.stdout, 'readable');
  counting.kill('SIGSTOP');
  execFileSync(probe, ['flood', '127.0.0.1', '5300', '0.001', '1000']);
  counting.stdin.end();
  await once(counting.stdin, 'finish');
  counting.kill('SIGCONT');
  const [, counts = ''] = (await text(counting.stdout)).split('\n');
  assert.ok((JSON.parse(counts) as { datagrams: number }).datagrams > 0, counts);
});

test.run();

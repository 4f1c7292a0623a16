import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch, OUTPUT_WORDS } from '../../src/datapath/batch.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { DROP_WRITE_FAILED, FORWARDED } from '../../src/datapath/verdict.ts';
import { Watch } from '../../src/datapath/watch.ts';
import { ipv4, udp } from '../helpers/packets.ts';

const test = suite('watch');

test('what the kernel refused to take did not leave for a watched packet', () => {
  const batch = new Batch(2, STRIDE);
  const watch = new Watch(1);
  watch.set(0x0a64_33c6);
  const packet = Buffer.from(ipv4({ src: '203.0.113.80', dst: '198.51.100.10', payload: udp() }), 'hex');
  batch.count = 2;
  for (const k of [0, 1]) {
    batch.buf.set(packet, batch.at[k]);
    batch.lengths[k] = packet.length;
    batch.sides[k] = 4;
  }
  assert.ok(watch.keep(0, batch));
  for (const k of [0, 1]) batch.send(k, batch.at[k] ?? 0, packet.length);
  batch.verdicts.set([FORWARDED, DROP_WRITE_FAILED]);
  batch.output[OUTPUT_WORDS + 1] = -1;
  watch.finish(0, batch, new Int32Array(8));
  assert.equal(
    watch.take().packets.map(({ verdict, sentPackets, sent }) => [verdict, sentPackets, sent.length]),
    [
      [FORWARDED, 1, 1],
      [DROP_WRITE_FAILED, 0, 0],
    ],
  );
});

test.run();

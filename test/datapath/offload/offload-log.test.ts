import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tellOffloads } from '../../../src/datapath/offload/offload-log.ts';
import type { Log } from '../../../src/log.ts';

const test = suite('offload-log');

function toldOf(udp: boolean): [level: string, device: unknown, text: unknown][] {
  const told: [string, unknown, unknown][] = [];
  const at = (level: string) => (fields: { device: string }, text: string) => told.push([level, fields.device, text]);
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as unknown as Log;
  tellOffloads(log, 'gi-gw', udp);
  return told;
}

test('a kernel that cuts UDP itself is warned of', () => {
  assert.equal(toldOf(true), [['info', 'gi-gw', 'with offloads: TCP and UDP come in super-packets']]);
  assert.equal(toldOf(false), [['warn', 'gi-gw', 'with offloads of TCP alone: super-packets of UDP need Linux 6.2']]);
});

test.run();

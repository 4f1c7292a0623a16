// needs: root
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAIN_TABLE, Netlink, PROTOCOL } from '../../src/kernel/netlink.ts';
import { Monitor } from '../../src/kernel/netlink-socket.ts';
import { RouteWatch } from '../../src/kernel/route-watch.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

/** More routes at once than have room as news, while this process reads none of them. */
enterOwnNetwork();
const test = suite('netlink-loss');

const ROUTES = 20_000;
/** Nobody hears of what another network does: the device is the own one. No IPv6 address becomes valid on it in a second of its own choice. */
execFileSync('ip', ['link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right']);
for (const device of ['left', 'right']) execFileSync('ip', ['link', 'set', device, 'addrgenmode', 'none']);
execFileSync('ip', ['link', 'set', 'left', 'up']);
execFileSync('ip', ['link', 'set', 'right', 'up']);
execFileSync('ip', ['addr', 'add', '198.51.100.1/24', 'dev', 'left']);

function change(verb: 'add' | 'del', ...last: string[]): void {
  const lines = Array.from({ length: ROUTES }, (_, index) => {
    const prefix = `100.64.${index >> 6}.${(index & 63) * 4}/30`.replace(/^100\.64\.(\d+)/, (_whole, block: string) => {
      return `100.${64 + (Number(block) >> 8)}.${Number(block) & 255}`;
    });
    return `route ${verb} ${prefix} via 198.51.100.10`;
  });
  execFileSync('ip', ['-batch', '-'], { input: `${[...lines, ...last].join('\n')}\n` });
}

async function until(probe: () => boolean): Promise<boolean> {
  for (let left = 300; left > 0 && !probe(); left--) await sleep(100);
  return probe();
}

test('a watch of routes knows all of them after a loss of news', async () => {
  let isRead = false;
  const faults: string[] = [];
  const watch = new RouteWatch(
    () => {
      isRead = true;
    },
    (fault) => faults.push(fault),
  );
  const count = () => [...watch.numbers(MAIN_TABLE)].filter((number) => number % 64 === 30).length;
  try {
    assert.ok(await until(() => isRead));
    change('add');
    assert.is(count(), 0, 'nothing was read meanwhile');
    assert.ok(await until(() => count() === ROUTES), String(count()));
    change('del');
    assert.ok(await until(() => count() === 0), String(count()));
  } finally {
    watch.close();
  }
  assert.equal(faults, []);
});

test('a monitor tells of a loss of news, and not of routes that do not concern it', async () => {
  let told = 0;
  const monitor = new Monitor(PROTOCOL, () => {
    told++;
  });
  const netlink = new Netlink();
  try {
    execFileSync('ip', ['route', 'add', '192.0.2.0/24', 'via', '198.51.100.10']);
    await sleep(1_500);
    assert.is(told, 0);
    change('add');
    assert.ok(await until(() => told > 0));
  } finally {
    monitor.close();
    netlink.close();
  }
});

test.run();

/** Gateways that learn, over a store that is played: what becomes a row, what is told, and when it is an alarm. */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6, parseIpv6 } from '../../../src/address.ts';
import { LearnedAftrs } from '../../../src/mgmt/dhcpv6/learned-aftrs.ts';
import { encodeBinding } from '../../../src/state/binding.generated.ts';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import type { LearningStore } from '../../../src/state/learned/learning.ts';
import { WHOLE_NUMBER } from '../../../src/state/learned/tables.ts';
import type { Softwire } from '../../../src/state/model.generated.ts';
import { openRow } from '../../../src/state/rows.ts';
import type { Snapshot } from '../../../src/state/snapshot.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('learned-aftrs');
const [B1, B2] = ['2001:db8:b::1', '2001:db8:b::2'];
const WAIT_MS = 60_000;
const GATEWAY = { name: 'g', 'ipv6-address': '2001:db8:a::1', 'aftr-from-dhcpv6': 'wan' };

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), 'gi4over6-aftrs-'));
  /** The operational tables. */
  readonly rows = new Map<string, Uint8Array>();
  changes = 0;
  /** Writes that are to fail yet. */
  failures = 0;
  softwire: Softwire = configured(GATEWAY);
  readonly aftrs: LearnedAftrs;

  constructor() {
    const store: LearningStore = {
      learn: async ({ work }) => {
        const tables = { sealed: (table: string) => this.rows.get(table) } as unknown as Snapshot;
        const { overlay, done } = await work(tables, this.softwire);
        if (this.failures > 0) {
          this.failures--;
          throw new Error('the disk is full');
        }
        for (const table of ['g aftr', 'h aftr']) {
          const change = overlay.get(table, WHOLE_NUMBER);
          if (change === null) this.rows.delete(table);
          else if (change) this.rows.set(table, change);
        }
        done();
      },
    };
    this.aftrs = new LearnedAftrs({
      dir: this.dir,
      store,
      softwire: () => this.softwire,
      lookUp: () => Promise.reject(new Error('nothing is asked for here')),
      log: silent,
      onChange: () => this.changes++,
    });
  }

  row(gateway: string): string | undefined {
    const sealed = this.rows.get(`${gateway} aftr`);
    return sealed && formatIpv6(openRow(WHOLE_NUMBER, sealed).gatewayIpv6Address);
  }

  /** As the hook writes it. */
  tell(link: string, line: string, kind = 'answer'): void {
    writeFileSync(join(this.dir, 'new'), `gi4over6-dhcpv6 ${kind}\n${line}end\n`, { mode: 0o644 });
    renameSync(join(this.dir, 'new'), join(this.dir, link));
  }

  async until(gateway: string, address: string | undefined): Promise<void> {
    await eventually(
      WAIT_MS,
      async () => (this.row(gateway) === address && this.shown(gateway) === address) || undefined,
    );
  }

  shown(gateway: string): string | undefined {
    const address = this.aftrs.address(gateway);
    return address && formatIpv6(address);
  }
}

const br = (text: string) => `s46-br ${Buffer.from(parseIpv6(text) ?? []).toString('hex')}\n`;

function configured(...gateway: readonly unknown[]): Softwire {
  return readConfiguration({ 'gi-4over6:softwire': { gateway } });
}

async function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = new Bench();
  try {
    await body(bench);
  } finally {
    bench.aftrs.close();
    rmSync(bench.dir, { recursive: true });
  }
}

test('what is told becomes the row of its gateway, then it is told on; again the same is no news', () =>
  withBench(async (bench) => {
    await bench.aftrs.start();
    assert.is(bench.shown('g'), undefined);
    bench.tell('wan', br(B1));
    await bench.until('g', B1);
    assert.is(bench.changes, 1);
    bench.tell('wan', br(B1));
    bench.tell('wan', br(B2));
    await bench.until('g', B2);
    assert.is(bench.changes, 2);
    bench.tell('wan', '', 'lost');
    await bench.until('g', undefined);
    assert.is(bench.changes, 3);
  }));

test('gateways of one interface learn together, one of another does not', () =>
  withBench(async (bench) => {
    const other = { name: 'h', 'ipv6-address': '2001:db8:a::2', 'aftr-from-dhcpv6': 'wan' };
    bench.softwire = configured(GATEWAY, other);
    await bench.aftrs.start();
    bench.tell('wan', br(B1));
    await Promise.all([bench.until('g', B1), bench.until('h', B1)]);
    bench.softwire = configured(GATEWAY, { ...other, 'aftr-from-dhcpv6': 'wan2' });
    bench.aftrs.follow();
    bench.tell('wan', br(B2));
    await bench.until('g', B2);
    assert.is(bench.shown('h'), B1, 'until the other interface tells of one');
    bench.tell('wan2', '');
    await bench.until('h', undefined);
  }));

test('what an earlier run learned is in use at once, also without a file', () =>
  withBench(async (bench) => {
    const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
    const gatewayIpv6Address = parseIpv6(B2) ?? new Uint8Array(16);
    bench.rows.set('g aftr', encodeBinding({ address: 0, length: 0, gatewayIpv6Address, ...leaves }));
    await bench.aftrs.start();
    assert.equal([bench.shown('g'), bench.changes], [B2, 0]);
    assert.is(bench.aftrs.state('g')?.['learning-state'], 'waiting');
    assert.match(
      bench.aftrs.problems()[0] ?? '',
      /^Gateway g: .* has told nothing yet; it stays with AFTR 2001:db8:b::2\.$/,
    );
  }));

test('a store that takes nothing: tried again, and nobody is told before it is durable', () =>
  withBench(async (bench) => {
    await bench.aftrs.start();
    bench.failures = 1;
    bench.tell('wan', br(B1));
    await eventually(WAIT_MS, async () => bench.failures === 0 || undefined);
    assert.equal([bench.shown('g'), bench.changes], [undefined, 0]);
    await bench.until('g', B1);
    assert.is(bench.changes, 1);
  }));

for (const [why, own] of [
  ['of the gateway', { gateway: [GATEWAY] }],
  ['of an AFTR here', { gateway: [GATEWAY], aftr: [{ name: 'a', 'additional-ipv6-address': ['2001:db8:a::1'] }] }],
] as const) {
  test(`a tunnel address ${why} is no far end`, () =>
    withBench(async (bench) => {
      bench.softwire = readConfiguration({ 'gi-4over6:softwire': own });
      await bench.aftrs.start();
      bench.tell('wan', br('2001:db8:a::1'));
      await eventually(WAIT_MS, async () => bench.aftrs.state('g')?.['learning-state'] === 'failing' || undefined);
      assert.match(String(bench.aftrs.state('g')?.['last-problem']), 'is a tunnel address of this device');
      assert.is(bench.row('g'), undefined);
    }));
}

test('alarms: a client that is silent after ten seconds, what the network said at once, of enabled gateways only', () =>
  withBench(async (bench) => {
    await bench.aftrs.start();
    const found = (nowMs: number) => bench.aftrs.conditions(nowMs).map(({ severity }) => severity);
    assert.equal([found(0), found(9_999), found(10_000)], [[], [], ['major']]);
    bench.tell('wan', br(B1));
    await bench.until('g', B1);
    assert.equal(found(11_000), []);
    bench.tell('wan', br('ff02::1'));
    await eventually(WAIT_MS, async () => found(12_000).length === 1 || undefined);
    assert.equal(bench.aftrs.conditions(12_000)[0], {
      resource: "/gi-4over6:softwire/gateway[name='g']",
      severity: 'warning',
      text: 'the DHCPv6 answer on wan is not used: OPTION_S46_BR has ff02::1: expected a unicast address that is not link-local; it stays with AFTR 2001:db8:b::1',
    });
    bench.softwire = configured({ ...GATEWAY, enabled: false });
    bench.aftrs.follow();
    assert.equal([found(13_000), bench.aftrs.problems()], [[], []]);
  }));

test('a gateway that learns no more is forgotten', () =>
  withBench(async (bench) => {
    await bench.aftrs.start();
    bench.tell('wan', br(B1));
    await bench.until('g', B1);
    bench.softwire = configured({ ...GATEWAY, 'aftr-from-dhcpv6': undefined, 'aftr-ipv6-address': B2 });
    bench.aftrs.follow();
    assert.equal([bench.shown('g'), bench.aftrs.state('g')], [undefined, undefined]);
  }));

test.run();

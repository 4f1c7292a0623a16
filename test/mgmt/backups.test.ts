/** Automatic backups: when one is due, and which ones stay. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Backups } from '../../src/mgmt/backups.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { aftr, binding, OPERATOR, request, withDatastores } from '../helpers/state.ts';

const test = suite('backups');
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const HOUR_MS = 3_600_000;

interface Place {
  readonly backups: Backups;
  readonly datastores: Datastores;
  /** Lets so many hours pass, and one look at what is due. */
  after(hours: number): Promise<void>;
  /** Versions of the backups, newest first. */
  versions(): number[];
}

async function withBackups(body: (place: Place) => Promise<void>): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-backups-'));
  let now = Date.parse('2026-01-01T00:00:00Z');
  try {
    await withDatastores(async (datastores) => {
      const configuration = () => {
        const view = datastores.view('running');
        view.close();
        return view.tree;
      };
      const log = pino({ level: 'silent' });
      const backups = new Backups({
        stateDir,
        datastores,
        configuration,
        log,
        program: PROGRAM,
        now: () => new Date(now),
      });
      const after = (hours: number) => {
        now += hours * HOUR_MS;
        return backups.makeDue();
      };
      await body({ backups, datastores, after, versions: () => backups.list().map(({ version }) => version) });
      await backups.close();
      assert.not.ok(readdirSync(join(stateDir, 'backups')).some((name) => name.endsWith('.new')));
    });
  } finally {
    rmSync(stateDir, { recursive: true });
  }
}

let gateways = 0;
const commit = (datastores: Datastores) =>
  datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', `2001:db8::${(++gateways).toString(16)}`))));
const setting = (name: string, value: number) =>
  request({ 'gi-4over6:store': { 'automatic-backup': { [name]: value } } });

test('one is made when the newest is a day old and something was committed since', () =>
  withBackups(async ({ datastores, after, versions }) => {
    await after(0);
    assert.equal(versions(), [1], 'the first at once');
    await commit(datastores);
    await after(23);
    assert.equal(versions(), [1]);
    await after(1);
    assert.equal(versions(), [2, 1]);
    await after(48);
    assert.equal(versions(), [2, 1], 'nothing was committed');
  }));

test('three automatic ones are kept, those that were asked for stay', () =>
  withBackups(async ({ backups, datastores, after, versions }) => {
    const asked = await backups.make();
    for (let day = 0; day < 5; day++) {
      await commit(datastores);
      await after(25);
    }
    assert.equal(versions(), [6, 5, 4, asked.version]);
    await datastores.edit(OPERATOR, setting('kept', 1));
    await after(25);
    assert.equal(versions(), [7, asked.version]);
  }));

test('an interval of its own; 0 turns them off', () =>
  withBackups(async ({ datastores, after, versions }) => {
    await datastores.edit(OPERATOR, setting('interval', 0));
    await after(1000);
    assert.equal(versions(), []);
    await datastores.edit(OPERATOR, setting('interval', 2));
    await after(0);
    await commit(datastores);
    await after(1);
    assert.equal(versions(), [3]);
    await after(1);
    assert.equal(versions(), [4, 3]);
  }));

test.run();

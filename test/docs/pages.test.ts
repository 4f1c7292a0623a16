// needs: root
/** Who follows a page of docs/ in a fresh clone sees what the page shows. */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { masked, readPage, runSteps } from '../helpers/page.ts';
import { eventually, Program } from '../helpers/program.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('pages');
/** The ports that the program has by itself, as the pages use them. */
const [NETCONF_PORT, RESTCONF_PORT] = [830, 8443];
const PAGE_MS = 300_000;
const START_MS = 60_000;
/** What a reader has done before the commands. */
const START = ['npm run setup', 'node dist/src/main.js run &'];
const STATE_DIR = '/var/lib/gi4over6';

for (const name of ['restconf', 'netconf']) {
  test(`docs/${name}.md: each command prints what stands below it`, async () => {
    const page = readPage(readFileSync(`docs/${name}.md`, 'utf8'));
    assert.equal(page.start, START);
    const clone = mkdtempSync(join(tmpdir(), 'gi4over6-clone-'));
    // What the commands need of a clone.
    for (const part of ['yang', 'tools']) cpSync(part, join(clone, part), { recursive: true });
    const program = new Program(NETCONF_PORT, RESTCONF_PORT);
    try {
      program.start();
      await eventually(
        START_MS,
        async () => (await program.ask('<get-config><source><running/></source></get-config>')) || undefined,
      );
      const steps = page.steps.map(({ commands, shown }) => ({
        commands: commands.replaceAll(STATE_DIR, program.stateDir),
        shown,
      }));
      const printed = await runSteps(steps, clone, PAGE_MS);
      for (const [index, { commands, shown }] of steps.entries()) {
        assert.equal(masked(printed[index] ?? ''), masked(shown), commands);
      }
    } finally {
      await program.stop();
      rmSync(clone, { recursive: true });
    }
  });
}

test('what is done before is there: the script of the setup, and the program', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Readonly<Record<string, string>> };
  assert.is(scripts.setup, 'bash tools/setup.sh');
  assert.ok(existsSync('dist/src/main.js'));
});

test.run();

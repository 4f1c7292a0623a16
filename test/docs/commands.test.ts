// needs: addon, root
/**
 * Commands of pages that speak of several machines, or of daemons of others: each command of ours is taken by the program as it stands
 * there, each file that is named is there, and a configuration of FRR is one for FRR.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine } from '../helpers/cli.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import type { ProgramBox } from '../helpers/restconf-program.ts';
import { startProgram } from '../helpers/restconf-program.ts';

enterOwnNetwork();
spawnSync('ip', ['link', 'set', 'lo', 'up']);
const test = suite('commands of pages');
const program = await startProgram();

/** In the place of one that a page only begins. */
const FINGERPRINT = Array.from({ length: 32 }, () => '3D').join(':');
/** What a reader of these pages has: both in one device here. */
const BEGUN = {
  'gi-4over6:softwire': {
    gateway: [
      { name: 'rack', 'ipv6-address': '2001:db8:a::77', 'ipv4-address': '198.51.100.1', 'aftr-from-dhcpv6': 'lan' },
    ],
    aftr: [
      {
        name: 'edge',
        'ipv6-address': '2001:db8:b::7',
        'ipv4-address': '203.0.113.1',
        'ipv4-pool': ['100.64.0.0/24'],
      },
    ],
  },
};

/** The blocks of a page in a language, '' for none. */
function blocks(file: string, language: string): string[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm))
    .filter(([, kind]) => kind === language)
    .map(([, , content = '']) => content);
}

/** The words of each command of ours in a block, as a shell has them. */
function commandsIn(block: string): string[][] {
  return block
    .split('\n')
    .filter((line) => line.startsWith('gi4over6 '))
    .map((line) => {
      const { stdout } = spawnSync('bash', ['-c', `gi4over6() { printf '%s\\0' "$@"; }; ${line}`], {
        encoding: 'utf8',
      });
      return stdout.split('\0').slice(0, -1);
    });
}

async function run(box: ProgramBox, commands: readonly (readonly string[])[]): Promise<void> {
  const { ok } = commandLine(box.management.socket);
  for (const words of commands) await ok(...words.map((word) => word.replace('3D:6A:...', FINGERPRINT)));
}

/** Commands up to each commit, which is there at the end at the latest. */
function commits(commands: readonly string[][]): string[][][] {
  const parts: string[][][] = [[]];
  for (const words of commands) {
    parts.at(-1)?.push(words);
    if (words[0] === 'commit') parts.push([]);
  }
  return parts
    .filter((part) => part.length > 0)
    .map((part) => (part.at(-1)?.[0] === 'commit' ? part : [...part, ['commit']]));
}

const README_BLOCK = blocks('README.md', 'sh').find((block) => block.includes('route-advertisement target')) ?? '';
// [what, block, what the running configuration has then]
const pages: readonly (readonly [string, string, RegExp, number])[] = [
  ['README.md, dynamic configuration', README_BLOCK, /"url":"https:\/\/aftr\.example:8443\/restconf"/, 7],
  ['docs/bgp.md', blocks('docs/bgp.md', 'sh').join('\n'), /"bgp-neighbor":\["2001:db8:12::2"\]/, 14],
  ['docs/dhcpv6.md', blocks('docs/dhcpv6.md', 'sh').join('\n'), /"aftr-from-dhcpv6":"wan"/, 2],
];
for (const [what, block, expected, count] of pages) {
  test(`${what}: each command is taken, and each commit`, () =>
    program.run(async (box) => {
      const commands = commandsIn(block);
      assert.is(commands.length, count);
      await box.merge(BEGUN);
      for (const part of commits(commands)) await run(box, part);
      const { body } = await box.curl('/restconf/data/gi-4over6:softwire?content=config');
      assert.match(body, expected);
      if (block.includes('bgp neighbor')) {
        const shown = await commandLine(box.management.socket).ok('show', 'bgp');
        for (const part of [/neighbor 2001:db8:12::1/, /session-state/]) assert.match(shown, part);
      }
    }));
}

test('docs/dhcpv6.md: the files that are copied are there, and shells understand them', () => {
  const lines = blocks('docs/dhcpv6.md', 'sh').join('\n').split('\n');
  const files = lines.flatMap((line) => /\/opt\/gi4over6\/(\S+)/.exec(line)?.[1] ?? []);
  assert.equal(files, ['packaging/dhcpcd/90-gi4over6', 'packaging/dhcpcd/gi4over6.conf']);
  for (const file of files) assert.ok(statSync(file).size > 0, file);
  assert.is(spawnSync('sh', ['-n', files[0] ?? '']).status, 0);
});

test('docs/bgp.md: the configuration of FRR is one', () => {
  const [configuration = ''] = blocks('docs/bgp.md', '');
  assert.match(configuration, 'router bgp');
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-frr-'));
  const check = (text: string) => {
    writeFileSync(join(dir, 'frr.conf'), text);
    return spawnSync('vtysh', ['-C', '-f', join(dir, 'frr.conf')], { encoding: 'utf8' });
  };
  try {
    const { status, stderr, stdout } = check(configuration);
    assert.is(status, 0, stdout + stderr);
    assert.is.not(check(configuration.replace('capability', 'capabilities')).status, 0, 'it is looked at');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('stop', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

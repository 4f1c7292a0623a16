// needs: addon
/** R66 and N102: the YANG library, and each module from the location that it gives. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GUEST } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: modules');
const program = await startProgram();

interface Module {
  readonly name: string;
  readonly revision?: string;
  readonly location?: readonly string[];
  readonly schema?: string;
}
const LIBRARY = '/restconf/data/ietf-yang-library:yang-library';
const ANY = { headers: ['Accept: */*'] };

async function locationsOf(curl: ProgramBox['curl']): Promise<string[]> {
  return (await modulesOf(curl)).map(({ location }) => location?.[0] ?? '');
}

async function modulesOf(curl: ProgramBox['curl']): Promise<Module[]> {
  const { body } = await curl(LIBRARY);
  const sets = JSON.parse(body)['ietf-yang-library:yang-library']['module-set'] as Record<string, Module[]>[];
  return sets.flatMap((set) => [...(set.module ?? []), ...(set['import-only-module'] ?? [])]);
}

test('R66: each module of the library, imported ones too, comes from its location as get-schema gives it', () =>
  program.run(async ({ curl, netconf }) => {
    const modules = await modulesOf(curl);
    assert.ok(modules.length > 20);
    for (const { name, revision, location } of modules) {
      assert.is(location?.length, 1, name);
      const reply = await curl(location?.[0] ?? '', ANY);
      assert.equal([reply.status, reply.headers['content-type']], [200, 'application/yang'], reply.body);
      assert.match(reply.body, new RegExp(`^\\s*module ${name} *\\{`, 'm'));
      if (revision !== undefined) assert.match(reply.body, new RegExp(`revision "?${revision}"?`));
    }
    const schema = 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring';
    const got = await netconf.rpc(`<get-schema xmlns="${schema}"><identifier>ietf-restconf</identifier></get-schema>`);
    const { body: text } = await curl('/restconf/modules/ietf-restconf@2017-01-26.yang', ANY);
    const plain = (xml: string) =>
      xml.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
    assert.ok(plain(got).includes(text.trim()), 'the same text over both faces');
  }));

for (const path of ['/restconf/modules/gi-4over6.yang', '/restconf/openapi.json']) {
  test(`${path} has an entity-tag of its own, which no commit changes`, () =>
    program.run(async ({ curl, merge }) => {
      const ask = (...headers: string[]) => curl(path, { headers: ['Accept: */*', ...headers] });
      const { etag = '' } = (await ask()).headers;
      assert.match(etag, /^"[\w-]{22}"$/);
      await merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'hop-limit': 7 }] } });
      const same = await ask(`If-None-Match: "x", W/${etag}`);
      assert.equal([same.status, same.body, same.headers.etag], [304, '', etag]);
      assert.is((await ask('If-None-Match: "x"')).status, 200);
      assert.is((await ask(`If-Match: ${etag}`)).status, 200);
      assert.equal((await ask('If-Match: "x"')).status, 412);
    }));
}

/** What yangdump 2.13 cannot read, and who imports it: notifications inside lists (RFC 7950 §7.16), require-instance of a leafref (§9.9.3). */
const BEYOND_YANGDUMP = [
  'gi-4over6-alarms',
  'gi-4over6-deviations',
  'ietf-alarms',
  'ietf-restconf-subscribed-notifications',
  'ietf-subscribed-notifications',
  'ietf-yang-push',
];

test('N102: a compiler that has nothing of libyang takes all that was downloaded', () =>
  program.run(async ({ curl }) => {
    const dir = mkdtempSync(join(tmpdir(), 'gi4over6-modules-'));
    try {
      const locations = await locationsOf(curl);
      for (const location of locations) writeFileSync(join(dir, basename(location)), (await curl(location, ANY)).body);
      const refused = locations.map((location) => basename(location)).filter((file) => !isTakenByYangdump(dir, file));
      const names = refused.map((file) => file.replace(/(@.*)?\.yang$/, '')).sort();
      assert.equal(names, BEYOND_YANGDUMP);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }));

function isTakenByYangdump(dir: string, file: string): boolean {
  const words = [`--modpath=${dir}`, '--log-level=error', join(dir, file)];
  const { stdout, error } = spawnSync('yangdump', words, { encoding: 'utf8' });
  if (error) throw new Error('yangdump does not run: install the Debian package yangdump', { cause: error });
  // Without any complaint it says nothing.
  return !/\b[1-9]\d* Errors/.test(stdout) && !/: error\(/.test(stdout);
}

test('R66: the older form of the library has the same locations', () =>
  program.run(async ({ curl }) => {
    const { body } = await curl('/restconf/data/ietf-yang-library:modules-state');
    const { module } = JSON.parse(body)['ietf-yang-library:modules-state'] as { module: Module[] };
    assert.ok(module.length > 20);
    for (const { name, schema } of module) assert.ok(schema?.startsWith(`/restconf/modules/${name}`), name);
  }));

const REFUSED = [
  ['nothing.yang', 404],
  ['gi-4over6@1999-01-01.yang', 404],
  ['gi-4over6', 404],
  ['..%2F..%2Fetc%2Fpasswd.yang', 404],
  ['gi-4over6.yang/more', 404],
] as const;
for (const [file, status] of REFUSED) {
  test(`R66: ${file} is ${status}`, () =>
    program.run(async ({ curl }) => assert.is((await curl(`/restconf/modules/${file}`, ANY)).status, status)));
}

test('R66: a module is for users who may execute get-schema', () =>
  program.run(async ({ curl }) => {
    const path = '/restconf/modules/ietf-restconf@2017-01-26.yang';
    assert.is((await curl(path, { ...ANY, user: '' })).status, 401);
    const refused = await curl(path, { ...ANY, user: GUEST });
    assert.equal([refused.status, refused.tag], [403, 'access-denied']);
    assert.is((await curl(path, { ...ANY, method: 'PUT', body: 'x' })).status, 405);
  }));

test('the program ends cleanly', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

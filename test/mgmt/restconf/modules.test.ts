// needs: addon
/** R66: the YANG library, and each module from the location that it gives. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GUEST } from '../../helpers/restconf.ts';
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

test('R66: each module of the library, imported ones too, comes from its location as get-schema gives it', () =>
  program.run(async ({ curl, netconf }) => {
    const { body } = await curl(LIBRARY);
    const sets = JSON.parse(body)['ietf-yang-library:yang-library']['module-set'] as Record<string, Module[]>[];
    const modules = sets.flatMap((set) => [...(set.module ?? []), ...(set['import-only-module'] ?? [])]);
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

// needs: addon
/** Routes of a source over both faces: parts of the lists, single entries, filters, and their promotion. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { shaCrypt } from '../../../src/sha-crypt.ts';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { formatNumber, prefixNumber } from '../../../src/state/rows.ts';
import { JSON_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('route pages');
const GATEWAY = '2001:db8:a::1';
const SOURCE = '/restconf/data/gi-4over6:softwire/aftr=a/route-source=g1';
const COUNT = 700;
/** 192.0.2.0/32 and on, of which 192.0.2.0/24 has room for 256: the others are refused. */
const NUMBERS = Array.from({ length: COUNT }, (_, at) => prefixNumber(0xc0_00_02_00 + at, 32));
const BOUND = NUMBERS.slice(0, 256).map(formatNumber);
const REFUSED = NUMBERS.slice(256).map(formatNumber);

type Json = Readonly<Record<string, unknown>>;

async function advertise(box: ProgramBox, input: Json): Promise<Json> {
  const body = JSON.stringify({ 'gi-4over6:input': { 'gateway-ipv6-address': GATEWAY, ...input } });
  const path = '/restconf/operations/gi-4over6:advertise-routes';
  const reply = await box.curl(path, { method: 'POST', body, user: 'g1:g1-password' });
  assert.is(reply.status, 200, reply.body);
  return (JSON.parse(reply.body) as { 'gi-4over6:output': Json })['gi-4over6:output'];
}

function withRoutes(body: (box: ProgramBox) => Promise<void>): Promise<void> {
  return program.run(async (box) => {
    const password = shaCrypt('g1-password', '$6$rounds=1000$salt');
    const source = { name: 'g1', 'gateway-ipv6-address': GATEWAY, password, 'allowed-prefix': ['192.0.2.0/24'] };
    await box.merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'route-source': [source] }] } });
    const { session } = await advertise(box, { open: [null] });
    const hash = new RouteHash(NUMBERS).text;
    // The last ones first: what is shown is in order all the same.
    const route = NUMBERS.map(formatNumber).reverse();
    await advertise(box, { session, sequence: '1', route, 'content-hash': hash });
    await body(box);
  });
}

interface Page {
  readonly entries: readonly Json[];
  readonly marks: Json;
}

async function page(box: ProgramBox, list: string, query: string): Promise<Page> {
  const { status, body } = await box.curl(`${SOURCE}/${list}${query}`);
  assert.is(status, 200, body);
  const entries = (JSON.parse(body) as Record<string, readonly Json[]>)[`gi-4over6:${list}`] ?? [];
  return { entries, marks: (entries[0]?.['@'] ?? {}) as Json };
}

function prefixes({ entries }: Page): string[] {
  return entries.map((entry) => String(entry['ipv4-prefix']));
}

const program = await startProgram();

test('both lists, whole: over RESTCONF, over NETCONF, and below their source', () =>
  withRoutes(async (box) => {
    assert.equal(prefixes(await page(box, 'learned-route', '')), BOUND);
    assert.equal(prefixes(await page(box, 'refused-route', '')), REFUSED);
    const filter = '<filter><softwire xmlns="urn:gi-4over6"><aftr><route-source/></aftr></softwire></filter>';
    const found = [...(await box.netconf.rpc(`<get>${filter}</get>`)).matchAll(/<ipv4-prefix>(.*?)<\/ipv4-prefix>/g)];
    assert.equal(
      found.map(([, prefix]) => prefix),
      [...BOUND, ...REFUSED],
    );
    const { body } = await box.curl(`${SOURCE}?content=nonconfig`);
    const [entry] = (JSON.parse(body) as Record<string, readonly Record<string, readonly Json[]>[]>)[
      'gi-4over6:route-source'
    ] ?? [{}];
    assert.is(entry?.['learned-route']?.length, BOUND.length);
    assert.is(entry?.['refused-route']?.length, REFUSED.length);
    assert.is(entry?.['refused-route']?.[0]?.reason, 'not-allowed');
    const configuration = await box.curl(`${SOURCE}?content=config`);
    assert.not.match(configuration.body, '-route"');
  }));

test('pages: by cursor and by offset, forwards and backwards, with what is left', () =>
  withRoutes(async (box) => {
    const seen: string[] = [];
    let query = '?limit=100';
    for (const remaining of [344, 244, 144, 44, undefined]) {
      const found = await page(box, 'refused-route', query);
      seen.push(...prefixes(found));
      assert.is(found.marks['ietf-list-pagination:remaining'], remaining);
      query = `?limit=100&cursor=${found.marks['ietf-list-pagination:next']}`;
    }
    assert.equal(seen, REFUSED);
    assert.equal(prefixes(await page(box, 'learned-route', '?limit=3&offset=250')), BOUND.slice(250, 253));
    assert.equal(prefixes(await page(box, 'learned-route', '?limit=2&direction=backwards')), BOUND.slice(-2).reverse());
    assert.is((await box.curl(`${SOURCE}/learned-route?offset=257`)).status, 416);
    const gone = Buffer.from('[["8.8.8.0/24"]]').toString('base64url');
    assert.is((await box.curl(`${SOURCE}/learned-route?cursor=${gone}`)).status, 404);
    const nobody = `${SOURCE.replace('g1', 'g9')}/learned-route?limit=1`;
    assert.is((await box.curl(nobody)).status, 404);
  }));

test('pages: what is wanted, sorted, and in part', () =>
  withRoutes(async (box) => {
    const where = encodeURIComponent("reason='not-allowed' and starts-with(ipv4-prefix,'192.0.4.1')");
    const wanted = REFUSED.filter((prefix) => prefix.startsWith('192.0.4.1'));
    assert.equal(prefixes(await page(box, 'refused-route', `?where=${where}`)), wanted);
    const none = await page(box, 'refused-route', `?where=${encodeURIComponent("reason='too-many'")}`);
    assert.equal(none.entries, []);
    const sorted = await page(box, 'refused-route', '?sort-by=reason&limit=2');
    assert.equal(prefixes(sorted), REFUSED.slice(0, 2));
    const { entries } = await page(box, 'refused-route', '?fields=reason&limit=1');
    assert.equal(
      entries.map(({ '@': _, ...leaves }) => leaves),
      [{ 'ipv4-prefix': REFUSED[0], reason: 'not-allowed' }],
    );
    const { body } = await box.curl(`${SOURCE}?content=nonconfig&sublist-limit=2`);
    assert.equal(
      [...body.matchAll(/"ipv4-prefix":"(.*?)"/g)].map(([, prefix]) => prefix),
      [...BOUND.slice(0, 2), ...REFUSED.slice(0, 2)],
    );
  }));

test('an expression finds entries among them', () =>
  withRoutes(async (box) => {
    const select = `/gi:softwire/gi:aftr/gi:route-source/gi:refused-route[gi:ipv4-prefix='${REFUSED[7]}']`;
    const filter = `<filter type="xpath" xmlns:gi="urn:gi-4over6" select="${select}"/>`;
    const reply = await box.netconf.rpc(`<get>${filter}</get>`);
    assert.equal(
      [...reply.matchAll(/<ipv4-prefix>(.*?)<\/ipv4-prefix>/g)].map(([, prefix]) => prefix),
      [REFUSED[7]],
    );
    assert.match(reply, '<reason>not-allowed</reason>');
    assert.match(reply, '<name>g1</name>');
  }));

test('all that was learned is made static by one action, and keeps the words of an operator', () =>
  withRoutes(async (box) => {
    await box.addBindings([
      { 'ipv4-prefix': BOUND[3], 'gateway-ipv6-address': GATEWAY, description: 'ours' },
      { 'ipv4-prefix': BOUND[4], 'gateway-ipv6-address': GATEWAY },
    ]);
    const reply = await box.curl(`${SOURCE}/promote`, {
      method: 'POST',
      body: '',
      headers: [`Content-Type: ${JSON_TYPE}`],
    });
    assert.equal(JSON.parse(reply.body), { 'gi-4over6:output': { bindings: BOUND.length } });
    const table = await box.curl('/restconf/data/gi-4over6:softwire/aftr=a/binding-table/binding?content=config');
    const bindings = Object.values(JSON.parse(table.body) as Record<string, readonly Json[]>)[0] ?? [];
    assert.equal(
      bindings.map((binding) => binding['ipv4-prefix']),
      BOUND,
    );
    assert.ok(bindings.every((binding) => binding['gateway-ipv6-address'] === GATEWAY));
    assert.is(bindings[3]?.description, 'ours');
    const nobody = await box.curl(`${SOURCE.replace('g1', 'g9')}/promote`, { method: 'POST', body: '' });
    assert.ok([404, 409].includes(nobody.status), nobody.body);
  }));

test('stop', async () => {
  assert.is(await program.stop(), 0);
});

test.run();

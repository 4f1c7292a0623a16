/** A binding that is read from its row alone is what the ordinary way gives. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { random, seed } from '../../helpers/random.ts';
import type { Box, CurlReply } from '../../helpers/restconf.ts';
import { ADMIN, GUEST, JSON_TYPE, withRestconf, XML_TYPE } from '../../helpers/restconf.ts';

const test = suite('restconf: one binding');

const TABLE = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
const DESCRIPTIONS = [undefined, undefined, '', 'a < b & "c" \\', 'B\u00fcro 4', 'x'.repeat(200)];

function bindings(count: number): Record<string, unknown>[] {
  const next = random();
  return Array.from({ length: count }, (_, index) => {
    const description = DESCRIPTIONS[next() % DESCRIPTIONS.length];
    return {
      'ipv4-prefix': index % 2 === 0 ? `192.0.2.${index}/31` : `198.51.100.${index}/32`,
      'gateway-ipv6-address': `2001:db8:a::${(next() % 65_535).toString(16)}`,
      ...(next() % 3 === 0 && { 'aftr-ipv6-address': '2001:db8:b::1' }),
      ...(description !== undefined && { description }),
    };
  });
}

async function put(box: Box, path: string, body: unknown): Promise<void> {
  const reply = await box.curl(path, {
    method: 'PUT',
    headers: [`Content-Type: ${JSON_TYPE}`],
    body: JSON.stringify(body),
  });
  assert.ok([201, 204].includes(reply.status), reply.body);
}

/** What must be the same, whichever way it was read. */
function essence({ status, headers, body }: CurlReply): unknown {
  const { date: _, ...rest } = headers;
  return { status, headers: rest, body };
}

test(`it is the same from the row and by a selection, in both encodings and for both users (seed ${seed})`, () =>
  withRestconf(async (box) => {
    const all = bindings(24);
    await put(box, TABLE, { 'gi-4over6:binding-table': { binding: all } });
    for (const [index, entry] of all.entries()) {
      const path = `${TABLE}/binding=${encodeURIComponent(String(entry['ipv4-prefix']))}`;
      const method = index % 4 === 3 ? 'HEAD' : 'GET';
      const options = {
        method,
        headers: [`Accept: ${index % 2 === 0 ? JSON_TYPE : XML_TYPE}`],
        user: index % 3 === 0 ? GUEST : ADMIN,
        ...(method === 'HEAD' && { more: ['--head'] }),
      };
      // A parameter that changes nothing leads the ordinary way.
      const [quick, ordinary] = [
        await box.curl(path, options),
        await box.curl(`${path}?with-defaults=explicit`, options),
      ];
      assert.is(quick.status, 200);
      assert.equal(essence(quick), essence(ordinary), path);
      if (method === 'GET') assert.match(quick.body, String(entry['ipv4-prefix']));
    }
  }));

const NOT_THERE = [
  [`${TABLE}/binding=192.0.2.7%2F32`, 'no such binding'],
  ['/restconf/data/gi-4over6:softwire/aftr=z/binding-table/binding=192.0.2.0%2F31', 'no such AFTR'],
] as const;
for (const [path, why] of NOT_THERE) {
  test(`404: ${why}`, () =>
    withRestconf(async (box) => {
      const reply = await box.curl(path);
      assert.equal([reply.status, reply.tag], [404, 'invalid-value']);
      assert.equal(essence(reply), essence(await box.curl(`${path}?with-defaults=explicit`)));
    }));
}

test('each read is of the newest edition, and says so in its entity-tag', () =>
  withRestconf(async (box) => {
    const path = `${TABLE}/binding=192.0.2.0%2F31`;
    const tags = new Set<string | undefined>();
    for (let turn = 1; turn <= 5; turn++) {
      const entry = { 'ipv4-prefix': '192.0.2.0/31', 'gateway-ipv6-address': `2001:db8:a::${turn}` };
      await put(box, path, { 'gi-4over6:binding': [entry] });
      const { body, headers } = await box.curl(path);
      assert.equal(JSON.parse(body), { 'gi-4over6:binding': [{ ...entry, origin: 'static' }] });
      tags.add(headers.etag);
      const { status } = await box.curl(path, { method: 'PUT', headers: ['Content-Type: x'], body: 'x' });
      assert.is(status, 415);
    }
    assert.is(tags.size, 5);
    assert.is((await box.curl(path, { method: 'DELETE' })).status, 204);
    assert.is((await box.curl(path)).status, 404);
  }));

test.run();

/** Entries that are printed many at a time look as if each were a node. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeJson } from '../../src/mgmt/restconf/json-writer.ts';
import { WholeRows } from '../../src/mgmt/whole-rows.ts';
import { writeXml } from '../../src/mgmt/xml-data.ts';
import { encodeBinding } from '../../src/state/binding.generated.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { SealedRow } from '../../src/state/rows.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import { random, seed } from '../helpers/random.ts';
import { request, softwire } from '../helpers/state.ts';

const test = suite('whole rows');

/** Rows whose values stand in the same memory one after the other. */
function* passing(count: number): Generator<SealedRow> {
  const next = random();
  const memory = new Uint8Array(4_096);
  for (let i = 0; i < count; i++) {
    const gatewayIpv6Address = Uint8Array.from({ length: 16 }, () => (next() % 3 === 0 ? 0 : next() & 255));
    const description = [undefined, undefined, undefined, '', 'a < b & "c" \\', 'Büro 4', 'x'.repeat(200)][next() % 7];
    const aftrIpv6Address = next() % 5 === 0 ? Uint8Array.from(gatewayIpv6Address).reverse() : undefined;
    const origin = next() % 2 === 0 ? 'static' : 'learned';
    const address = (i * 256) >>> 0;
    const value = encodeBinding({ address, length: 24, gatewayIpv6Address, aftrIpv6Address, description, origin });
    memory.set(value);
    yield { number: prefixNumber(address, 24), value: memory.subarray(0, value.length) };
    memory.fill(0xff);
  }
}

for (const [count, withState] of [
  [1, true],
  [3_000, false],
  [3_000, true],
] as const) {
  test(`${count} rows, ${withState ? 'with' : 'without'} state, in XML and in JSON (seed ${seed})`, () => {
    const { tree } = request(softwire({ name: 'a', 'binding-table': {} }));
    const table = tree.child('softwire')?.entries('aftr')[0]?.child('binding-table') as DataNode;
    const schema = table.schema.children.find((child) => child.rows);
    if (!schema) throw new Error('no rows');
    const whole = () => new WholeRows(schema, table, passing(count), withState, undefined, withState);
    for (const write of [writeXml, writeJson]) {
      const many = [...write(tree.children(), (node) => (node === table ? whole() : []))].join('');
      const single = [...write(tree.children(), (node) => (node === table ? [...whole()] : []))].join('');
      assert.ok(many === single, `${many.slice(0, 300)} and ${single.slice(0, 300)}`);
    }
  });
}

test.run();

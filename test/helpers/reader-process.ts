/**
 * A process that follows a store as the datapath does: `reader-process.js FOLDER`. At the start and for each line of its
 * input it takes a fresh snapshot, brings its own table up to it by change records (or anew when told `rebuild` or when
 * they are gone), and writes one line: what it has. The last line of output says how it has mapped the files.
 */

import { readFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import { StoreReader } from '../../src/state/reader.ts';

const reader = StoreReader.open(process.argv[2] ?? '');
const rows = new Map<string, { readonly instance: string; readonly binding: Binding }>();
let version = -1;
await report('rebuild');
for await (const line of createInterface({ input: process.stdin })) await report(line);
writeSync(1, `${JSON.stringify(Object.fromEntries(mappedFiles()))}\n`);
reader.close();

async function report(line: string): Promise<void> {
  const fresh = reader.renew();
  const changes = line === 'rebuild' ? undefined : await reader.changes(version);
  if (!changes?.rows) {
    rows.clear();
    for (const row of reader.bindings()) put(row.instance, row.binding);
  } else {
    for (const { instance, before, after } of changes.rows) {
      if (after) put(instance, after);
      else if (before) rows.delete(keyOf(instance, before));
    }
  }
  const followed = Array.from({ length: fresh - version }, (_, index) => version + 1 + index);
  version = fresh;
  const hash = new ContentHash();
  for (const { instance, binding } of rows.values()) hash.addBinding(instance, binding);
  const table = [...rows.values()].map(
    ({ instance, binding }) =>
      `${instance} ${formatIpv4Prefix(binding.address, binding.length)} ${formatIpv6(binding.gatewayIpv6Address)}`,
  );
  const answer = {
    version,
    followed: changes?.rows ? followed : 'rebuilt',
    isSameHash: hash.text === reader.contentHash(),
    counts: Object.fromEntries(reader.counts()),
    table: table.sort(),
    configuration: reader.configuration(),
  };
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

function put(instance: string, binding: Binding): void {
  rows.set(keyOf(instance, binding), { instance, binding });
}

function keyOf(instance: string, { address, length }: Binding): string {
  return `${instance} ${address}/${length}`;
}

/** The files of LMDB by name with how they are mapped, `r--s` or `rw-s`. */
function mappedFiles(): [string, string][] {
  const maps = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.split(/\s+/));
  return maps.flatMap(([, mode = '', , , , file = '']): [string, string][] =>
    file.endsWith('.mdb') ? [[basename(file), mode]] : [],
  );
}

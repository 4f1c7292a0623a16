/** Random edits of two AFTRs, their tables and access rules, and datastores as comparable values. */

import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Datastores, View } from '../../src/state/datastores.ts';
import { treeToJson } from '../../src/state/json.ts';
import { random } from './random.ts';
import { binding, OPERATOR, request, softwire } from './state.ts';

export interface State {
  readonly rows: readonly string[];
  readonly tree: string;
  readonly version: number;
}

const NAMES = ['a', 'b'] as const;

export function stateOf(view: View): State {
  const rows = NAMES.flatMap((name) =>
    [...view.bindings(name)].map(
      ({ address, length, gatewayIpv6Address, description }) =>
        `${name} ${formatIpv4Prefix(address, length)} ${formatIpv6(gatewayIpv6Address)} ${description ?? ''}`,
    ),
  );
  for (const name of NAMES) {
    assert.is(view.count(name), rows.filter((row) => row.startsWith(name)).length, `count of ${name}`);
  }
  const state = { rows, tree: JSON.stringify(treeToJson(view.tree)), version: view.version };
  view.close();
  return state;
}

export const AFTR = {
  a: { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24'] },
  b: { name: 'b', 'ipv6-address': '2001:db8:b::2', 'ipv4-pool': ['198.51.100.0/24'] },
};
const POOL = { a: '192.0.2', b: '198.51.100' };

/** A random edit of both kinds: rows that come, change and go, tables that go whole, leaves of the small tree. */
export function randomEdit(next: () => number): Readonly<Record<string, unknown>> {
  const name = NAMES[next() % 2] ?? 'a';
  const kind = next() % 14;
  if (kind > 11) return randomRules(next);
  if (kind === 0) return softwire({ name, '@operation': 'remove' });
  if (kind === 1) return softwire({ ...AFTR[name], 'binding-table': { '@operation': 'remove' } });
  if (kind < 4) return softwire({ ...AFTR[name], 'hop-limit': 1 + (next() % 200) });
  const entries = new Map<string, Record<string, unknown>>();
  for (let count = 1 + (next() % 6); count > 0; count--) {
    const length = 30 + (next() % 3);
    const prefix = `${POOL[name]}.${((next() % 16) * 4) & ~((1 << (32 - length)) - 1)}/${length}`;
    const gateway = `2001:db8:a::${(1 + (next() % 9)).toString(16)}`;
    entries.set(
      prefix,
      next() % 3 === 0 ? { 'ipv4-prefix': prefix, '@operation': 'remove' } : binding(prefix, gateway),
    );
  }
  return softwire({ ...AFTR[name], 'binding-table': { binding: [...entries.values()] } });
}

/** Rule lists of NACM, whose order counts: some come, some go, some move. */
function randomRules(next: () => number): Readonly<Record<string, unknown>> {
  const names = [0, 1, 2, 3, 4].filter(() => next() % 3 > 0);
  for (let i = names.length - 1; i > 0; i--) {
    const j = next() % (i + 1);
    [names[i], names[j]] = [names[j] ?? 0, names[i] ?? 0];
  }
  const lists = names.map((name) => ({ name: `r${name}`, group: ['g'] }));
  return { 'ietf-netconf-acm:nacm': { '@operation': 'replace', 'rule-list': lists } };
}

export async function randomStates(datastores: Datastores, edits: number): Promise<State[]> {
  const next = random();
  const states: State[] = [stateOf(datastores.view('running'))];
  while (states.length < edits) {
    const before = datastores.head().version;
    await datastores.edit(OPERATOR, request(randomEdit(next)));
    if (datastores.head().version > before) states.push(stateOf(datastores.view('running')));
  }
  return states;
}

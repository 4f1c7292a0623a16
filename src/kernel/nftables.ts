/** nftables through Debian's `nft`: the set of served prefixes when they are too many for rules, and what others drop. */

import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { ProgramEnd } from 'node-tuntap2';
import { runProgram } from 'node-tuntap2';
import { formatIpv4Prefix } from '../address.ts';
import type { KernelPlan } from './plan.ts';
import { GATEWAY_MARK } from './plan.ts';

const NFT_TABLE = 'gi4over6';
/** Makes the removal succeed whether the table is there or not. */
const CLEAR = `table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n`;
const NOT_INSTALLED = 'it is not installed: apt install nftables';

/**
 * The text that marks packets of the served prefixes on the left links, in one transaction; '' when rules do it. It comes
 * before the filter of reverse paths and before routing, and follows no connection.
 */
export function marksText({ marked }: KernelPlan): string {
  if (!marked) return '';
  const elements = marked.prefixes.map(({ address, length }) => formatIpv4Prefix(address, length)).join(', ');
  const strange = marked.links.find((link) => !/^[A-Za-z0-9_.:@-]+$/.test(link) || /^\.+$/.test(link));
  if (strange !== undefined) throw nftFault(`'${strange}' cannot be the name of an interface in a rule`);
  const links = marked.links.map((link) => `"${link}"`).join(', ');
  const from = links === '' ? '' : `iifname { ${links} } `;
  return `${CLEAR}table inet ${NFT_TABLE} {
  set served { type ipv4_addr; flags interval; elements = { ${elements} } }
  chain classify {
    type filter hook prerouting priority mangle;
    ${from}ip saddr @served meta mark set meta mark | ${GATEWAY_MARK}
  }
}
`;
}

/** Loads a text of `marksText`. @throws Error with what nft said, or the system */
export async function loadMarks(text: string): Promise<void> {
  const end = await nft(['-f', '-'], text);
  if (!end) throw nftFault(`the marks of the served prefixes need nft: ${NOT_INSTALLED}`);
  if (end.code !== 0) throw nftFault(`nft refused the marks of the served prefixes: ${wordsOf(end)}`);
}

/** Removes our table. @throws Error with what nft said, or the system */
export async function removeMarks(): Promise<void> {
  const end = await nft(['-f', '-'], CLEAR);
  // Without nft there is no table of ours.
  if (end && end.code !== 0) throw nftFault(`nft refused to remove table inet ${NFT_TABLE}: ${wordsOf(end)}`);
}

/** Whether our table is there with its set and its rule; the set's elements go only with the set. @throws Error of the system */
export async function hasMarks(): Promise<boolean> {
  const end = await nft(['-t', 'list', 'table', 'inet', NFT_TABLE], '');
  return end?.code === 0 && end.output.includes('set served') && end.output.includes('@served');
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

interface ChainRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly Readonly<Record<string, unknown>>[];
}

/** What `nft -j list ruleset` lists. */
export interface Ruleset {
  readonly nftables: readonly { readonly chain?: Chain; readonly rule?: ChainRule }[];
}

/** The rule set of this host without the contents of its sets; undefined when nft is missing or refuses. @throws Error of the system */
export async function readRuleset(): Promise<Ruleset | undefined> {
  const end = await nft(['-j', '-t', 'list', 'ruleset'], '');
  return end?.code === 0 ? (JSON.parse(end.output) as Ruleset) : undefined;
}

/**
 * A sentence for each chain that sees forwarded packets and drops what it does not know: by policy or by a last rule without a
 * condition. A table whose rules name our devices is taken to let them pass.
 */
export function forwardBlocks({ nftables }: Ruleset, devices: readonly string[]): string[] {
  const rules = nftables.flatMap(({ rule }) => rule ?? []);
  return nftables
    .flatMap(({ chain }) => chain ?? [])
    .filter(({ hook }) => hook === 'forward')
    .filter((chain) => {
      const inTable = rules.filter(({ family, table }) => family === chain.family && table === chain.table);
      const text = JSON.stringify(inTable.map(({ expr }) => expr));
      if (devices.some((device) => text.includes(`"${device}"`))) return false;
      return chain.policy === 'drop' || inTable.some((rule) => rule.chain === chain.name && dropsAll(rule));
    })
    .map(({ family, table, name }) => {
      const advice = `accept ${devices.join(' and ')} there, for example: nft insert rule ${family} ${table} ${name} iifname`;
      const names = devices.map((device) => `"${device}"`).join(', ');
      return `chain ${name} of nftables table ${family} ${table} may drop forwarded packets; ${advice} { ${names} } accept, and the same with oifname`;
    });
}

function dropsAll({ expr }: ChainRule): boolean {
  const words = expr.flatMap((part) => Object.keys(part)).filter((word) => word !== 'counter' && word !== 'log');
  return words.length === 1 && (words[0] === 'drop' || words[0] === 'reject');
}

/** Undefined: there is no nft. Nobody on the way of packets waits for it: see runProgram. */
async function nft(words: readonly string[], input: string): Promise<ProgramEnd | undefined> {
  const path = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
    .filter(isAbsolute)
    .map((folder) => join(folder, 'nft'))
    .find((file) => existsSync(file));
  if (path === undefined) return undefined;
  const end = await runProgram([path, ...words], process.env, input);
  return { ...end, errors: end.errors.trim() };
}

/** What it said, or how it ended when it said nothing. */
function wordsOf({ code, errors }: ProgramEnd): string {
  return errors || (code < 0 ? 'a signal ended it' : `it ended with ${code}`);
}

function nftFault(message: string): Error {
  return Object.assign(new Error(message), { code: 'NFTABLES' });
}

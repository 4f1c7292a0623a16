/** Kernel settings below /proc/sys/net, and nftables: what netlink has no word for. */

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { formatIpv4Prefix } from '../address.ts';
import type { KernelPlan } from './plan.ts';
import { GATEWAY_MARK } from './plan.ts';

const NFT_TABLE = 'gi4over6';

/** Value of a setting, `ipv4/ip_forward`; undefined when the kernel has none of that name. */
export function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Sets it unless it has the value. @throws Error of the system */
export function writeSetting(name: string, value: string): void {
  if (readSetting(name) !== value) writeFileSync(`/proc/sys/net/${name}`, value);
}

/**
 * Turns forwarding on for both families, never off. Where the IPv6 default route came by router advertisement, accept_ra
 * becomes 2 first, or the kernel would drop it.
 */
export function turnForwardingOn(advertised: readonly string[]): void {
  if (readSetting('ipv6/conf/all/forwarding') !== '1') {
    for (const link of advertised)
      if (readSetting(`ipv6/conf/${link}/accept_ra`) === '1') writeSetting(`ipv6/conf/${link}/accept_ra`, '2');
  }
  writeSetting('ipv4/ip_forward', '1');
  writeSetting('ipv6/conf/all/forwarding', '1');
}

/** The nftables text that marks packets of the served prefixes on the left links; '' when rules do it. */
export function nftablesText({ marked }: KernelPlan): string {
  const clear = `table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n`;
  if (!marked) return '';
  const elements = marked.prefixes.map(({ address, length }) => formatIpv4Prefix(address, length)).join(', ');
  const links = marked.links.map((link) => `"${link}"`).join(', ');
  const from = links === '' ? '' : `iifname { ${links} } `;
  return `${clear}table inet ${NFT_TABLE} {
  set served { type ipv4_addr; flags interval; elements = { ${elements} } }
  chain sources {
    type filter hook prerouting priority mangle; policy accept;
    ${from}ip saddr @served meta mark set ${GATEWAY_MARK}
  }
}
`;
}

/** Loads a text; '' removes our table when there is one. @throws Error with what nft said */
export async function loadNftables(text: string): Promise<void> {
  const isRemoval = text === '';
  const result = await nft(['-f', '-'], isRemoval ? `table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n` : text);
  if (result.code === 0 || (isRemoval && result.code === undefined)) return;
  throw new Error(`nft refused the marks of the served prefixes: ${result.errors || 'nft is not installed'}`);
}

/** Chains at the forward hook that drop by default, as sentences. */
export async function forwardPolicies(): Promise<string[]> {
  const { output } = await nft(['list', 'ruleset'], '');
  const found: string[] = [];
  let table = '';
  for (const line of output.split('\n')) {
    table = /^table (\S+ \S+)/.exec(line)?.[1] ?? table;
    if (/hook forward .*policy drop/.test(line)) {
      found.push(
        `nftables table ${table} drops forwarded packets by policy: allow the traffic of gi-gw and gi-aftr there`,
      );
    }
  }
  return found;
}

function nft(
  words: readonly string[],
  input: string,
): Promise<{ code: number | undefined; output: string; errors: string }> {
  return new Promise((resolve) => {
    const child = spawn('/usr/sbin/nft', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    const [output, errors]: [string[], string[]] = [[], []];
    child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => errors.push(data.toString()));
    child.stdin.on('error', () => undefined);
    child.once('error', () => resolve({ code: undefined, output: '', errors: '' }));
    child.once('close', (code) =>
      resolve({ code: code ?? 1, output: output.join(''), errors: errors.join('').trim() }),
    );
    child.stdin.end(input);
  });
}

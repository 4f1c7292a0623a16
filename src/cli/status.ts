/** `status`: in sentences what forwards, what does not, and why. */

import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, textOf, textsOf } from './client.ts';
import type { Output } from './output.ts';
import { printable } from './output.ts';
import type { PendingCommit } from './pending.ts';
import { fate, pendingIn } from './pending.ts';
import { readSoftwire } from './show.ts';

const WANTED =
  '<state/><gateway><name/><enabled/><aftr-ipv6-address/><served-prefix/>' +
  '<route-advertisement><target><name/></target><bgp-neighbor/><served-routes/></route-advertisement></gateway>' +
  '<aftr><name/><enabled/><binding-table><bindings/><last-change/><version/><content-hash/>' +
  '<shared-address><ipv4-address/></shared-address></binding-table></aftr>';

interface Instance {
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  readonly enabled: boolean;
  /** Served prefixes that are configured, or bindings. */
  readonly entries: number;
  /** Of a gateway: whether it serves the routes of its kernel, too, as far as an AFTR accepts them; and how many it does. */
  readonly advertises: boolean;
  readonly servedRoutes: number;
  /** Addresses that port sets share; they are no bindings. */
  readonly sharedAddresses: number;
  readonly contentHash: string;
}

interface Status {
  readonly configuredVersion: string;
  readonly candidateModified: boolean;
  /** The confirmed commit that is to be confirmed yet. */
  readonly confirmedCommit: PendingCommit | undefined;
  /** '' while the datapath does not answer. */
  readonly appliedVersion: string;
  readonly datapathStart: string;
  readonly problems: readonly string[];
  readonly instances: readonly Instance[];
}

async function readStatus(client: NetconfClient): Promise<Status> {
  const softwire = await readSoftwire(client, WANTED, {});
  const [state = {}] = nodesAt(softwire, 'state');
  const instances = (['gateway', 'aftr'] as const).flatMap((role) =>
    nodesAt(softwire, role).map((node) => instanceOf(role, node)),
  );
  return {
    configuredVersion: textOf(state, 'configured-version'),
    candidateModified: textOf(state, 'candidate-modified') === 'true',
    confirmedCommit: pendingIn(state),
    appliedVersion: textOf(state, 'applied-version'),
    datapathStart: textOf(state, 'datapath-start'),
    problems: textsOf(state, 'problem'),
    instances,
  };
}

/** What the device says keeps it from working well, in sentences. */
export async function readProblems(client: NetconfClient): Promise<string[]> {
  const [state = {}] = nodesAt(await readSoftwire(client, '<state/>', {}), 'state');
  return textsOf(state, 'problem');
}

function instanceOf(role: Instance['role'], node: ReplyNode): Instance {
  const [table = {}] = nodesAt(node, 'binding-table');
  const [advertisement = {}] = nodesAt(node, 'route-advertisement');
  return {
    role,
    name: textOf(node, 'name'),
    enabled: textOf(node, 'enabled') !== 'false',
    entries: role === 'gateway' ? nodesAt(node, 'served-prefix').length : Number(textOf(table, 'bindings') || 0),
    advertises: nodesAt(advertisement, 'target').length + textsOf(advertisement, 'bgp-neighbor').length > 0,
    servedRoutes: Number(textOf(advertisement, 'served-routes') || 0),
    sharedAddresses: nodesAt(table, 'shared-address').length,
    contentHash: textOf(table, 'content-hash'),
  };
}

/** Everything that keeps traffic from flowing, as the device says it and as the configuration shows. */
function reasons({ problems, instances, appliedVersion, configuredVersion, candidateModified }: Status): string[] {
  const found = [...problems];
  if (candidateModified) {
    const look = 'see them with `gi4over6 show --candidate`, then `gi4over6 commit` or `gi4over6 discard`';
    found.push(`The candidate holds changes that are not committed: ${look}.`);
  }
  if (appliedVersion !== '' && appliedVersion !== configuredVersion) {
    const gap = `the datapath forwards by version ${appliedVersion}, the configuration is at ${configuredVersion}`;
    found.push(`${gap}: it is behind; see its log if this lasts.`);
  }
  if (instances.length === 0) {
    found.push(
      'No gateway and no AFTR is configured: add one with `gi4over6 set gateway NAME ...` or `... aftr NAME`.',
    );
  }
  for (const { role, name, enabled, entries, advertises, sharedAddresses } of instances) {
    const what = `${label(role)} ${name}`;
    if (!enabled) found.push(`${what} is disabled: \`gi4over6 set ${role} ${name} enabled true --commit\`.`);
    else if (advertises) continue;
    else if (entries === 0 && role === 'gateway') found.push(`${what} serves no prefix: no IPv4 traffic is its own.`);
    else if (entries + sharedAddresses === 0) found.push(`${what} has no bindings: it drops whatever comes.`);
  }
  return found;
}

export async function status(client: NetconfClient, output: Output, json: boolean): Promise<void> {
  const found = await readStatus(client);
  const why = reasons(found);
  if (json) {
    output.line(JSON.stringify({ ...found, reasons: why }));
    return;
  }
  const { configuredVersion, appliedVersion, datapathStart, instances, confirmedCommit } = found;
  output.line(
    appliedVersion === ''
      ? `Configuration version ${configuredVersion}; the datapath does not answer.`
      : `Configuration version ${configuredVersion}; the datapath runs since ${datapathStart} and forwards by version ${appliedVersion}.`,
  );
  if (confirmedCommit) {
    const { user, session } = confirmedCommit;
    const who = `user ${printable(user)}${session === 0 ? '' : ` in session ${session}`}`;
    output.line(`A confirmed commit of ${who} is pending. ${fate(confirmedCommit)}`);
  }
  for (const { role, name, enabled, entries, advertises, servedRoutes, sharedAddresses } of instances) {
    const count = role === 'gateway' ? plural(entries, 'served prefix', 'served prefixes') : plural(entries, 'binding');
    const shared = sharedAddresses === 0 ? '' : `, ${plural(sharedAddresses, 'shared address', 'shared addresses')}`;
    const routes = advertises ? `, and ${plural(servedRoutes, 'route')} of its kernel` : '';
    output.line(`${label(role)} ${printable(name)}: ${enabled ? 'enabled' : 'disabled'}, ${count}${shared}${routes}.`);
  }
  output.line(why.length === 0 ? 'Nothing keeps traffic from flowing.' : 'What keeps traffic from flowing:');
  for (const reason of why) output.line(`  - ${printable(reason)}`);
}

function label(role: Instance['role']): string {
  return role === 'gateway' ? 'Gateway' : 'AFTR';
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

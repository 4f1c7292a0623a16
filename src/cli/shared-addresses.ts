/** Shared addresses of AFTRs as the device has them, to show and to keep. */

import type { BindingQuery } from './binding-rows.ts';
import { noAftr } from './binding-rows.ts';
import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, readOperation, textOf } from './client.ts';
import { escapeXml } from './xml-text.ts';

const LEAVES = ['ipv4-address', 'psid-offset', 'psid-length'] as const;
const PORT_SET_LEAVES = ['psid', 'b4-ipv6-address', 'aftr-ipv6-address'] as const;

/** One port set. */
export interface PortSetRow {
  readonly aftr: string;
  readonly 'ipv4-address': string;
  readonly psid: number;
  readonly 'psid-offset': number;
  readonly 'psid-length': number;
  readonly 'b4-ipv6-address': string;
  readonly 'aftr-ipv6-address': string;
}

/** Which AFTRs of which datastore. */
export type PortSetQuery = Pick<BindingQuery, 'aftr' | 'candidate'>;

/** All port sets of all AFTRs, or of one. @throws CommandFailure when there is no AFTR of that name */
export async function portSetRows(client: NetconfClient, query: PortSetQuery): Promise<PortSetRow[]> {
  const rows: PortSetRow[] = [];
  const aftrs = await aftrNodes(client, query, true);
  if (query.aftr !== undefined && aftrs.length === 0) throw noAftr(query.aftr, query);
  for (const aftr of aftrs) {
    for (const shared of nodesAt(aftr, 'binding-table', 'shared-address')) {
      for (const portSet of nodesAt(shared, 'port-set')) {
        rows.push({
          aftr: textOf(aftr, 'name'),
          'ipv4-address': textOf(shared, 'ipv4-address'),
          psid: Number(textOf(portSet, 'psid')),
          'psid-offset': Number(textOf(shared, 'psid-offset')),
          'psid-length': Number(textOf(shared, 'psid-length')),
          'b4-ipv6-address': textOf(portSet, 'b4-ipv6-address'),
          'aftr-ipv6-address': textOf(portSet, 'aftr-ipv6-address'),
        });
      }
    }
  }
  return rows;
}

/** The shared addresses of each AFTR in the candidate, as the XML that stands beside its bindings, by AFTR. */
export async function sharedAddressXml(client: NetconfClient): Promise<ReadonlyMap<string, string>> {
  const aftrs = await aftrNodes(client, { candidate: true }, false);
  return new Map(aftrs.map((aftr) => [textOf(aftr, 'name'), tableXml(aftr)]));
}

function tableXml(aftr: ReplyNode): string {
  return nodesAt(aftr, 'binding-table', 'shared-address')
    .map((shared) => {
      const portSets = nodesAt(shared, 'port-set').map((portSet) =>
        element('port-set', leaves(portSet, PORT_SET_LEAVES)),
      );
      return element('shared-address', leaves(shared, LEAVES) + portSets.join(''));
    })
    .join('');
}

async function aftrNodes(
  client: NetconfClient,
  { aftr, candidate }: PortSetQuery,
  defaults: boolean,
): Promise<ReplyNode[]> {
  const name = aftr === undefined ? '<name/>' : `<name>${escapeXml(aftr)}</name>`;
  const table = '<binding-table><shared-address/></binding-table>';
  const filter = `<softwire xmlns="urn:gi-4over6"><aftr>${name}${table}</aftr></softwire>`;
  const datastore = candidate ? 'candidate' : 'running';
  const reply = await client.call(readOperation(filter, { datastore, defaults }));
  // A version on record comes whole, whatever the filter.
  return nodesAt(reply, 'data', 'softwire', 'aftr').filter(
    (node) => aftr === undefined || textOf(node, 'name') === aftr,
  );
}

function leaves(node: ReplyNode, names: readonly string[]): string {
  return names
    .map((name) => [name, textOf(node, name)] as const)
    .flatMap(([name, text]) => (text === '' ? [] : element(name, escapeXml(text))))
    .join('');
}

function element(name: string, inside: string): string {
  return `<${name}>${inside}</${name}>`;
}

/** `lookup`: which binding answers for an IPv4 address (the action of the model). */

import { aftrNames } from './binding-rows.ts';
import type { NetconfClient } from './client.ts';
import { textOf } from './client.ts';
import { CommandFailure, EXIT } from './failure.ts';
import type { Output } from './output.ts';
import { rowSink } from './rows.ts';
import { escapeXml } from './xml-text.ts';

const ANSWER = [
  'ipv4-prefix',
  'psid',
  'gateway-ipv6-address',
  'aftr-ipv6-address',
  'description',
  'origin',
  'since',
  'until',
];

export interface LookupOptions {
  readonly aftr?: string;
  readonly at?: Date;
  /** For shared addresses. */
  readonly port?: number;
  readonly json?: boolean;
}

export async function lookup(
  client: NetconfClient,
  output: Output,
  address: string,
  options: LookupOptions,
): Promise<void> {
  const names = options.aftr === undefined ? await aftrNames(client, 'running') : [options.aftr];
  if (names.length === 0) throw new CommandFailure(EXIT.refused, 'there is no AFTR to ask');
  const what = options.port === undefined ? address : `port ${options.port} of ${address}`;
  const none = options.at ? `No binding held ${what} then.` : `No binding holds ${what}.`;
  const sink = rowSink(output, ['aftr', ...ANSWER], none, options.json ?? false);
  for (const aftr of names) {
    const reply = await client.call(lookupAction(aftr, address, options));
    const answer = ANSWER.map((name) => [name, textOf(reply, name)] as const).filter(([, value]) => value !== '');
    if (answer.length > 0) sink.row({ aftr, ...Object.fromEntries(answer) });
  }
  sink.finish();
}

function lookupAction(aftr: string, address: string, { at, port }: LookupOptions): string {
  const asked = port === undefined ? '' : `<port>${port}</port>`;
  const time = at ? `<time>${at.toISOString()}</time>` : '';
  return (
    '<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6">' +
    `<aftr><name>${escapeXml(aftr)}</name><lookup><ipv4-address>${escapeXml(address)}</ipv4-address>${asked}${time}</lookup></aftr>` +
    '</softwire></action>'
  );
}

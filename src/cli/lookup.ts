/** `lookup`: which binding answers for an IPv4 address, of one AFTR or of all, those that are gone included. */

import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, textOf } from './client.ts';
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
  const what = options.port === undefined ? address : `port ${options.port} of ${address}`;
  const none = options.at ? `No binding held ${what} then.` : `No binding holds ${what}.`;
  const sink = rowSink(output, ['aftr', ...ANSWER], none, options.json ?? false);
  const question = questionOf(address, options);
  const reply = await client.call(`<lookup-address xmlns="urn:gi-4over6">${question}</lookup-address>`);
  const answers = nodesAt(reply, 'answer').filter((node) => [undefined, textOf(node, 'aftr')].includes(options.aftr));
  for (const node of answers) sink.row({ aftr: textOf(node, 'aftr'), ...answerOf(node) });
  // Refused where there is no AFTR of that name.
  if (options.aftr !== undefined && answers.length === 0) await client.call(lookupAction(options.aftr, question));
  sink.finish();
}

function answerOf(node: ReplyNode): Record<string, string> {
  return Object.fromEntries(
    ANSWER.map((name) => [name, textOf(node, name)] as const).filter(([, value]) => value !== ''),
  );
}

function questionOf(address: string, { at, port }: LookupOptions): string {
  const asked = port === undefined ? '' : `<port>${port}</port>`;
  const time = at ? `<time>${at.toISOString()}</time>` : '';
  return `<ipv4-address>${escapeXml(address)}</ipv4-address>${asked}${time}`;
}

function lookupAction(aftr: string, question: string): string {
  return (
    '<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6">' +
    `<aftr><name>${escapeXml(aftr)}</name><lookup>${question}</lookup></aftr>` +
    '</softwire></action>'
  );
}

/** `show` and `get`: tables of what the device knows, and any data by its path. */

import { alarms } from './alarms.ts';
import type { BindingRow } from './binding-rows.ts';
import { eachBinding } from './binding-rows.ts';
import type { NetconfClient, ReplyNode } from './client.ts';
import { nodesAt, readOperation, textOf, textsOf } from './client.ts';
import type { DataVisitor } from './data-reader.ts';
import { readData, TargetFilter } from './data-reader.ts';
import { filterXml } from './data-xml.ts';
import { CommandFailure, EXIT, usageFailure } from './failure.ts';
import { JsonWriter } from './json-writer.ts';
import type { Output } from './output.ts';
import { parsePlace } from './path.ts';
import { counter, rowSink } from './rows.ts';
import { portSetRows } from './shared-addresses.ts';
import { softwires } from './softwires.ts';
import { TreeWriter } from './tree-writer.ts';

export interface ShowOptions {
  readonly json?: boolean | undefined;
  readonly candidate?: boolean | undefined;
  /** A version on record instead of running. */
  readonly version?: number | undefined;
  readonly config?: boolean;
  readonly defaults?: boolean;
  readonly aftr?: string;
}

type Topic = (client: NetconfClient, output: Output, options: ShowOptions) => Promise<void>;

const TOPICS: Readonly<Record<string, Topic>> = {
  bindings,
  'port-sets': portSets,
  gateways,
  aftrs,
  softwires,
  counters,
  alarms,
};
export const TOPIC_NAMES = Object.keys(TOPICS);

/** A table, or the data at a place; without words the whole running configuration. */
export async function show(
  client: NetconfClient,
  output: Output,
  words: readonly string[],
  options: ShowOptions,
): Promise<void> {
  requireOneSource(options);
  if (options.version !== undefined && words.length > 0 && words.join() !== 'bindings') {
    throw new CommandFailure(EXIT.usage, '--version shows a whole configuration, or its bindings: no other words');
  }
  if (options.aftr !== undefined && !['bindings', 'port-sets'].includes(words.join())) {
    throw usageFailure('--aftr is for `show bindings` and `show port-sets`');
  }
  const topic = words.length === 1 ? TOPICS[words[0] ?? ''] : undefined;
  if (topic) await topic(client, output, options);
  else await get(client, output, words, words.length === 0 ? { config: true, ...options } : options);
}

/** @throws CommandFailure when two things are asked for that cannot be the same */
export function requireOneSource({ candidate, version }: Pick<ShowOptions, 'candidate' | 'version'>): void {
  if (candidate && version !== undefined) throw usageFailure('--candidate and --version exclude each other: give one');
}

/** The data at a place: state and configuration of running unless the options say otherwise. */
export async function get(
  client: NetconfClient,
  output: Output,
  words: readonly string[],
  options: ShowOptions,
): Promise<void> {
  requireOneSource(options);
  const steps = words.length === 0 ? [] : parsePlace(words);
  const last = steps[steps.length - 1]?.name ?? '';
  const parent = steps[steps.length - 2]?.name ?? '';
  const datastore = options.candidate ? 'candidate' : options.config ? 'running' : undefined;
  const filter = await filterXml(client, steps);
  const { version, defaults } = options;
  const operation = readOperation(filter, { datastore, defaults, version });
  const json = options.json ? new JsonWriter(output.write, await modulesOf(client), parent) : undefined;
  const writer: DataVisitor = json ?? new TreeWriter(output.write, parent);
  const target = new TargetFilter(writer, steps.length, last);
  await readData(client.request(operation), target, output.flow);
  json?.finish();
  if (steps.length > 0 && target.found === 0) {
    throw new CommandFailure(EXIT.refused, `there is nothing at ${words.join(' ')}`);
  }
}

async function modulesOf(client: NetconfClient): Promise<ReadonlyMap<string, string>> {
  const entries = [...(await client.namespaces())].map(([name, namespace]) => [namespace, name] as const);
  return new Map(entries);
}

async function bindings(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const columns = ['aftr', 'ipv4-prefix', 'gateway-ipv6-address', 'aftr-ipv6-address', 'description'];
  const sink = rowSink(output, columns, 'There are no bindings.', options.json ?? false);
  let shown = 0;
  const onRow = ({ aftr, leaves }: BindingRow) => {
    shown++;
    sink.row({ aftr, ...leaves });
  };
  const portSets = await eachBinding(client, options, onRow, output.flow);
  sink.finish();
  if (options.json) return;
  const count = options.version === undefined ? (await portSetRows(client, options)).length : portSets;
  if (count > 0)
    output.line(`Beside them there are ${count} port sets of shared addresses: \`gi4over6 show port-sets\`.`);
  if (options.version !== undefined || options.candidate) return;
  const learned = (await bindingsInForce(client, options)) - shown;
  if (learned > 0)
    output.line(
      `Beside them ${learned} ${learned === 1 ? 'was' : 'were'} learned: \`gi4over6 show aftr NAME route-source\`.`,
    );
}

/** How many bindings are in force, those included that were learned. */
async function bindingsInForce(client: NetconfClient, options: ShowOptions): Promise<number> {
  const softwire = await readSoftwire(
    client,
    '<aftr><name/><binding-table><bindings/></binding-table></aftr>',
    options,
  );
  const aftrs = nodesAt(softwire, 'aftr').filter(
    (aftr) => options.aftr === undefined || textOf(aftr, 'name') === options.aftr,
  );
  return aftrs.reduce((sum, aftr) => sum + Number(textOf(nodesAt(aftr, 'binding-table')[0] ?? {}, 'bindings')), 0);
}

async function portSets(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const columns = [
    'aftr',
    'ipv4-address',
    'psid',
    'psid-offset',
    'psid-length',
    'b4-ipv6-address',
    'aftr-ipv6-address',
  ];
  const sink = rowSink(output, columns, 'There are no port sets.', options.json ?? false);
  for (const row of await portSetRows(client, options)) sink.row({ ...row });
  sink.finish();
}

/** The reply to a `get` of one part of our own model. */
export async function readSoftwire(client: NetconfClient, inside: string, options: ShowOptions): Promise<ReplyNode> {
  const filter = `<softwire xmlns="urn:gi-4over6">${inside}</softwire>`;
  const datastore = options.candidate ? 'candidate' : undefined;
  const reply = await client.call(readOperation(filter, { datastore, defaults: true }));
  return nodesAt(reply, 'data', 'softwire')[0] ?? {};
}

async function gateways(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const learned = '<state><learned-aftr><ipv6-address/></learned-aftr></state>';
  const routes = '<route-advertisement><served-routes/></route-advertisement>';
  const wanted = `<name/><enabled/><ipv6-address/><aftr-ipv6-address/><served-prefix/>${routes}${learned}`;
  const softwire = await readSoftwire(client, `<gateway>${wanted}</gateway>`, options);
  const columns = ['name', 'enabled', 'ipv6-address', 'aftr-ipv6-address', 'served-prefixes', 'served-routes'];
  const sink = rowSink(
    output,
    columns,
    'There are no gateways on this device. `gi4over6 show softwires` has those that an AFTR serves.',
    options.json ?? false,
  );
  for (const gateway of nodesAt(softwire, 'gateway')) {
    const [learnedAftr = {}] = nodesAt(gateway, 'state', 'learned-aftr');
    sink.row({
      name: textOf(gateway, 'name'),
      enabled: textOf(gateway, 'enabled') !== 'false',
      'ipv6-address': textOf(gateway, 'ipv6-address'),
      // The one in use, whether configured or learned.
      'aftr-ipv6-address': textOf(gateway, 'aftr-ipv6-address') || textOf(learnedAftr, 'ipv6-address'),
      'served-prefixes': nodesAt(gateway, 'served-prefix').map((prefix) => textOf(prefix, 'ipv4-prefix')),
      'served-routes': counter(textOf(nodesAt(gateway, 'route-advertisement')[0] ?? {}, 'served-routes')),
    });
  }
  sink.finish();
}

async function aftrs(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const wanted =
    '<name/><enabled/><ipv6-address/><additional-ipv6-address/><ipv4-pool/><binding-table><bindings/></binding-table>';
  const softwire = await readSoftwire(client, `<aftr>${wanted}</aftr>`, options);
  const columns = ['name', 'enabled', 'ipv6-addresses', 'ipv4-pools', 'bindings'];
  const sink = rowSink(output, columns, 'There are no AFTRs.', options.json ?? false);
  for (const aftr of nodesAt(softwire, 'aftr')) {
    const [table = {}] = nodesAt(aftr, 'binding-table');
    sink.row({
      name: textOf(aftr, 'name'),
      enabled: textOf(aftr, 'enabled') !== 'false',
      'ipv6-addresses': [...textsOf(aftr, 'ipv6-address'), ...textsOf(aftr, 'additional-ipv6-address')],
      'ipv4-pools': textsOf(aftr, 'ipv4-pool'),
      bindings: counter(textOf(table, 'bindings')),
    });
  }
  sink.finish();
}

const COUNTED = ['received', 'forwarded', 'hairpinned', 'replied', 'dropped', 'held'] as const;

/** Packets by side, and the reasons of the drops. */
async function counters(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const wanted = '<name/><statistics/>';
  const softwire = await readSoftwire(client, `<gateway>${wanted}</gateway><aftr>${wanted}</aftr>`, {});
  const columns = ['role', 'name', 'side', ...COUNTED, 'drop-reasons'];
  const none = 'There are no counters: no gateway or AFTR is configured, or the datapath does not answer.';
  const sink = rowSink(output, columns, none, options.json ?? false);
  for (const role of ['gateway', 'aftr']) {
    for (const instance of nodesAt(softwire, role)) {
      for (const side of ['ipv4', 'ipv6']) {
        const found = nodesAt(instance, 'statistics', `${side}-side`)[0];
        if (!found) continue;
        const packets = COUNTED.map((name) => [name, counter(textOf(found, `${name}-packets`))] as const);
        const reasons = nodesAt(found, 'drop').map((drop) => `${textOf(drop, 'reason')}:${textOf(drop, 'packets')}`);
        const name = textOf(instance, 'name');
        sink.row({ role, name, side, ...Object.fromEntries(packets), 'drop-reasons': reasons });
      }
    }
  }
  sink.finish();
}

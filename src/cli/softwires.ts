/** `show softwires`: the gateways as each AFTR sees them, with what is counted for them. */

import type { NetconfClient } from './client.ts';
import { nodesAt, textOf } from './client.ts';
import type { Output } from './output.ts';
import { counter, rowSink } from './rows.ts';
import type { ShowOptions } from './show.ts';
import { readSoftwire } from './show.ts';

const COUNTED = [
  'encapsulated-packets',
  'encapsulated-octets',
  'decapsulated-packets',
  'decapsulated-octets',
  'violation-packets',
] as const;

export async function softwires(client: NetconfClient, output: Output, options: ShowOptions): Promise<void> {
  const softwire = await readSoftwire(client, '<aftr><name/><softwire/></aftr>', {});
  const columns = ['aftr', 'gateway-ipv6-address', 'bindings', ...COUNTED, 'path-mtu'];
  const none =
    'There are no gateways: no binding leads to one, the datapath does not answer, or they are more than 10000.';
  const sink = rowSink(output, columns, none, options.json ?? false);
  for (const aftr of nodesAt(softwire, 'aftr')) {
    for (const gateway of nodesAt(aftr, 'softwire')) {
      const [statistics = {}] = nodesAt(gateway, 'statistics');
      const counted = COUNTED.map((name) => [name, counter(textOf(statistics, name))] as const);
      sink.row({
        aftr: textOf(aftr, 'name'),
        'gateway-ipv6-address': textOf(gateway, 'gateway-ipv6-address'),
        bindings: counter(textOf(gateway, 'bindings')),
        ...Object.fromEntries(counted),
        'path-mtu': counter(textOf(gateway, 'path-mtu')),
      });
    }
  }
  sink.finish();
}

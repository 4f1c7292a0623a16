/**
 * A binding entry that goes out whole: it is printed from the row itself, without a node for each leaf. Only the writers
 * see it; it has no children.
 */

import { formatIpv4Prefix, formatIpv6 } from '../address.ts';
import { DataNode } from '../state/data.ts';
import { openRow } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { RowForm } from './whole-rows.ts';

export type StatisticsLeaves = readonly (readonly [name: string, value: string])[];

export class RowNode extends DataNode {
  readonly #number: number;
  readonly #value: Uint8Array;
  readonly #withState: boolean;
  readonly #statistics: StatisticsLeaves | undefined;

  /** A row of the store: number of its prefix and sealed value; and the leaves of its statistics. */
  constructor(
    schema: SchemaNode,
    number: number,
    value: Uint8Array,
    withState: boolean,
    statistics?: StatisticsLeaves,
  ) {
    super(schema);
    this.#number = number;
    this.#value = value;
    this.#withState = withState;
    this.#statistics = statistics;
  }

  /** The entry as text: each leaf that has a value, put into words by `form`. */
  print({ text: leaf, container }: Pick<RowForm, 'text' | 'container'>): string {
    const binding = openRow(this.#number, this.#value);
    const { address, length, gatewayIpv6Address, aftrIpv6Address, description, origin } = binding;
    let text = leaf('ipv4-prefix', formatIpv4Prefix(address, length));
    text += leaf('gateway-ipv6-address', formatIpv6(gatewayIpv6Address));
    if (aftrIpv6Address) text += leaf('aftr-ipv6-address', formatIpv6(aftrIpv6Address));
    if (description !== undefined) text += leaf('description', description);
    if (this.#withState) text += leaf('origin', origin);
    if (this.#statistics) text += container('statistics', this.#statistics);
    return text;
  }
}

/** The list of rows below a table. @throws Error for another node */
export function rowSchema(table: DataNode): SchemaNode {
  const schema = table.schema.children.find((child) => child.rows);
  if (!schema) throw new Error(`${table.path} has no rows below it`);
  return schema;
}

/** The name of the AFTR a table belongs to: the key of the nearest list entry above. */
export function rowInstance(node: DataNode): string {
  let at: DataNode | undefined = node;
  while (at && at.schema.kind !== 'list') at = at.parent;
  return at?.keyValues()[0] ?? '';
}

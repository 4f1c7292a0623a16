/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */

import type { Ipv4Prefix } from '../address.ts';
import type { JsonNode, LeafCheck } from './model-values.ts';
import {
  arrayAt,
  checkEnumeration,
  checkIpv4Prefix,
  checkIpv6,
  checkString,
  ipv4PrefixValue,
  ipv4Value,
  ipv6Value,
  leafAt,
  objectAt,
  textOctets,
} from './model-values.ts';
import { bindingKey, openRow, prefixOfKey, sealRow } from './row-form.ts';

/** Number of the form in which rows are written. */
export const BINDING_FORMAT = 1;

/** An IPv4 prefix behind this gateway; each end device has all ports. */
export interface ServedPrefix {
  readonly ipv4Prefix: Ipv4Prefix;
}

function readServedPrefix(value: unknown): ServedPrefix {
  const node = value as JsonNode;
  return {
    ipv4Prefix: ipv4PrefixValue(node['ipv4-prefix']),
  };
}

/** A 4over6 gateway: the lwB4 data plane without NAPT44 in front of IPv4 end devices. */
export interface Gateway {
  readonly name: string;
  readonly enabled: boolean;
  readonly ipv6Address: Uint8Array | undefined;
  readonly aftrIpv6Address: Uint8Array | undefined;
  readonly ipv4Interface: readonly string[];
  readonly ipv4Address: number | undefined;
  readonly servedPrefix: readonly ServedPrefix[];
  readonly softwirePayloadMtu: number;
  readonly hopLimit: number;
  readonly trafficClassMode: 'uniform' | 'pipe';
  readonly pipeDscp: number;
  readonly ecnMode: 'normal' | 'compatibility';
  readonly flowLabelMode: 'flow' | 'zero';
}

function readGateway(value: unknown): Gateway {
  const node = value as JsonNode;
  return {
    name: String(node.name),
    enabled: leafAt(node, 'enabled', Boolean, true),
    ipv6Address: leafAt(node, 'ipv6-address', ipv6Value, undefined),
    aftrIpv6Address: leafAt(node, 'aftr-ipv6-address', ipv6Value, undefined),
    ipv4Interface: arrayAt(node, 'ipv4-interface', String),
    ipv4Address: leafAt(node, 'ipv4-address', ipv4Value, undefined),
    servedPrefix: arrayAt(node, 'served-prefix', readServedPrefix),
    softwirePayloadMtu: leafAt(node, 'softwire-payload-mtu', Number, 1460),
    hopLimit: leafAt(node, 'hop-limit', Number, 64),
    trafficClassMode: leafAt(
      node,
      'traffic-class-mode',
      (value) => String(value) as 'uniform' | 'pipe',
      'uniform' as const,
    ),
    pipeDscp: leafAt(node, 'pipe-dscp', Number, 0),
    ecnMode: leafAt(node, 'ecn-mode', (value) => String(value) as 'normal' | 'compatibility', 'normal' as const),
    flowLabelMode: leafAt(node, 'flow-label-mode', (value) => String(value) as 'flow' | 'zero', 'flow' as const),
  };
}

/** An AFTR: holds the binding table and is the edge of the IPv4 Internet. */
export interface Aftr {
  readonly name: string;
  readonly enabled: boolean;
  readonly ipv6Address: Uint8Array | undefined;
  readonly additionalIpv6Address: readonly Uint8Array[];
  readonly ipv4Address: number | undefined;
  readonly ipv4Pool: readonly Ipv4Prefix[];
  readonly softwireNumMax: number | undefined;
  readonly enableHairpinning: boolean;
  readonly softwirePayloadMtu: number;
  readonly hopLimit: number;
  readonly trafficClassMode: 'uniform' | 'pipe';
  readonly pipeDscp: number;
  readonly ecnMode: 'normal' | 'compatibility';
  readonly flowLabelMode: 'flow' | 'zero';
}

function readAftr(value: unknown): Aftr {
  const node = value as JsonNode;
  return {
    name: String(node.name),
    enabled: leafAt(node, 'enabled', Boolean, true),
    ipv6Address: leafAt(node, 'ipv6-address', ipv6Value, undefined),
    additionalIpv6Address: arrayAt(node, 'additional-ipv6-address', ipv6Value),
    ipv4Address: leafAt(node, 'ipv4-address', ipv4Value, undefined),
    ipv4Pool: arrayAt(node, 'ipv4-pool', ipv4PrefixValue),
    softwireNumMax: leafAt(node, 'softwire-num-max', Number, undefined),
    enableHairpinning: leafAt(node, 'enable-hairpinning', Boolean, true),
    softwirePayloadMtu: leafAt(node, 'softwire-payload-mtu', Number, 1460),
    hopLimit: leafAt(node, 'hop-limit', Number, 64),
    trafficClassMode: leafAt(
      node,
      'traffic-class-mode',
      (value) => String(value) as 'uniform' | 'pipe',
      'uniform' as const,
    ),
    pipeDscp: leafAt(node, 'pipe-dscp', Number, 0),
    ecnMode: leafAt(node, 'ecn-mode', (value) => String(value) as 'normal' | 'compatibility', 'normal' as const),
    flowLabelMode: leafAt(node, 'flow-label-mode', (value) => String(value) as 'flow' | 'zero', 'flow' as const),
  };
}

/** Everything about softwires on this device. */
export interface Softwire {
  readonly gateway: readonly Gateway[];
  readonly aftr: readonly Aftr[];
}

function readSoftwire(value: unknown): Softwire {
  const node = value as JsonNode;
  return {
    gateway: arrayAt(node, 'gateway', readGateway),
    aftr: arrayAt(node, 'aftr', readAftr),
  };
}

/** The configuration from RFC 7951 JSON (`{ "gi-4over6:softwire": ... }`) with the defaults of the model. */
export function readConfiguration(data: unknown): Softwire {
  return readSoftwire(objectAt(data as JsonNode, 'gi-4over6:softwire'));
}

/** One IPv4 address or prefix, all ports, and its gateway. Prefixes may lie in one another; the longest match answers.
 * `address` and `length` are the prefix. */
export interface Binding {
  readonly address: number;
  readonly length: number;
  readonly gatewayIpv6Address: Uint8Array;
  readonly aftrIpv6Address: Uint8Array | undefined;
  readonly description: string | undefined;
  readonly origin: 'static' | 'learned';
}

/**
 * The value of a row in the store: format, presence bits, then the fields that are present in this order:
 *   gateway-ipv6-address: 16 octets
 *   aftr-ipv6-address: 16 octets
 *   description: two octets of length, UTF-8
 *   origin: one octet, its place in the enumeration
 * and CRC-32C over key and value, four octets in network order.
 */
export function encodeBinding(binding: Binding): Uint8Array {
  let present = 0;
  const parts: Uint8Array[] = [];
  present |= 1;
  parts.push(binding.gatewayIpv6Address);
  if (binding.aftrIpv6Address !== undefined) {
    present |= 2;
    parts.push(binding.aftrIpv6Address);
  }
  if (binding.description !== undefined) {
    present |= 4;
    parts.push(textOctets(binding.description));
  }
  present |= 8;
  parts.push(Uint8Array.of(ORIGIN_NAMES.indexOf(binding.origin)));
  return sealRow(bindingKey(binding.address, binding.length), BINDING_FORMAT, present, parts);
}

/** The row of a key and its value. @throws DamageError when the CRC or the form is wrong. */
export function decodeBinding(key: Uint8Array, value: Uint8Array): Binding {
  const { present, reader } = openRow(key, value, BINDING_FORMAT);
  return {
    ...prefixOfKey(key),
    gatewayIpv6Address: reader.ipv6(),
    aftrIpv6Address: present & 2 ? reader.ipv6() : undefined,
    description: present & 4 ? reader.text() : undefined,
    origin: ORIGIN_NAMES[reader.octet()] ?? 'static',
  };
}

const ORIGIN_NAMES = ['static', 'learned'] as const;

/** Canonical text of a leaf of a binding, or what was expected; an unknown name is our own mistake. */
export function checkBindingLeaf(name: string, text: string): LeafCheck {
  switch (name) {
    case 'ipv4-prefix':
      return checkIpv4Prefix(text);
    case 'gateway-ipv6-address':
      return checkIpv6(text);
    case 'aftr-ipv6-address':
      return checkIpv6(text);
    case 'description':
      return checkString(text, 0, 255);
    case 'origin':
      return checkEnumeration(text, ORIGIN_NAMES);
    default:
      throw new Error(`a binding has no leaf ${name}`);
  }
}

/** Names of the drop reasons, in the order of the model. */
export const DROP_REASONS = [
  'malformed-ipv6',
  'malformed-ipv4',
  'not-for-us',
  'unsupported-next-header',
  'martian-outer-source',
  'martian-ipv4-source',
  'martian-ipv4-destination',
  'source-route-option',
  'no-binding',
  'source-mismatch',
  'endpoint-mismatch',
  'outside-served-prefix',
  'wrong-aftr',
  'ttl-expired',
  'too-big',
  'hairpin-disabled',
  'same-gateway',
  'ecn-inner-not-ect-outer-ce',
  'unknown-destination-option',
  'routing-header',
  'fragment-unsupported',
  'icmp-not-relayed',
  'link-layer-noise',
  'loop-prevented',
  'no-instance',
  'write-failed',
] as const;

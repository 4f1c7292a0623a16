/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */

import type {
  Aftr,
  Bgp,
  BindingTable,
  Gateway,
  History,
  IcmpPolicy,
  Icmpv4Errors,
  Icmpv6Errors,
  Neighbor,
  PortSet,
  Reassembly,
  RouteAdvertisement,
  RouteSource,
  ServedPrefix,
  SharedAddress,
  Softwire,
  Target,
} from './model.generated.ts';
import type { JsonNode } from './model-values.ts';
import { arrayAt, ipv4PrefixValue, ipv4Value, ipv6Value, leafAt, objectAt } from './model-values.ts';

function readServedPrefix(value: unknown): ServedPrefix {
  const node = value as JsonNode;
  return {
    ipv4Prefix: ipv4PrefixValue(node['ipv4-prefix']),
  };
}

function readReassembly(value: unknown): Reassembly {
  const node = value as JsonNode;
  return {
    timeout: leafAt(node, 'timeout', Number, 60),
    maximumFragments: leafAt(node, 'maximum-fragments', Number, 20),
    maximumPackets: leafAt(node, 'maximum-packets', Number, 10000),
    maximumPacketsPerSource: leafAt(node, 'maximum-packets-per-source', Number, 100),
    alarmThreshold: leafAt(node, 'alarm-threshold', Number, 80),
  };
}

function readIcmpv4Errors(value: unknown): Icmpv4Errors {
  const node = value as JsonNode;
  return {
    allowIncomingIcmpv4: leafAt(node, 'allow-incoming-icmpv4', Boolean, true),
    generateIcmpv4Errors: leafAt(node, 'generate-icmpv4-errors', Boolean, true),
    icmpv4Rate: leafAt(node, 'icmpv4-rate', Number, 10),
    icmpv4Burst: leafAt(node, 'icmpv4-burst', Number, 10),
  };
}

function readIcmpv6Errors(value: unknown): Icmpv6Errors {
  const node = value as JsonNode;
  return {
    generateIcmpv6Errors: leafAt(node, 'generate-icmpv6-errors', Boolean, true),
    icmpv6Rate: leafAt(node, 'icmpv6-rate', Number, 10),
    icmpv6Burst: leafAt(node, 'icmpv6-burst', Number, 10),
  };
}

function readIcmpPolicy(value: unknown): IcmpPolicy {
  const node = value as JsonNode;
  return {
    icmpv4Errors: readIcmpv4Errors(objectAt(node, 'icmpv4-errors')),
    icmpv6Errors: readIcmpv6Errors(objectAt(node, 'icmpv6-errors')),
  };
}

function readTarget(value: unknown): Target {
  const node = value as JsonNode;
  return {
    name: String(node.name),
    url: String(node.url),
    clientName: leafAt(node, 'client-name', String, undefined),
    password: leafAt(node, 'password', String, undefined),
    clientCertificate: leafAt(node, 'client-certificate', (value) => String(value) as 'device', undefined),
    serverCertificateFingerprint: leafAt(node, 'server-certificate-fingerprint', String, undefined),
  };
}

function readRouteAdvertisement(value: unknown): RouteAdvertisement {
  const node = value as JsonNode;
  return {
    routeTable: arrayAt(node, 'route-table', Number),
    includePrefix: arrayAt(node, 'include-prefix', ipv4PrefixValue),
    excludePrefix: arrayAt(node, 'exclude-prefix', ipv4PrefixValue),
    bgpNeighbor: arrayAt(node, 'bgp-neighbor', ipv6Value),
    target: arrayAt(node, 'target', readTarget),
  };
}

function readGateway(value: unknown): Gateway {
  const node = value as JsonNode;
  return {
    name: String(node.name),
    enabled: leafAt(node, 'enabled', Boolean, true),
    ipv6Address: leafAt(node, 'ipv6-address', ipv6Value, undefined),
    aftrIpv6Address: leafAt(node, 'aftr-ipv6-address', ipv6Value, undefined),
    aftrFromDhcpv6: leafAt(node, 'aftr-from-dhcpv6', String, undefined),
    ipv4Interface: arrayAt(node, 'ipv4-interface', String),
    ipv4Address: leafAt(node, 'ipv4-address', ipv4Value, undefined),
    servedPrefix: arrayAt(node, 'served-prefix', readServedPrefix),
    softwirePayloadMtu: leafAt(node, 'softwire-payload-mtu', Number, 1460),
    pathMtuLifetime: leafAt(node, 'path-mtu-lifetime', Number, 10),
    hopLimit: leafAt(node, 'hop-limit', Number, 64),
    trafficClassMode: leafAt(
      node,
      'traffic-class-mode',
      (value) => String(value) as 'uniform' | 'pipe',
      'uniform' as const,
    ),
    pipeDscp: leafAt(node, 'pipe-dscp', Number, 0),
    ecnMode: leafAt(node, 'ecn-mode', (value) => String(value) as 'normal' | 'compatibility', 'normal' as const),
    logEcnAnomalies: leafAt(node, 'log-ecn-anomalies', Boolean, true),
    sourceRouteOptions: leafAt(
      node,
      'source-route-options',
      (value) => String(value) as 'drop' | 'forward',
      'drop' as const,
    ),
    flowLabelMode: leafAt(node, 'flow-label-mode', (value) => String(value) as 'flow' | 'zero', 'flow' as const),
    outerFragmentation: leafAt(node, 'outer-fragmentation', Boolean, true),
    encapsulationLimit: leafAt(node, 'encapsulation-limit', Number, undefined),
    tcpMssClamp: leafAt(node, 'tcp-mss-clamp', Number, undefined),
    reassembly: readReassembly(objectAt(node, 'reassembly')),
    icmpPolicy: readIcmpPolicy(objectAt(node, 'icmp-policy')),
    routeAdvertisement: readRouteAdvertisement(objectAt(node, 'route-advertisement')),
  };
}

function readPortSet(value: unknown): PortSet {
  const node = value as JsonNode;
  return {
    psid: Number(node.psid),
    b4Ipv6Address: ipv6Value(node['b4-ipv6-address']),
    aftrIpv6Address: leafAt(node, 'aftr-ipv6-address', ipv6Value, undefined),
  };
}

function readSharedAddress(value: unknown): SharedAddress {
  const node = value as JsonNode;
  return {
    ipv4Address: ipv4Value(node['ipv4-address']),
    psidOffset: leafAt(node, 'psid-offset', Number, 6),
    psidLength: Number(node['psid-length']),
    portSet: arrayAt(node, 'port-set', readPortSet),
  };
}

function readBindingTable(value: unknown): BindingTable {
  const node = value as JsonNode;
  return {
    sharedAddress: arrayAt(node, 'shared-address', readSharedAddress),
  };
}

function readRouteSource(value: unknown): RouteSource {
  const node = value as JsonNode;
  return {
    name: String(node.name),
    gatewayIpv6Address: ipv6Value(node['gateway-ipv6-address']),
    password: leafAt(node, 'password', String, undefined),
    certificateFingerprint: leafAt(node, 'certificate-fingerprint', String, undefined),
    bgpNeighbor: arrayAt(node, 'bgp-neighbor', ipv6Value),
    allowedPrefix: arrayAt(node, 'allowed-prefix', ipv4PrefixValue),
    maximumRoutes: leafAt(node, 'maximum-routes', Number, 1000),
    holdTime: leafAt(node, 'hold-time', Number, 90),
    graceTime: leafAt(node, 'grace-time', Number, 120),
  };
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
    softwireNumThreshold: leafAt(node, 'softwire-num-threshold', Number, 90),
    enableHairpinning: leafAt(node, 'enable-hairpinning', Boolean, true),
    bindingCounters: leafAt(node, 'binding-counters', Boolean, false),
    softwirePayloadMtu: leafAt(node, 'softwire-payload-mtu', Number, 1460),
    pathMtuLifetime: leafAt(node, 'path-mtu-lifetime', Number, 10),
    hopLimit: leafAt(node, 'hop-limit', Number, 64),
    trafficClassMode: leafAt(
      node,
      'traffic-class-mode',
      (value) => String(value) as 'uniform' | 'pipe',
      'uniform' as const,
    ),
    pipeDscp: leafAt(node, 'pipe-dscp', Number, 0),
    ecnMode: leafAt(node, 'ecn-mode', (value) => String(value) as 'normal' | 'compatibility', 'normal' as const),
    logEcnAnomalies: leafAt(node, 'log-ecn-anomalies', Boolean, true),
    sourceRouteOptions: leafAt(
      node,
      'source-route-options',
      (value) => String(value) as 'drop' | 'forward',
      'drop' as const,
    ),
    flowLabelMode: leafAt(node, 'flow-label-mode', (value) => String(value) as 'flow' | 'zero', 'flow' as const),
    outerFragmentation: leafAt(node, 'outer-fragmentation', Boolean, true),
    encapsulationLimit: leafAt(node, 'encapsulation-limit', Number, undefined),
    tcpMssClamp: leafAt(node, 'tcp-mss-clamp', Number, undefined),
    reassembly: readReassembly(objectAt(node, 'reassembly')),
    icmpPolicy: readIcmpPolicy(objectAt(node, 'icmp-policy')),
    bindingTable: readBindingTable(objectAt(node, 'binding-table')),
    routeSource: arrayAt(node, 'route-source', readRouteSource),
  };
}

function readHistory(value: unknown): History {
  const node = value as JsonNode;
  return {
    maximumChanges: leafAt(node, 'maximum-changes', Number, 2000000),
    maximumAge: leafAt(node, 'maximum-age', Number, undefined),
  };
}

function readNeighbor(value: unknown): Neighbor {
  const node = value as JsonNode;
  return {
    address: ipv6Value(node.address),
    peerAs: Number(node['peer-as']),
    peerPort: leafAt(node, 'peer-port', Number, 179),
    password: leafAt(node, 'password', String, undefined),
    passive: leafAt(node, 'passive', Boolean, false),
    holdTime: leafAt(node, 'hold-time', Number, 90),
    maximumHops: leafAt(node, 'maximum-hops', Number, 1),
    ttlSecurity: leafAt(node, 'ttl-security', Boolean, false),
    gracefulRestartTime: leafAt(node, 'graceful-restart-time', Number, 120),
  };
}

function readBgp(value: unknown): Bgp {
  const node = value as JsonNode;
  return {
    localAs: leafAt(node, 'local-as', Number, undefined),
    routerId: leafAt(node, 'router-id', ipv4Value, undefined),
    localPort: leafAt(node, 'local-port', Number, 179),
    localAddress: arrayAt(node, 'local-address', ipv6Value),
    engineSocket: leafAt(node, 'engine-socket', String, undefined),
    neighbor: arrayAt(node, 'neighbor', readNeighbor),
  };
}

function readSoftwire(value: unknown): Softwire {
  const node = value as JsonNode;
  return {
    gateway: arrayAt(node, 'gateway', readGateway),
    aftr: arrayAt(node, 'aftr', readAftr),
    history: readHistory(objectAt(node, 'history')),
    bgp: readBgp(objectAt(node, 'bgp')),
  };
}

/** The configuration from RFC 7951 JSON (`{ "gi-4over6:softwire": ... }`) with the defaults of the model. */
export function readConfiguration(data: unknown): Softwire {
  return readSoftwire(objectAt(data as JsonNode, 'gi-4over6:softwire'));
}

/** The list of the gateways of an AFTR as data: what the datapath counts and what it learned of each. */

import type { LearnedPathMtu, SoftwireCounters } from '../control.ts';

type Json = Readonly<Record<string, unknown>>;

/** RFC 7951 JSON of the entries. A gateway with a path MTU is there, also where others are too many to be. */
export function softwireList(softwires: readonly SoftwireCounters[], pathMtus: readonly LearnedPathMtu[]): Json[] {
  const mtus = new Map(pathMtus.map(({ remote, mtu }) => [remote, mtu]));
  const known = new Set(softwires.map(({ remote }) => remote));
  const others = pathMtus.filter(({ remote }) => !known.has(remote));
  return [
    ...softwires.map((softwire) => ({ ...entry(softwire), ...pathMtu(mtus.get(softwire.remote)) })),
    ...others.map(({ remote, mtu }) => ({ 'gateway-ipv6-address': remote, ...pathMtu(mtu) })),
  ];
}

function pathMtu(mtu: number | undefined): Json {
  return mtu === undefined ? {} : { 'path-mtu': mtu };
}

function entry({ remote, bindings, counters }: SoftwireCounters): Json {
  const gateway = { 'gateway-ipv6-address': remote, bindings };
  if (!counters) return gateway;
  const { violations, lastViolation } = counters;
  return {
    ...gateway,
    statistics: {
      'discontinuity-time': new Date(counters.sinceMs).toISOString(),
      'encapsulated-packets': String(counters.encapsulatedPackets),
      'encapsulated-octets': String(counters.encapsulatedOctets),
      'decapsulated-packets': String(counters.decapsulatedPackets),
      'decapsulated-octets': String(counters.decapsulatedOctets),
      'violation-packets': String(violations.packets),
      'violation-octets': String(violations.octets),
    },
    ...(lastViolation && {
      'last-violation': {
        time: new Date(lastViolation.timeMs).toISOString(),
        'ipv4-source': lastViolation.ipv4Source,
      },
    }),
  };
}

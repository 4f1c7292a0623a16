/** The alarm types of this device (yang/gi-4over6-alarms.yang): what they mean and what to do, for the inventory (RFC 8632 §4.2). */

/** From the least to the most severe. */
export const SEVERITIES = ['indeterminate', 'warning', 'minor', 'major', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface AlarmType {
  /** What may cause it and what to do. */
  readonly description: string;
  /** Those it can have, rising. */
  readonly severities: readonly Severity[];
  /** The text of its end. */
  readonly cleared: string;
}

export const ALARM_TYPES = {
  'datapath-down': {
    description:
      'The datapath process is not there or does not answer: nothing is forwarded. It is started anew by itself; when this lasts, its log says why it ends.',
    severities: ['critical'],
    cleared: 'the datapath answers again',
  },
  'datapath-behind': {
    description:
      'The datapath has not put a version of the configuration in force in time, and forwards by an older one. It is started anew or tries again by itself; when this lasts, the status and its log say what stands against the configuration.',
    severities: ['major'],
    cleared: 'the datapath forwards by the configuration again',
  },
  'not-forwarding': {
    description:
      'An enabled gateway or AFTR forwards nothing, because of the datapath or the kernel: routes, addresses, interfaces or settings of this device. The text says which and what to do.',
    severities: ['critical'],
    cleared: 'it forwards, or is not to',
  },
  'reassembly-near-limit': {
    description:
      'Reassembly of tunnel packets uses the part of a limit that alarm-threshold says. Beyond the limit fragments are dropped: look for who sends fragments that never become whole, or change the limits of container reassembly.',
    severities: ['warning'],
    cleared: 'reassembly is below three quarters of alarm-threshold',
  },
  'binding-table-near-limit': {
    description:
      'A binding table holds the part of softwire-num-max that softwire-num-threshold says; at the limit, which makes it major, further bindings are refused. Remove bindings, or raise softwire-num-max where it is less than what the datapath can hold.',
    severities: ['warning', 'major'],
    cleared: 'the binding table holds less than eight ninths of softwire-num-threshold',
  },
  'source-violations': {
    description:
      'One hundred packets within ten seconds came from gateways that do not hold their inner source: forged ones, or bindings that are wrong. The notifications source-violation and gi4over6 trace --live say whose.',
    severities: ['warning'],
    cleared: 'fewer than ten such packets came within thirty seconds',
  },
  'store-damaged': {
    description:
      'The file that the configuration is kept in is damaged, or the datapath forwards by other bindings than it holds. Stop the program and restore a backup.',
    severities: ['major'],
    cleared: 'the datapath forwards by what the store holds',
  },
  'store-not-writable': {
    description:
      'The disk that the configuration is kept on takes no change: it is full or fails. Edits are refused until it takes one, which is tried every few seconds; reads and forwarding go on. Make room on it, or see why it fails.',
    severities: ['major'],
    cleared: 'the disk takes changes again',
  },
  'routes-refused': {
    description:
      'Routes that a route source advertises were refused within the last minute: beyond what it may bind, or in conflict with bindings of others. Its list refused-route says which and why; see whether it, or what it may bind, is right.',
    severities: ['warning'],
    cleared: 'none of its routes was refused for a minute',
  },
  'route-source-silent': {
    description:
      'A route source is not heard of: its bindings are forwarded by until the grace time is over, and then removed. See whether the gateway runs and reaches this AFTR.',
    severities: ['major'],
    cleared: 'it is heard of again, or nothing of it is bound any more',
  },
  'advertisement-failing': {
    description:
      'A gateway cannot inform an AFTR of its routes, which will remove the bindings when that lasts. The last-problem of the target says what fails.',
    severities: ['major'],
    cleared: 'the AFTR knows the routes, or is not to be told',
  },
  'aftr-unknown': {
    description:
      'A gateway that learns its AFTR by DHCPv6 has none and does not forward, or was told one that it cannot use and stays with the one before. See learned-aftr in its state, and whether the DHCPv6 client of the interface runs with the hook and the server tells the AFTR.',
    severities: ['major', 'warning'],
    cleared: 'the AFTR is known, or is not to be learned',
  },
  'bgp-down': {
    description:
      'A BGP session is not established, or the BGP speaker does not run: no routes are exchanged. See session-state of the neighbor and last-problem of bgp, whether the neighbor runs and is reached, and whether both ends have the same password.',
    severities: ['major'],
    cleared: 'the session is established, or the neighbor is no longer configured',
  },
  'bgp-without-ipv6-next-hop': {
    description:
      'A BGP neighbor cannot exchange IPv4 routes with IPv6 next hops (RFC 8950): the session is up without any routes. Turn the extended next hop capability on there.',
    severities: ['major'],
    cleared: 'the neighbor has the capability, or its session is down',
  },
} as const satisfies Readonly<Record<string, AlarmType>>;

export type AlarmTypeName = keyof typeof ALARM_TYPES;

export function isAlarmType(name: string): name is AlarmTypeName {
  return Object.hasOwn(ALARM_TYPES, name);
}

/** As identityref values have it. */
export function alarmTypeId(type: AlarmTypeName): string {
  return `gi-4over6-alarms:${type}`;
}

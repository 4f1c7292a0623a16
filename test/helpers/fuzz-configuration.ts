/** A random table as the configuration of the engine, in RFC 7951 JSON, and single rows as bindings. */

import { formatIpv4, formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Role } from '../../src/datapath/engine.ts';
import type { Forwarding } from '../../src/datapath/forwarding.ts';
import type { PreparedChange } from '../../src/datapath/table.ts';
import type { BindingText, EngineUnderTest } from './engine-case.ts';
import { binding } from './engine-case.ts';
import type { RowStep } from './naive-counts.ts';
import type { NaiveInstance, NaiveRow, NaiveShared, NaiveTable } from './naive-model.ts';

type Json = Readonly<Record<string, unknown>>;

export function configurationOf(role: Role, { instances, rows, shared }: NaiveTable): Json[] {
  return instances.map((instance) =>
    role === 'gateway'
      ? gatewayJson(
          instance,
          rows.filter((row) => row.instance === instance),
        )
      : aftrJson(
          instance,
          shared.filter((one) => one.instance === instance),
        ),
  );
}

/** All rows and modes, as after a commit. */
export async function configure(engine: EngineUnderTest, role: Role, table: NaiveTable): Promise<void> {
  engine.forwarding.setLinkAddresses(table.broadcasts, table.hosts);
  engine.forwarding.setEgressMtus(new Map(table.instances.map(({ name, egressMtu }) => [name, egressMtu])));
  await engine.configureAll(
    configurationOf(role, table),
    table.rows.map((row) => ({ instance: row.instance.name, text: bindingOf(row) })),
  );
}

/** Single bindings of AFTRs, in this order: all that packets see of them in one moment. */
export function takeSteps({ forwarding }: EngineUnderTest, steps: readonly RowStep[]): void {
  forwarding.rows.showTogether(prepared(forwarding, steps));
}

/** The same in the midst of a batch, which is not waited for. */
export function takeStepsAtOnce({ forwarding }: EngineUnderTest, steps: readonly RowStep[]): void {
  forwarding.rows.showEach(prepared(forwarding, steps));
}

function* prepared(forwarding: Forwarding, steps: readonly RowStep[]): Generator<PreparedChange | undefined> {
  for (const { kind, row } of steps) {
    const wanted =
      kind === 'put' ? forwarding.rows.wantedBinding(row.instance.name, binding(bindingOf(row))) : undefined;
    yield wanted ? forwarding.rows.preparePut(wanted) : forwarding.rows.prepareRemovalOf(row.instance.name, row.prefix);
  }
}

function bindingOf({ prefix, local, remote }: NaiveRow): BindingText {
  return [formatIpv4Prefix(prefix.address, prefix.length), formatIpv6(remote), formatIpv6(local)];
}

function gatewayJson(instance: NaiveInstance, rows: readonly NaiveRow[]): Json {
  return {
    ...tunnelJson(instance),
    'aftr-ipv6-address': instance.remote && formatIpv6(instance.remote),
    'served-prefix': rows.map(({ prefix }) => ({ 'ipv4-prefix': formatIpv4Prefix(prefix.address, prefix.length) })),
  };
}

function aftrJson(instance: NaiveInstance, shared: readonly NaiveShared[]): Json {
  return {
    ...tunnelJson(instance),
    'additional-ipv6-address': instance.locals.slice(1).map((local) => formatIpv6(local)),
    'ipv4-pool': instance.pools.map((pool) => formatIpv4Prefix(pool.address, pool.length)),
    'enable-hairpinning': instance.isHairpinning,
    'binding-counters': instance.isCounting,
    'binding-table': { 'shared-address': shared.map(sharedJson) },
  };
}

function sharedJson({ address, psidOffset, psidLength, portSets }: NaiveShared): Json {
  return {
    'ipv4-address': formatIpv4(address),
    'psid-offset': psidOffset,
    'psid-length': psidLength,
    'port-set': portSets.map(({ psid, local, remote }) => ({
      psid,
      'b4-ipv6-address': formatIpv6(remote),
      'aftr-ipv6-address': formatIpv6(local),
    })),
  };
}

function tunnelJson(instance: NaiveInstance): Json {
  const { encapsulationLimit, mssClamp } = instance;
  return {
    name: instance.name,
    'ipv6-address': formatIpv6(instance.locals[0] ?? Buffer.alloc(16)),
    ...(instance.ipv4Address !== 0 && { 'ipv4-address': formatIpv4(instance.ipv4Address) }),
    'traffic-class-mode': instance.isPipe ? 'pipe' : 'uniform',
    'pipe-dscp': instance.pipeDscp,
    'ecn-mode': instance.isEcnCompatible ? 'compatibility' : 'normal',
    'flow-label-mode': instance.hasFlowLabel ? 'flow' : 'zero',
    'hop-limit': instance.hopLimit,
    'softwire-payload-mtu': instance.payloadMtu,
    'source-route-options': instance.passesSourceRoutes ? 'forward' : 'drop',
    'outer-fragmentation': instance.cutsOuter,
    ...(encapsulationLimit !== undefined && { 'encapsulation-limit': encapsulationLimit }),
    ...(mssClamp !== undefined && { 'tcp-mss-clamp': mssClamp }),
    enabled: instance.isEnabled,
    // The naive engine knows no limit for all sources.
    reassembly: {
      'maximum-fragments': instance.mostFragments,
      'maximum-packets': 1_000_000,
      'maximum-packets-per-source': instance.mostOfSource,
    },
    'icmp-policy': { 'icmpv4-errors': { 'allow-incoming-icmpv4': !instance.deniesIcmp } },
  };
}

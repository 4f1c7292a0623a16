/** Dynamic configuration, built for the management process: route sources of AFTRs, and gateways that follow the kernel's routes. */

import { join } from 'node:path';
import { NextHopWatch } from '../kernel/next-hop-watch.ts';
import { AFTR_DEVICE } from '../kernel/plan.ts';
import { RouteWatch } from '../kernel/route-watch.ts';
import type { Log } from '../log.ts';
import type { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import { RouteTable } from '../state/learned/route-table.ts';
import { withLearnedAftrs } from '../state/learned/tables.ts';
import type { RouteSource, Softwire } from '../state/model.generated.ts';
import type { Condition } from './alarms/alarm-list.ts';
import type { RouteConditions } from './alarms/monitor.ts';
import { BgpAlarms } from './bgp/bgp-alarms.ts';
import { BgpSpeaker } from './bgp/speaker.ts';
import { LearnedAftrs } from './dhcpv6/learned-aftrs.ts';
import { lookUpName } from './dhcpv6/name-lookup.ts';
import type { OwnCertificate } from './routes/aftr-client.ts';
import { AftrClient } from './routes/aftr-client.ts';
import { CertifiedSources } from './routes/certified-sources.ts';
import { AdvertisingGateways } from './routes/gateways.ts';
import type { Merge } from './routes/operations.ts';
import { routeOperations } from './routes/operations.ts';
import { RouteAlarms } from './routes/route-alarms.ts';
import { RouteSources } from './routes/route-sources.ts';
import { routeLists, routeSourceEntry, routeSourceList } from './routes/source-data.ts';
import { StaleMoments } from './routes/stale-moments.ts';
import type { RouteState } from './softwire-state.ts';
import type { StoreOperation } from './store-care.ts';
import type { Verdict } from './users.ts';
import { Users } from './users.ts';

/** Alarms that status tells one by one. */
const TOLD_ALARMS = 5;

export interface RoutePartOptions {
  readonly stateDir: string;
  /** Whether clients are asked for certificates. */
  readonly asksCertificates: boolean;
  /** For the socket of a GoBGP that we start. */
  readonly runDir: string;
  /** Where the hook of the DHCPv6 client writes. */
  readonly dhcpv6Dir: string;
  /** How many gateways and others may be connected at once. */
  readonly connections: number;
  readonly log: Log;
}

export class RoutePart {
  readonly sources: RouteSources;
  readonly state: RouteState;
  readonly #gateways: AdvertisingGateways;
  /**
   * Who may advertise by a password of the configuration. All that have a connection may wait to be looked at: after an outage all
   * gateways come at once, and who is refused then is taken for one with a wrong password.
   */
  readonly #users: Users;
  readonly #configuration: () => DataNode;
  readonly #softwire: () => Softwire;
  readonly #log: Log;
  readonly #table: RouteTable;
  readonly #alarms = new RouteAlarms();
  readonly #bgp: BgpSpeaker;
  readonly #bgpAlarms = new BgpAlarms();
  readonly #aftrs: LearnedAftrs;
  readonly #certified: CertifiedSources;
  readonly #nextHops: NextHopWatch;
  /** Alarms that say why routes are not there, in sentences. */
  #alarmed: readonly string[] = [];

  constructor(
    datastores: Datastores,
    certificate: OwnCertificate,
    { stateDir, asksCertificates, runDir, dhcpv6Dir, connections, log }: RoutePartOptions,
  ) {
    this.#configuration = () => datastores.runningTree;
    this.#users = new Users(this.#configuration, routeSourceEntry, connections);
    const softwire = () => datastores.softwire;
    this.#softwire = softwire;
    this.#log = log;
    this.#table = new RouteTable(datastores);
    datastores.addParticipant(this.#table);
    this.#nextHops = new NextHopWatch(
      AFTR_DEVICE,
      (entries) => this.#table.setNextHops(entries),
      (error) => log.error({ error }, 'the ways to gateways could not be looked at'),
    );
    const moments = new StaleMoments(join(stateDir, 'stale-sources.json'), log);
    this.sources = new RouteSources({ table: this.#table, softwire, moments, log });
    this.#certified = new CertifiedSources(asksCertificates, softwire, log);
    this.#bgp = new BgpSpeaker({
      runDir,
      softwire,
      log,
      sources: {
        tell: (name, advertisement) => this.sources.tell(name, advertisement),
        mark: (...report) => this.sources.mark(...report),
        most: (name) => this.sources.most(name),
        hasRoutes: (name) => this.sources.hasRoutes(name),
      },
    });
    this.#bgp.onTold = (gateway) => this.#gateways.told(gateway);
    this.#aftrs = new LearnedAftrs({
      dir: dhcpv6Dir,
      store: datastores,
      softwire,
      lookUp: lookUpName,
      log,
      onChange: () => this.#gateways.follow(),
    });
    this.#gateways = new AdvertisingGateways({
      bgp: this.#bgp,
      store: datastores,
      softwire: () => withLearnedAftrs(datastores.softwire, (gateway) => this.#aftrs.address(gateway)),
      clientFor: (target) => new AftrClient(target, certificate),
      log,
      watch: (onRoutes) => {
        const watch = new RouteWatch(onRoutes, (error) => log.error({ error }, 'the kernel routes could not be read'));
        return () => watch.close();
      },
    });
    this.state = {
      sources: (aftr, names) => routeSourceList(this.sources, aftr, names),
      sourceRoutes: (source) => routeLists(this.sources, source),
      targets: (gateway, withRoutes) => this.#gateways.targets(gateway, withRoutes),
      bgp: () => this.#bgp.state(),
      served: (gateway) => this.#gateways.served(gateway),
      servedCount: (gateway) => this.#gateways.servedCount(gateway),
      learnedAftr: (gateway) => this.#aftrs.state(gateway),
      problems: () => [
        ...this.#aftrs.problems(),
        ...this.#certified.problems(),
        ...this.#gateways.problems(),
        ...this.#alarmed,
        ...this.#unbound(),
      ],
    };
    let before = datastores.softwire;
    datastores.onCommit(({ treeChanged }) => {
      if (!treeChanged) return;
      this.#users.forget();
      this.#certified.follow();
      this.sources.configurationChanged(before);
      before = datastores.softwire;
      this.#aftrs.follow();
      this.#gateways.follow();
      this.#bgp.follow();
      this.#followNextHops();
    });
  }

  #followNextHops(): void {
    const sources = this.#softwire().aftr.flatMap(({ enabled, routeSource }) => (enabled ? routeSource : []));
    this.#nextHops.follow(sources.map(({ gatewayIpv6Address }) => gatewayIpv6Address));
  }

  /** Route sources that advertise routes of which none is bound, in sentences. */
  #unbound(): string[] {
    const found = this.#softwire().aftr.flatMap(({ name: aftr, enabled, routeSource }) => {
      return (enabled ? routeSource : []).flatMap(({ name }): Condition[] => {
        const reasons = this.#table.reasons(name);
        if (reasons.length === 0 || this.sources.kept(name, 'bound').numbers.count() > 0) return [];
        const text = `none of its routes is bound (${reasons.join(', ')})`;
        return [{ resource: `AFTR ${aftr}: route source ${name}`, severity: 'warning', text }];
      });
    });
    return sentences(found, 'see refused-route of each');
  }

  exists(name: string): boolean {
    return this.#users.exists(name);
  }

  /** As Users.judgePassword, of a route source. */
  judgePassword(name: string, password: string, client: string): Promise<Verdict> {
    return this.#users.judgePassword(name, password, client);
  }

  /** The route source whose certificate has this SHA-256, in any case. */
  certified(fingerprint: string): string | undefined {
    const wanted = fingerprint.toLowerCase();
    const isIt = ({ certificateFingerprint }: RouteSource) => certificateFingerprint?.toLowerCase() === wanted;
    return this.#softwire()
      .aftr.flatMap(({ routeSource }) => routeSource)
      .find(isIt)?.name;
  }

  /** By schema path; `merge` edits running as the caller. */
  operations(merge: Merge): Readonly<Record<string, StoreOperation>> {
    return routeOperations(this.sources, this.#configuration, merge);
  }

  /** What is wrong, for alarms. */
  conditions(steadyMs: number): RouteConditions {
    const softwire = this.#softwire();
    const sources = softwire.aftr.flatMap((aftr) =>
      aftr.routeSource.map(({ name }) => {
        const isStale = this.sources.report(name).state === 'stale';
        return { aftr: aftr.name, name, isStale, reasons: this.#table.reasons(name) };
      }),
    );
    const targets = softwire.gateway.flatMap(({ name }) => this.#gateways.sights(name));
    const advertised = this.#alarms.conditions(sources, targets, steadyMs);
    const bgp = this.#bgpAlarms.conditions(this.#bgp.sight(), steadyMs);
    this.#alarmed = sentences([...advertised['route-source-silent'], ...Object.values(bgp).flat()]);
    return {
      ...advertised,
      ...bgp,
      'aftr-unknown': this.#aftrs.conditions(steadyMs),
    };
  }

  async start(): Promise<void> {
    for (const part of [this.sources, this.#aftrs, this.#gateways]) {
      try {
        await part.start();
      } catch (error) {
        // A store that takes no change stops nothing else.
        this.#log.error({ error: String(error) }, 'what was learned of routes could not be taken over');
      }
    }
    this.#bgp.follow();
    this.#certified.follow();
    this.#followNextHops();
  }

  async close(): Promise<void> {
    this.#nextHops.close();
    this.#aftrs.close();
    await Promise.all([this.#gateways.close(), this.#bgp.close()]);
    this.sources.close();
    await this.#users.close();
  }
}

/** `where` says where those are that are not told. */
function sentences(conditions: readonly Condition[], where = 'see the alarm list'): string[] {
  const told = conditions.slice(0, TOLD_ALARMS).map(({ resource, text }) => `${resource}: ${text}.`);
  const left = conditions.length - told.length;
  return left === 0 ? told : [...told, `${left} more of them: ${where}.`];
}

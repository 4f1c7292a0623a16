/** BGP of this device: its GoBGP, what gateways announce through it, and what route sources get of it. */

import { formatIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import type { Softwire } from '../../state/model.generated.ts';
import type { BgpSight } from './bgp-alarms.ts';
import { EngineLink } from './engine-link.ts';
import type { Announced } from './exporter.ts';
import { Exporter } from './exporter.ts';
import type { Sources } from './importer.ts';
import { Importer } from './importer.ts';

const ESTABLISHED = 6;
/** By the numbers of GoBGP, as the model has them. */
const SESSION_STATES = ['idle', 'idle', 'connect', 'active', 'open-sent', 'open-confirm', 'established'];

type Json = Readonly<Record<string, unknown>>;

export interface SpeakerParts {
  readonly runDir: string;
  readonly softwire: () => Softwire;
  readonly sources: Sources;
  readonly log: Log;
  /** The command of GoBGP; no option of the program. */
  readonly command?: string;
}

export class BgpSpeaker {
  readonly #parts: SpeakerParts;
  readonly #link: EngineLink;
  readonly #exporter: Exporter;
  readonly #importer: Importer;
  /** Called when the routes of a gateway are with a neighbor for the first time. */
  onTold: (gateway: string) => void = () => undefined;

  constructor(parts: SpeakerParts) {
    const { runDir, sources, log, command } = parts;
    this.#parts = parts;
    this.#exporter = new Exporter({ log, onTold: (gateway) => this.onTold(gateway) });
    this.#importer = new Importer({
      sources,
      client: () => this.#link.client,
      log,
      onSession: (...session) => this.#exporter.session(...session),
    });
    this.#link = new EngineLink({
      runDir,
      log,
      command,
      onPrepare: (client, isOurs) => this.#exporter.prepare(client, isOurs),
      onSession: (address, state) => this.#importer.session(address, state),
      onPaths: (paths) => this.#importer.paths(paths),
      onDown: () => {
        this.#exporter.down();
        this.#importer.down();
      },
    });
  }

  /** Brings everything to the configuration as it is now. */
  follow(): void {
    const softwire = this.#parts.softwire();
    this.#importer.follow(softwire);
    this.#link.follow(softwire.bgp);
  }

  /** As Exporter.set. */
  announce(gateway: string, announced: Announced | undefined, changed: readonly number[] | undefined): void {
    this.#exporter.set(gateway, announced, changed);
  }

  /** Whether the routes of a gateway have been with a neighbor. */
  isTold(gateway: string): boolean {
    return this.#exporter.isTold(gateway);
  }

  /** The container bgp, as RFC 7951 JSON. */
  state(): Json {
    const { state, problem } = this.#link;
    return {
      'engine-state': state,
      ...(problem !== '' && { 'last-problem': problem }),
      neighbor: this.#parts.softwire().bgp.neighbor.map((neighbor) => {
        const address = formatIpv6(neighbor.address);
        const report = this.#importer.report(address);
        return {
          address,
          'session-state': SESSION_STATES[report.sessionState] ?? 'idle',
          ...(report.lastChange && { 'last-change': report.lastChange.toISOString() }),
          ...(report.hasIpv6NextHop !== undefined && { 'extended-next-hop': report.hasIpv6NextHop }),
          routes: report.routes,
          'unusable-routes': report.unusable,
          ...(report.example !== '' && { 'unusable-example': report.example }),
          ...(report.staleUntil && { 'stale-until': report.staleUntil.toISOString() }),
        };
      }),
    };
  }

  /** For alarms. */
  sight(): BgpSight {
    return {
      isFailing: this.#link.state === 'failing',
      neighbors: this.#parts.softwire().bgp.neighbor.map((neighbor) => {
        const address = formatIpv6(neighbor.address);
        const { sessionState, hasIpv6NextHop } = this.#importer.sessionOf(address);
        return { address, isEstablished: sessionState === ESTABLISHED, lacksIpv6NextHop: hasIpv6NextHop === false };
      }),
    };
  }

  /** A planned end: neighbors are told, and this device's routes go there. What was learned stays for the next start. */
  async close(): Promise<void> {
    this.#importer.close();
    this.#exporter.close();
    await this.#link.close();
  }
}

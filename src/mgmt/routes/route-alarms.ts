/**
 * What is wrong with routes that are advertised, as conditions of alarms. A source whose routes come and go must not make an alarm of
 * each: refusals stand for a minute after the last one, and the text changes once a minute at most.
 */

import type { Condition } from '../alarms/alarm-list.ts';
import type { RouteConditions } from '../alarms/monitor.ts';

const MINUTE_MS = 60_000;
/** A gateway that fails for less has only been unlucky. */
const FAILING_MS = 10_000;

/** One route source as it is now. */
export interface SourceSight {
  readonly aftr: string;
  readonly name: string;
  readonly isStale: boolean;
  /** Why routes are refused. */
  readonly reasons: readonly string[];
}

/** One AFTR that a gateway informs. */
export interface TargetSight {
  readonly gateway: string;
  readonly name: string;
  readonly isFailing: boolean;
}

type AdvertisementConditions = Pick<
  RouteConditions,
  'routes-refused' | 'route-source-silent' | 'advertisement-failing'
>;

interface Refusing {
  readonly text: string;
  readonly sinceMs: number;
  seenMs: number;
}

export class RouteAlarms {
  readonly #refusing = new Map<string, Refusing>();
  readonly #failingSince = new Map<string, number>();

  /** What is wrong now; `nowMs` is of a clock that never goes back. */
  conditions(sources: readonly SourceSight[], targets: readonly TargetSight[], nowMs: number): AdvertisementConditions {
    return {
      'routes-refused': this.#refused(sources, nowMs),
      'route-source-silent': sources.filter(({ isStale }) => isStale).map(silent),
      'advertisement-failing': this.#failing(targets, nowMs),
    };
  }

  #refused(sources: readonly SourceSight[], nowMs: number): Condition[] {
    const there = new Set(sources.map(pathOfSource));
    for (const source of sources) {
      if (source.reasons.length === 0) continue;
      const resource = pathOfSource(source);
      const text = `routes that it advertises are refused (${source.reasons.join(', ')}): see its refused-route`;
      const known = this.#refusing.get(resource);
      if (known && (known.text === text || nowMs - known.sinceMs < MINUTE_MS)) known.seenMs = nowMs;
      else this.#refusing.set(resource, { text, sinceMs: nowMs, seenMs: nowMs });
    }
    for (const [resource, { seenMs }] of this.#refusing) {
      if (!there.has(resource) || nowMs - seenMs >= MINUTE_MS) this.#refusing.delete(resource);
    }
    return [...this.#refusing].map(([resource, { text }]) => ({ resource, severity: 'warning', text }));
  }

  #failing(targets: readonly TargetSight[], nowMs: number): Condition[] {
    const failing = targets.filter(({ isFailing }) => isFailing).map(pathOfTarget);
    for (const resource of this.#failingSince.keys()) {
      if (!failing.includes(resource)) this.#failingSince.delete(resource);
    }
    return failing.flatMap((resource): Condition[] => {
      const sinceMs = this.#failingSince.get(resource) ?? nowMs;
      this.#failingSince.set(resource, sinceMs);
      if (nowMs - sinceMs < FAILING_MS) return [];
      const text = 'the AFTR cannot be informed of routes: see last-problem of this target';
      return [{ resource, severity: 'major', text }];
    });
  }
}

function silent(source: SourceSight): Condition {
  const text = 'it is not heard of: its bindings are stale, and removed when the grace time is over';
  return { resource: pathOfSource(source), severity: 'major', text };
}

function pathOfSource({ aftr, name }: SourceSight): string {
  return `/gi-4over6:softwire/aftr[name='${aftr}']/route-source[name='${name}']`;
}

function pathOfTarget({ gateway, name }: TargetSight): string {
  return `/gi-4over6:softwire/gateway[name='${gateway}']/route-advertisement/target[name='${name}']`;
}

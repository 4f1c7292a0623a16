/**
 * The gateways of this device that learn their AFTR by DHCPv6:
 *
 *   1. the hook of the client has written a file, which is looked at four times a second        lease-file.ts
 *   2. what it says becomes the AFTR that is wanted                                      aftr-options.ts, learned-aftr.ts
 *   3. which is a row of the gateway's operational table, durable and applied by the datapath
 *   4. then whoever informs AFTRs is told, and announces everything anew
 *
 * The client is the system's own dhcpcd on that interface, not a child of ours: it needs rights that this process does not have
 * (packet sockets, chroot, root's folders), and its port can be had once, by the client that gives the interface its address.
 */

import { formatIpv6, sameIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import { encodeBinding } from '../../state/binding.generated.ts';
import type { LearningStore, SharedLearning } from '../../state/learned/learning.ts';
import { learnedAftrTable, WHOLE_NUMBER } from '../../state/learned/tables.ts';
import type { Gateway, Softwire } from '../../state/model.generated.ts';
import { RowOverlay } from '../../state/overlay.ts';
import type { Caller } from '../../state/request.ts';
import { openRow } from '../../state/rows.ts';
import type { Condition } from '../alarms/alarm-list.ts';
import { LearnedAftr } from './learned-aftr.ts';
import { readLeaseFile } from './lease-file.ts';
import type { LookUpName } from './name-lookup.ts';

const LOOK_MS = 250;
/** What has failed to be written is tried again after so long. */
const RETRY_MS = 1_000;
/** A client that is asked for the first time, or a name server, takes some seconds. */
const PATIENCE_MS = 10_000;
const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

type Json = Readonly<Record<string, unknown>>;

export interface LearnedAftrsParts {
  /** Where the hook writes. */
  readonly dir: string;
  readonly store: LearningStore;
  readonly softwire: () => Softwire;
  readonly lookUp: LookUpName;
  readonly log: Log;
  /** A gateway has another AFTR, or none: it is durable and forwarded by. */
  readonly onChange: () => void;
}

interface Entry {
  readonly aftr: LearnedAftr;
  /** Of the file that was taken last. */
  mark: string | undefined;
  /** What is in the operational table. */
  written: Uint8Array | undefined;
  isWriting: boolean;
  /** What was said of it in the log. */
  told: string;
}

export class LearnedAftrs {
  readonly #parts: LearnedAftrsParts;
  /** By gateway. */
  readonly #entries = new Map<string, Entry>();
  /** Since when there is something wrong, by gateway. */
  readonly #wrongSince = new Map<string, number>();
  /** What is in the tables from an earlier run, by gateway. */
  readonly #kept = new Map<string, Uint8Array>();
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;

  constructor(parts: LearnedAftrsParts) {
    this.#parts = parts;
  }

  /** Takes over what an earlier run learned. */
  async start(): Promise<void> {
    const work: SharedLearning['work'] = async (rows, softwire) => {
      this.#kept.clear();
      for (const { name } of softwire.gateway) {
        const row = rows.sealed(learnedAftrTable(name), WHOLE_NUMBER);
        if (row) this.#kept.set(name, openRow(WHOLE_NUMBER, row).gatewayIpv6Address);
      }
      return { overlay: new RowOverlay(), done: () => undefined };
    };
    await this.#parts.store.learn({ key: 'learned AFTRs', weight: 0, caller: SYSTEM, comment: 'learned AFTRs', work });
    this.#isStarted = true;
    this.follow();
  }

  /** Brings everything to the configuration as it is now. */
  follow(): void {
    if (!this.#isStarted) return;
    const learning = new Map<string, string>();
    for (const { name, aftrFromDhcpv6 } of this.#parts.softwire().gateway) {
      if (aftrFromDhcpv6 !== undefined) learning.set(name, aftrFromDhcpv6);
    }
    for (const [name, { aftr, written }] of this.#entries) {
      const link = learning.get(name);
      if (link === aftr.link) continue;
      aftr.close();
      this.#entries.delete(name);
      // With another interface the row stays until the new one is known; without, the commit took it along.
      if (link !== undefined && written) this.#kept.set(name, written);
    }
    for (const [name, link] of learning) {
      if (!this.#entries.has(name)) this.#entries.set(name, this.#begin(name, link));
    }
    this.#kept.clear();
    clearInterval(this.#timer);
    if (this.#entries.size === 0) return;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
    this.#look();
  }

  #begin(gateway: string, link: string): Entry {
    const address = this.#kept.get(gateway);
    const aftr = new LearnedAftr({
      link,
      address,
      lookUp: this.#parts.lookUp,
      objection: (candidate) => this.#objection(candidate),
      onChange: () => this.#changed(gateway),
    });
    return { aftr, mark: undefined, written: address, isWriting: false, told: '' };
  }

  /** The far end must not be this device (RFC 2473 §4.1.2). */
  #objection(candidate: Uint8Array): string | undefined {
    const { gateway, aftr } = this.#parts.softwire();
    const own = [
      ...gateway.map(({ ipv6Address }) => ipv6Address),
      ...aftr.flatMap(({ ipv6Address, additionalIpv6Address }) => [ipv6Address, ...additionalIpv6Address]),
    ];
    if (!own.some((address) => address && sameIpv6(address, candidate))) return undefined;
    return `${formatIpv6(candidate)} is a tunnel address of this device: the tunnel would end where it begins`;
  }

  #look(): void {
    for (const { aftr, mark } of this.#entries.values()) {
      const file = readLeaseFile(this.#parts.dir, aftr.link, mark);
      if (file === 'same' || file === undefined) continue;
      for (const entry of this.#entries.values()) {
        if (entry.aftr.link !== aftr.link || entry.mark === file.mark) continue;
        entry.mark = file.mark;
        entry.aftr.take(file.report, file.time);
      }
    }
  }

  #changed(gateway: string): void {
    const entry = this.#entries.get(gateway);
    if (!entry) return;
    const { address, problem } = entry.aftr;
    const now = `${address ? formatIpv6(address) : ''} ${problem}`;
    if (now !== entry.told) {
      entry.told = now;
      const about = { gateway, aftr: address && formatIpv6(address), toldBy: entry.aftr.toldBy, name: entry.aftr.name };
      if (problem === '') this.#parts.log.info(about, 'AFTR learned by DHCPv6');
      else this.#parts.log.warn({ ...about, problem }, 'AFTR not learned by DHCPv6');
    }
    void this.#write(gateway, entry);
  }

  /** The table follows what is wanted; one write at a time. */
  async #write(gateway: string, entry: Entry): Promise<void> {
    if (entry.isWriting) return;
    entry.isWriting = true;
    try {
      while (this.#entries.get(gateway) === entry && !isSame(entry.written, entry.aftr.address)) {
        const wanted = entry.aftr.address;
        await this.#put(gateway, wanted);
        entry.written = wanted;
        this.#parts.onChange();
      }
    } catch (error) {
      this.#parts.log.error({ gateway, error: String(error) }, 'the learned AFTR could not be written: tried again');
      setTimeout(() => void this.#write(gateway, entry), RETRY_MS).unref();
    } finally {
      entry.isWriting = false;
    }
  }

  async #put(gateway: string, address: Uint8Array | undefined): Promise<void> {
    const table = learnedAftrTable(gateway);
    const work: SharedLearning['work'] = async (_rows, softwire) => {
      const overlay = new RowOverlay();
      const isLearning = softwire.gateway.some(({ name, aftrFromDhcpv6 }) => name === gateway && aftrFromDhcpv6);
      if (address && isLearning) {
        const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
        const row = encodeBinding({ address: 0, length: 0, gatewayIpv6Address: address, ...leaves });
        overlay.putSealed(table, WHOLE_NUMBER, row);
      } else overlay.deleteNumber(table, WHOLE_NUMBER);
      return { overlay, done: () => undefined };
    };
    const comment = `AFTR that ${gateway} learned`;
    await this.#parts.store.learn({ key: `aftr of ${gateway}`, weight: 1, caller: SYSTEM, comment, work });
  }

  /** The AFTR that a gateway learned and that is forwarded by. */
  address(gateway: string): Uint8Array | undefined {
    return this.#entries.get(gateway)?.written;
  }

  /** The container learned-aftr of a gateway, as RFC 7951 JSON; undefined for one that does not learn. */
  state(gateway: string): Json | undefined {
    const entry = this.#entries.get(gateway);
    if (!entry) return undefined;
    const { state, toldBy, name, unused, time, problem } = entry.aftr;
    return {
      'learning-state': state,
      ...(entry.written && { 'ipv6-address': formatIpv6(entry.written) }),
      ...(toldBy && { 'told-by': toldBy }),
      ...(name !== undefined && { 'aftr-name': name }),
      ...(unused !== '' && { 'unused-option': unused }),
      ...(time && { 'last-answer': time.toISOString() }),
      ...(problem !== '' && { 'last-problem': problem }),
    };
  }

  /** What keeps gateways from having the right AFTR, in sentences. */
  problems(): string[] {
    const enabled = this.#enabled();
    return [...this.#entries]
      .filter(([name, { aftr }]) => enabled.has(name) && aftr.problem !== '')
      .map(([name, { aftr, written }]) => `Gateway ${name}: ${aftr.problem}; ${standing(written)}.`);
  }

  #enabled(): Set<string> {
    const { gateway } = this.#parts.softwire();
    return new Set(gateway.filter(({ enabled }: Gateway) => enabled).map(({ name }) => name));
  }

  /** What has been wrong for a while, for alarms; `nowMs` is of a clock that never goes back. */
  conditions(nowMs: number): Condition[] {
    const enabled = this.#enabled();
    const wrong = [...this.#entries].filter(([name, { aftr }]) => enabled.has(name) && aftr.problem !== '');
    const names = new Set(wrong.map(([name]) => name));
    for (const name of this.#wrongSince.keys()) if (!names.has(name)) this.#wrongSince.delete(name);
    return wrong.flatMap(([name, { aftr, written }]): Condition[] => {
      const sinceMs = this.#wrongSince.get(name) ?? nowMs;
      this.#wrongSince.set(name, sinceMs);
      // What the network has said is no matter of patience.
      if (aftr.time === undefined && nowMs - sinceMs < PATIENCE_MS) return [];
      const resource = `/gi-4over6:softwire/gateway[name='${name}']`;
      return [{ resource, severity: written ? 'warning' : 'major', text: `${aftr.problem}; ${standing(written)}` }];
    });
  }

  close(): void {
    this.#isStarted = false;
    clearInterval(this.#timer);
    for (const { aftr } of this.#entries.values()) aftr.close();
    this.#entries.clear();
  }
}

function standing(written: Uint8Array | undefined): string {
  return written ? `it stays with AFTR ${formatIpv6(written)}` : 'it has no AFTR and does not forward';
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a && b ? sameIpv6(a, b) : a === b;
}

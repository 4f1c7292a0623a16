/** What the naive engine is configured with, and what it answers. It shares nothing with src/datapath. */

import type { Ipv4Prefix } from '../../src/address.ts';

export interface NaiveInstance {
  readonly name: string;
  /** Tunnel addresses. */
  readonly locals: readonly Buffer[];
  /** The AFTR of a gateway. */
  readonly remote?: Buffer | undefined;
  /** 0 for none. */
  readonly ipv4Address: number;
  readonly isPipe: boolean;
  readonly pipeDscp: number;
  readonly isEcnCompatible: boolean;
  readonly hasFlowLabel: boolean;
  readonly hopLimit: number;
  /** softwire-payload-mtu. */
  readonly payloadMtu: number;
  readonly isHairpinning: boolean;
  readonly passesSourceRoutes: boolean;
  readonly deniesIcmp: boolean;
  readonly cutsOuter: boolean;
  readonly encapsulationLimit: number | undefined;
  readonly mssClamp: number | undefined;
  readonly egressMtu: number;
  /** Counts for each binding and gateway. */
  readonly isCounting: boolean;
  /** What an AFTR answers for. */
  readonly pools: readonly Ipv4Prefix[];
  /** An instance that is not does nothing. */
  readonly isEnabled: boolean;
  /** maximum-fragments and maximum-packets-per-source of reassembly. */
  readonly mostFragments: number;
  readonly mostOfSource: number;
}

/** What a row leads to. */
export interface NaiveLead {
  readonly instance: NaiveInstance;
  readonly local: Buffer;
  readonly remote: Buffer;
}

/** A served prefix of a gateway, or a binding of an AFTR. */
export interface NaiveRow extends NaiveLead {
  readonly prefix: Ipv4Prefix;
}

export interface NaivePortSet extends NaiveLead {
  readonly psid: number;
}

/** An address that subscribers share by ports (RFC 7597 §5.1); it lies in no binding. */
export interface NaiveShared {
  readonly instance: NaiveInstance;
  readonly address: number;
  readonly psidOffset: number;
  readonly psidLength: number;
  readonly portSets: readonly NaivePortSet[];
}

export interface NaiveTable {
  readonly instances: readonly NaiveInstance[];
  readonly rows: readonly NaiveRow[];
  readonly shared: readonly NaiveShared[];
  /** Broadcast addresses of the links here. */
  readonly broadcasts: readonly number[];
  /** Other addresses of this device. */
  readonly hosts: readonly number[];
}

export interface NaiveAnswer {
  readonly end: 'forwarded' | 'hairpinned' | 'replied' | 'held' | 'dropped';
  /** In order. Identifications of fragments are zero, and flow labels where there are any. */
  readonly out: readonly Buffer[];
  /** Whose packet it is, and whose it becomes. */
  readonly from?: NaiveLead | undefined;
  readonly to?: NaiveLead | undefined;
  /** The AFTR, when the inner source is not bound to the outer one. */
  readonly violated?: NaiveInstance | undefined;
  /** It may as well be dropped: it is an ICMP error, and those are limited. */
  readonly isLimited?: boolean;
}

export const DROPPED: NaiveAnswer = { end: 'dropped', out: [] };
export const HELD: NaiveAnswer = { end: 'held', out: [] };

/** An answer to a packet of one side, and what ends with it: more than one packet where fragments were put together. */
export interface NaiveDecision extends NaiveAnswer {
  readonly packet: Buffer;
  readonly side: 4 | 6;
  readonly amount: Readonly<Amount>;
  /** Outer source. */
  readonly source: Buffer | undefined;
}

/** Packets, and their octets as received. */
export interface Amount {
  packets: number;
  octets: number;
}

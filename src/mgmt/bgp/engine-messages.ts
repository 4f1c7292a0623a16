/**
 * What this program says to GoBGP 3 and hears from it (package apipb), as far as it is used: names and numbers are those of its
 * interface, all else of the messages passes unread. `Any` holds one of the messages under "In an Any".
 */

import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
syntax = "proto3";
package apipb;

message Empty {}
message Any { string type_url = 1; bytes value = 2; }
message Family { uint32 afi = 1; uint32 safi = 2; }

message Global { uint32 asn = 1; string router_id = 2; int32 listen_port = 3; repeated string listen_addresses = 4; }
message StartBgpRequest { Global global = 1; }
message GetBgpResponse { Global global = 1; }

message PeerConf { string auth_password = 1; string neighbor_address = 4; uint32 peer_asn = 5; }
message EbgpMultihop { bool enabled = 1; uint32 multihop_ttl = 2; }
message TtlSecurity { bool enabled = 1; uint32 ttl_min = 2; }
message TimersConfig {
  uint64 connect_retry = 1; uint64 hold_time = 2; uint64 keepalive_interval = 3; uint64 idle_hold_time_after_reset = 5;
}
message Timers { TimersConfig config = 1; }
message Transport { bool passive_mode = 4; uint32 remote_port = 6; }
message GracefulRestart {
  bool enabled = 1; uint32 restart_time = 2; uint32 deferral_time = 4; bool local_restarting = 10;
}
message MpGracefulRestartConfig { bool enabled = 1; }
message MpGracefulRestartState { bool received = 2; bool end_of_rib_received = 4; }
message MpGracefulRestart { MpGracefulRestartConfig config = 1; MpGracefulRestartState state = 2; }
message AfiSafiConfig { Family family = 1; bool enabled = 2; }
message AddPathsConfig { bool receive = 1; uint32 send_max = 2; }
message AddPaths { AddPathsConfig config = 1; }
message AfiSafi { MpGracefulRestart mp_graceful_restart = 1; AfiSafiConfig config = 2; AddPaths add_paths = 10; }
message PeerState { string neighbor_address = 5; uint32 session_state = 13; repeated Any remote_cap = 18; }
message Peer {
  PeerConf conf = 2; EbgpMultihop ebgp_multihop = 3; PeerState state = 5; Timers timers = 6; Transport transport = 7;
  GracefulRestart graceful_restart = 9; repeated AfiSafi afi_safis = 10; TtlSecurity ttl_security = 11;
}
message AddPeerRequest { Peer peer = 1; }
message DeletePeerRequest { string address = 1; }
message ListPeerRequest { string address = 1; }
message ListPeerResponse { Peer peer = 1; }
message ResetPeerRequest { string address = 1; bool soft = 3; uint32 direction = 4; }

message Path {
  Any nlri = 1; repeated Any pattrs = 2; bool is_withdraw = 5; Family family = 9; bool stale = 13; string neighbor_ip = 15;
  uint32 identifier = 18;
}
message AddPathStreamRequest { uint32 table_type = 1; repeated Path paths = 3; }
message ListPathRequest { uint32 table_type = 1; string name = 2; Family family = 3; }
message Destination { string prefix = 1; repeated Path paths = 2; }
message ListPathResponse { Destination destination = 1; }

message Filter { uint32 type = 1; bool init = 2; }
message WatchPeer {}
message WatchTable { repeated Filter filters = 1; }
message WatchEventRequest { WatchPeer peer = 1; WatchTable table = 2; }
message PeerEvent { uint32 type = 1; Peer peer = 2; }
message TableEvent { repeated Path paths = 2; }
message WatchEventResponse { PeerEvent peer = 2; TableEvent table = 3; }

message MatchSet { uint32 type = 1; string name = 2; }
message Conditions {
  MatchSet neighbor_set = 2; MatchSet community_set = 5; uint32 route_type = 8; repeated string next_hop_in_list = 10;
}
message CommunityAction { uint32 type = 1; repeated string communities = 2; }
message NexthopAction { string address = 1; }
message Actions { uint32 route_action = 1; CommunityAction community = 2; NexthopAction nexthop = 6; }
message Statement { string name = 1; Conditions conditions = 2; Actions actions = 3; }
message Policy { string name = 1; repeated Statement statements = 2; }
message DefinedSet { uint32 defined_type = 1; string name = 2; repeated string list = 3; }
message PolicyAssignment { string name = 1; uint32 direction = 2; repeated Policy policies = 4; uint32 default_action = 5; }
message SetPoliciesRequest { repeated DefinedSet defined_sets = 1; repeated Policy policies = 2; }
message SetPolicyAssignmentRequest { PolicyAssignment assignment = 1; }

// In an Any.
message IPAddressPrefix { uint32 prefix_len = 1; string prefix = 2; }
message OriginAttribute { uint32 origin = 1; }
message CommunitiesAttribute { repeated uint32 communities = 1; }
message AsSegment { uint32 type = 1; repeated uint32 numbers = 2; }
message AsPathAttribute { repeated AsSegment segments = 1; }
message MpReachNLRIAttribute { Family family = 1; repeated string next_hops = 2; repeated Any nlris = 3; }
message TunnelEncapAttribute { repeated TunnelEncapTLV tlvs = 1; }
message TunnelEncapTLV { uint32 type = 1; repeated Any tlvs = 2; }
message TunnelEncapSubTLVEgressEndpoint { string address = 1; }
message ExtendedNexthopCapability { repeated ExtendedNexthopCapabilityTuple tuples = 1; }
message AddPathCapability { repeated AddPathCapabilityTuple tuples = 1; }
message AddPathCapabilityTuple { Family family = 1; uint32 mode = 2; }
message GracefulRestartCapability { uint32 flags = 1; uint32 time = 2; }
message ExtendedNexthopCapabilityTuple { Family nlri_family = 1; Family nexthop_family = 2; }
`);

const ANY = 'type.googleapis.com/apipb.';
const OPTIONS = { defaults: true, longs: Number, arrays: true } as const;

export interface Family {
  readonly afi: number;
  readonly safi: number;
}

export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface Path {
  readonly nlri: AnyMessage | null;
  readonly pattrs: readonly AnyMessage[];
  readonly isWithdraw: boolean;
  readonly stale: boolean;
  readonly neighborIp: string;
  /** Of several paths of one prefix (RFC 7911 section 3); 0 where the session has but one. */
  readonly identifier: number;
}

export interface Peer {
  readonly conf: { readonly neighborAddress: string } | null;
  readonly state: {
    readonly neighborAddress: string;
    /** 1 is idle, 6 is established. */
    readonly sessionState: number;
    readonly remoteCap: readonly AnyMessage[];
  } | null;
  readonly afiSafis: readonly {
    readonly mpGracefulRestart: {
      readonly state: { readonly received: boolean; readonly endOfRibReceived: boolean } | null;
    } | null;
  }[];
}

export interface WatchEvent {
  readonly peer: { readonly type: number; readonly peer: Peer | null } | null;
  readonly table: { readonly paths: readonly Path[] } | null;
}

export const IPV4_UNICAST: Family = { afi: 1, safi: 1 };

/** A message as octets. */
export function encode(name: string, message: object): Buffer {
  const type = root.lookupType(`apipb.${name}`);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}

/** The message in octets; names in camel case, absent messages null. @throws Error for what is no message */
export function decode(name: string, octets: Uint8Array): unknown {
  const type = root.lookupType(`apipb.${name}`);
  return type.toObject(type.decode(octets), OPTIONS);
}

export function anyOf(name: string, message: object): AnyMessage {
  return { typeUrl: ANY + name, value: encode(name, message) };
}

/** The messages of one name in a list of Any. */
export function namedIn<Message>(list: readonly AnyMessage[], name: string): Message[] {
  return list.filter(({ typeUrl }) => typeUrl === ANY + name).map(({ value }) => decode(name, value) as Message);
}

#include "forward.h"

#include <cstring>

namespace {

constexpr int kOuterWords = 10, kOuterOctets = 40;
constexpr uint32_t kSoftwireMask = 0xffff;
enum SoftwireWord { kLocal = 2, kInstance = 10, kFlags = 11, kPayloadMtu = 12, kSizes = 14 };
constexpr uint32_t kPipe = 2, kEcnCompatibility = 4, kFlowLabel = 8;
constexpr uint32_t kMoreOrOffset = 0xff3f0000;
// 169.254, as the first half of a word of a packet.
constexpr uint32_t kLinkLocal = 0xfea9;

// Fields that leave, by inner (rows) and outer ECN (columns): RFC 6040 figure 4. 4: not for the fast path.
constexpr uint8_t kEcn[16] = {0, 4, 4, 4, 1, 1, 1, 3, 2, 1, 2, 3, 3, 4, 3, 3};

uint32_t Softwire(const Tables& tables, int32_t row) { return tables.rows[row * 8 + 4] & kSoftwireMask; }

bool IsHost(uint32_t address) {
  const uint32_t first = address & 0xff;
  return first - 1 < 223 && first != 127 && (address & 0xffff) != kLinkLocal;
}

bool IsPlainIpv4(const uint32_t* ip, uint32_t len) {
  if (len < 20 || (ip[0] & 0xff) != 0x45) return false;
  if ((__builtin_bswap32(ip[0]) & 0xffff) != len) return false;
  uint64_t sum = static_cast<uint64_t>(ip[0]) + ip[1] + ip[2] + ip[3] + ip[4];
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff && IsHost(ip[3]) && IsHost(ip[4]);
}

// Whether an address of the packet may be one of this device.
bool MayTouchOwn(const uint32_t* own, const uint32_t* ip) {
  const uint32_t source = ip[3] * 0x9e3779b1u, destination = ip[4] * 0x9e3779b1u;
  return ((own[source >> 22] >> ((source >> 17) & 31) | own[destination >> 22] >> ((destination >> 17) & 31)) & 1) != 0;
}

uint32_t FlowLabel(const uint32_t* ip, uint32_t len, uint32_t key) {
  const uint32_t protocol = (ip[2] >> 8) & 0xff;
  const bool has_ports = (protocol == 6 || protocol == 17) && (ip[1] & kMoreOrOffset) == 0 && len >= 24;
  uint32_t x =
      (ip[3] ^ key) * 0x9e3779b1u ^ (ip[4] + key) * 0x85ebca77u ^ ((has_ports ? ip[5] : 0) + protocol) * 0xc2b2ae3du;
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  const uint32_t label = (x ^ (x >> 16)) >> 12;
  return label == 0 ? 1 : label;
}

// Looks all keys up, a level at a time, so that cache misses of different packets overlap.
void LookUp(const Tables& tables, const uint32_t* keys, int32_t* rows, int count) {
  for (int k = 0; k < count; k++) rows[k] = tables.first[__builtin_bswap32(keys[k]) >> 8];
  for (int k = 0; k < count; k++)
    if (rows[k] < 0) rows[k] = tables.blocks[-rows[k] * 16 + (keys[k] >> 28)];
  for (int k = 0; k < count; k++)
    if (rows[k] < 0) rows[k] = tables.blocks[-rows[k] * 16 + ((keys[k] >> 24) & 15)];
}

bool Encapsulate(const Forwarder& forwarder, uint32_t* ip, uint32_t len, int32_t row, uint32_t softwire) {
  const Tables& tables = forwarder.tables;
  const uint32_t* own = reinterpret_cast<const uint32_t*>(tables.softwires) + softwire * 16;
  if (row == 0 || !IsPlainIpv4(ip, len) || (ip[2] & 0xff) == 0 || MayTouchOwn(tables.own, ip)) return false;
  if (len > own[kPayloadMtu] || (own[kFlags] & (kPipe | kEcnCompatibility)) != 0) return false;
  uint32_t* outer = ip - kOuterWords;
  const uint32_t label = (own[kFlags] & kFlowLabel) != 0 ? FlowLabel(ip, len, forwarder.flow_key) : 0;
  outer[0] = __builtin_bswap32(6u << 28 | ((ip[0] >> 8) & 0xff) << 20 | label);
  outer[1] = own[1] | len >> 8 | (len & 0xff) << 8;
  memcpy(outer + 2, own + kLocal, 16);
  memcpy(outer + 6, tables.rows + row * 8, 16);
  return true;
}

bool Decapsulate(const Tables& tables, uint32_t* outer, uint32_t len, int32_t row, uint32_t softwire) {
  const uint32_t* own = reinterpret_cast<const uint32_t*>(tables.softwires) + softwire * 16;
  uint32_t* ip = outer + kOuterWords;
  if (row == 0 || (outer[0] >> 4 & 15) != 6 || (outer[1] >> 16 & 0xff) != 4) return false;
  if ((__builtin_bswap32(outer[1]) >> 16) != len - kOuterOctets || !IsPlainIpv4(ip, len - kOuterOctets)) return false;
  if (memcmp(outer + 2, tables.rows + row * 8, 16) != 0 || memcmp(outer + 6, own + kLocal, 16) != 0) return false;
  if ((ip[2] & 0xff) <= 1 || MayTouchOwn(tables.own, ip) || len - kOuterOctets > (own[kSizes] & 0xffff)) return false;
  const uint32_t tos = ip[0] >> 8 & 0xff, outer_class = __builtin_bswap32(outer[0]) >> 20 & 0xff;
  const uint32_t ecn = kEcn[(tos & 3) << 2 | (outer_class & 3)];
  if (ecn > 3) return false;
  const uint32_t leaving = (((own[kFlags] & kPipe) != 0 ? tos : outer_class) & 0xfc) | ecn;
  if (leaving != tos) {
    // RFC 1624: of a changed word the checksum loses the old and gains the new.
    uint32_t sum = (~(ip[2] >> 16) & 0xffff) + (~(ip[0] & 0xffff) & 0xffff) + (0x45 | leaving << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip[2] = (ip[2] & 0xffff) | ~sum << 16;
    ip[0] = (ip[0] & 0xffff00ff) | leaving << 8;
  }
  return true;
}

}  // namespace

int Forward(Forwarder* forwarder, int count) {
  const Tables& tables = forwarder->tables;
  const Batch& batch = forwarder->batch;
  uint32_t keys[kMaxBatch], others[kMaxBatch], softwires[kMaxBatch];
  int32_t other_rows[kMaxBatch];
  uint32_t all_others = 0;
  for (int k = 0; k < count; k++) {
    const uint32_t* packet = batch.words + (batch.at[k] >> 2);
    batch.sides[k] = packet[0] >> 4 & 15;
    const bool is_ipv4 = batch.sides[k] == 4;
    keys[k] = is_ipv4 ? packet[4] : packet[kOuterWords + 3];
    others[k] = is_ipv4 ? 0 : packet[kOuterWords + 4];
    all_others |= others[k];
  }
  LookUp(tables, keys, batch.rows, count);
  if (all_others != 0) {
    LookUp(tables, others, other_rows, count);
  } else {
    memset(other_rows, 0, static_cast<size_t>(count) * sizeof *other_rows);
  }
  for (int k = 0; k < count; k++) softwires[k] = Softwire(tables, batch.rows[k]);
  int forwarded = 0;
  for (int k = 0; k < count; k++) {
    const bool is_ipv4 = batch.sides[k] == 4;
    const uint32_t len = batch.lengths[k];
    uint32_t* packet = batch.words + (batch.at[k] >> 2);
    const bool is_good =
        other_rows[k] == 0 && (is_ipv4 ? Encapsulate(*forwarder, packet, len, batch.rows[k], softwires[k])
                                       : Decapsulate(tables, packet, len, batch.rows[k], softwires[k]));
    if (!is_good) continue;
    const int32_t shift = is_ipv4 ? -kOuterOctets : kOuterOctets;
    int32_t* output = batch.output + forwarded * 4;
    output[0] = batch.at[k] + shift;
    output[1] = static_cast<int32_t>(len) - shift;
    output[2] = output[3] = 0;
    batch.owners[forwarded++] = k;
    batch.verdicts[k] = 0;
    batch.instances[k] = tables.softwires[softwires[k] * 16 + kInstance];
    Counter* counter = &forwarder->counters[batch.instances[k] & (kInstances - 1)][is_ipv4 ? 0 : 1];
    counter->packets++;
    counter->octets += len;
  }
  return forwarded;
}

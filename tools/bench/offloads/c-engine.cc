// A 4over6 engine as one would write it in C++ without offloads: one packet read, one packet written, a small table.
// What the engine is compared with where a bare loop would not do, as packets must come out of the tunnel again.
//
//   c-engine gateway|aftr DEVICE OWN-IPV6 PREFIX/LENGTH PEER-IPV6 [PREFIX/LENGTH PEER-IPV6]...
//
// The table leads from the IPv4 addresses of end devices to the other end of the tunnel: a gateway looks the source of
// what it encapsulates up, an AFTR the destination. It checks what must be (versions, lengths, header checksum, TTL,
// that a packet comes from the end of the tunnel that its inner address is bound to) and takes DSCP, ECN and flow label
// along; what does not pass is dropped. Until its input ends; `ready` is printed when the device is there.

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kOuter = 40, kMostBindings = 64, kPacketMost = 65535;

struct Binding {
  uint32_t address, mask;  // as in the packet
  in6_addr peer;
};

struct Engine {
  bool is_gateway;
  in6_addr own;
  Binding bindings[kMostBindings];
  int count;
};

uint32_t Word(const unsigned char* at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

const Binding* Find(const Engine& engine, uint32_t address) {
  for (int i = 0; i < engine.count; i++)
    if ((address & engine.bindings[i].mask) == engine.bindings[i].address) return &engine.bindings[i];
  return nullptr;
}

bool IsGoodIpv4(const unsigned char* ip, ssize_t len) {
  if (len < 20 || ip[0] != 0x45 || (ip[2] << 8 | ip[3]) != len || ip[8] <= 1) return false;
  uint64_t sum = 0;
  for (int i = 0; i < 20; i += 4) sum += Word(ip + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

uint32_t FlowLabel(const unsigned char* ip, ssize_t len) {
  const bool has_ports = (ip[9] == 6 || ip[9] == 17) && ((ip[6] & 0x3f) | ip[7]) == 0 && len >= 24;
  uint32_t x =
      Word(ip + 12) * 0x9e3779b1u ^ Word(ip + 16) * 0x85ebca77u ^ (has_ports ? Word(ip + 20) : 0) * 0xc2b2ae3du;
  x = (x ^ x >> 16) * 0x85ebca6bu;
  return (x ^ x >> 13) & 0xfffff;
}

// The outer header goes before `ip`, where there is room for it.
bool Encapsulate(const Engine& engine, unsigned char* ip, ssize_t len) {
  if (!IsGoodIpv4(ip, len)) return false;
  const Binding* binding = Find(engine, Word(ip + (engine.is_gateway ? 12 : 16)));
  if (!binding) return false;
  unsigned char* outer = ip - kOuter;
  const uint32_t first = htonl(6u << 28 | static_cast<uint32_t>(ip[1]) << 20 | FlowLabel(ip, len));
  memcpy(outer, &first, 4);
  outer[4] = static_cast<unsigned char>(len >> 8);
  outer[5] = static_cast<unsigned char>(len);
  outer[6] = 4;
  outer[7] = 64;
  memcpy(outer + 8, &engine.own, 16);
  memcpy(outer + 24, &binding->peer, 16);
  return true;
}

bool Decapsulate(const Engine& engine, const unsigned char* outer, ssize_t len) {
  if (len < kOuter + 20 || outer[6] != 4 || (outer[4] << 8 | outer[5]) != len - kOuter) return false;
  const unsigned char* ip = outer + kOuter;
  if (!IsGoodIpv4(ip, len - kOuter) || memcmp(outer + 24, &engine.own, 16) != 0) return false;
  // Of all marks only CE changes what is inside (RFC 6040 §4.2); what carries it is not for this engine.
  if ((outer[1] >> 4 & 3) == 3) return false;
  const Binding* binding = Find(engine, Word(ip + (engine.is_gateway ? 16 : 12)));
  return binding && memcmp(outer + 8, &binding->peer, 16) == 0;
}

// The queue of a device that is there; a device that stays keeps its offloads, so that none is said too.
int OpenTun(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq request{};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, 0UL) < 0) {
    perror(name);
    exit(1);
  }
  return fd;
}

bool ReadTable(Engine* engine, int count, char** words) {
  for (; engine->count < kMostBindings && count >= 2; count -= 2, words += 2) {
    Binding* binding = &engine->bindings[engine->count++];
    char* slash = strchr(words[0], '/');
    if (!slash) return false;
    *slash = 0;
    const int length = atoi(slash + 1);
    in_addr address;
    if (inet_pton(AF_INET, words[0], &address) != 1 || inet_pton(AF_INET6, words[1], &binding->peer) != 1) return false;
    binding->mask = length == 0 ? 0 : htonl(~0u << (32 - length));
    binding->address = address.s_addr & binding->mask;
  }
  return engine->count > 0;
}

void ForwardWaiting(const Engine& engine, int fd) {
  static unsigned char memory[kOuter + kPacketMost];
  unsigned char* packet = memory + kOuter;
  ssize_t len;
  while ((len = read(fd, packet, kPacketMost)) > 0) {
    ssize_t written = 0;
    if (packet[0] >> 4 == 4 && Encapsulate(engine, packet, len)) {
      written = write(fd, packet - kOuter, static_cast<size_t>(len + kOuter));
    } else if (packet[0] >> 4 == 6 && Decapsulate(engine, packet, len)) {
      written = write(fd, packet + kOuter, static_cast<size_t>(len - kOuter));
    }
    if (written < 0 && errno == EBADFD) exit(0);
  }
}

}  // namespace

int main(int count, char** words) {
  static Engine engine{};
  engine.is_gateway = count > 1 && strcmp(words[1], "gateway") == 0;
  if (count < 6 || inet_pton(AF_INET6, words[3], &engine.own) != 1 || !ReadTable(&engine, count - 4, words + 4)) {
    fprintf(stderr, "usage: c-engine gateway|aftr DEVICE OWN-IPV6 PREFIX/LENGTH PEER-IPV6...\n");
    return 2;
  }
  const int fd = OpenTun(words[2]);
  printf("ready\n");
  fflush(stdout);
  pollfd waits[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    ForwardWaiting(engine, fd);
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return 1;
    if (waits[1].revents != 0) return 0;
  }
}

// The two ends of a link as a load generator has them: frames go out past the queue, and what comes in is in a ring
// that it shares with the kernel, with the kernel's time of arrival.
#pragma once

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

[[noreturn]] inline void fail(const char* what) {
  perror(what);
  exit(1);
}

/** Nanoseconds of CLOCK_REALTIME, the clock that the kernel stamps arrivals with. */
inline int64_t now() {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/** A packet socket on a link; with protocol 0 nothing comes in. */
inline int openLink(const std::string& link, uint16_t protocol, int fd = socket(AF_PACKET, SOCK_RAW, 0)) {
  if (fd < 0) fail("socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(if_nametoindex(link.c_str()));
  if (address.sll_ifindex == 0) fail(link.c_str());
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("bind");
  return fd;
}

/** For frames that go out, with a buffer of so many octets. */
inline int openSendingLink(const std::string& link, int buffer) {
  const int fd = openLink(link, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  return fd;
}

/** What comes in on a link: its first octets, at most FRAME_LEN with the header of the kernel. */
template <unsigned FRAME_LEN>
class PacketRing {
 public:
  void open(const std::string& link, uint16_t protocol) {
    fd_ = socket(AF_PACKET, SOCK_RAW, 0);
    if (fd_ < 0) fail("socket");
    int version = TPACKET_V2;
    if (setsockopt(fd_, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) fail("PACKET_VERSION");
    tpacket_req ring{};
    ring.tp_block_size = BLOCK_LEN;
    ring.tp_block_nr = FRAMES * FRAME_LEN / BLOCK_LEN;
    ring.tp_frame_size = FRAME_LEN;
    ring.tp_frame_nr = FRAMES;
    if (setsockopt(fd_, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) < 0) fail("PACKET_RX_RING");
    const size_t len = static_cast<size_t>(FRAMES) * FRAME_LEN;
    void* memory = mmap(nullptr, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
    if (memory == MAP_FAILED) fail("mmap");
    frames_ = static_cast<uint8_t*>(memory);
    openLink(link, protocol, fd_);
  }

  /** Gives each frame that has come to `take`, a bounded number of them. */
  template <typename Take>
  void drain(Take take) {
    for (unsigned i = 0; i < AT_ONCE; i++) {
      auto* header = reinterpret_cast<tpacket2_hdr*>(frames_ + static_cast<size_t>(next_) * FRAME_LEN);
      if (!(__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) return;
      take(*header);
      __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
      next_ = (next_ + 1) % FRAMES;
    }
  }

  /** Frames that found no room since it was asked last. */
  unsigned takeOverruns() const {
    tpacket_stats kernel{};
    socklen_t len = sizeof kernel;
    getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &kernel, &len);
    return kernel.tp_drops;
  }

 private:
  static constexpr unsigned FRAMES = 65536;
  static constexpr unsigned BLOCK_LEN = 1 << 20;
  static constexpr unsigned AT_ONCE = 256;
  int fd_ = -1;
  uint8_t* frames_ = nullptr;
  uint32_t next_ = 0;
};

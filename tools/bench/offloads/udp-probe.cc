// UDP of the benches, one of
//
//   udp-probe echo PORT                             sends each datagram back
//   udp-probe ask ADDRESS PORT COUNT PAUSE-US       sends one, waits for it, pauses, as often as that; prints the round
//   trips that
//                                                   were not lost, in nanoseconds, as JSON: {"sent":N,"ns":[...]}
//   udp-probe count PORT                            receives until its input ends; prints {"datagrams":N,"octets":N}
//   udp-probe flood ADDRESS PORT SECONDS SIZE       sends datagrams of SIZE octets, as many in a call as UDP_SEGMENT
//   takes, as
//                                                   fast as it can; prints {"datagrams":N}
//
// `echo` and `count` print `ready` first; `echo` ends with its input, too.

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace {

constexpr int kLostMs = 200, kAskOctets = 18, kMostSegments = 45, kBufferOctets = 8 << 20;
unsigned char buffer[65536];

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

int Fail(const char* what) {
  perror(what);
  exit(1);
}

int Bound(const char* port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(port)));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferOctets, sizeof kBufferOctets);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) Fail("bind");
  printf("ready\n");
  fflush(stdout);
  return fd;
}

int Connected(const char* address, const char* port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(atoi(port)));
  if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) Fail(address);
  if (connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof peer) < 0) Fail("connect");
  return fd;
}

// Whether datagrams wait; false when the input has ended.
bool Await(int fd) {
  pollfd waits[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (poll(waits, 2, -1) < 0)
    if (errno != EINTR) Fail("poll");
  return waits[1].revents == 0;
}

int Echo(const char* port) {
  const int fd = Bound(port);
  while (Await(fd)) {
    sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t len;
    while ((len = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length)) >= 0)
      sendto(fd, buffer, static_cast<size_t>(len), 0, reinterpret_cast<sockaddr*>(&from), length);
  }
  return 0;
}

// The nanoseconds until datagram `number` was back, or -1.
int64_t AskOnce(int fd, int number) {
  memcpy(buffer, &number, sizeof number);
  const int64_t began = Now();
  if (send(fd, buffer, kAskOctets, 0) != kAskOctets) return -1;
  for (pollfd wait = {fd, POLLIN, 0}; poll(&wait, 1, kLostMs) > 0;) {
    const ssize_t len = recv(fd, buffer, sizeof buffer, 0);
    const int64_t took = Now() - began;
    int answered = -1;
    if (len == kAskOctets) memcpy(&answered, buffer, sizeof answered);
    // What was given up for lost may come yet.
    if (answered == number) return took;
  }
  return -1;
}

int Ask(char** words) {
  const int fd = Connected(words[0], words[1]);
  const int count = atoi(words[2]), pause_us = atoi(words[3]);
  std::vector<int64_t> times;
  for (int number = 0; number < count; number++) {
    const int64_t took = AskOnce(fd, number);
    if (took >= 0) times.push_back(took);
    usleep(static_cast<useconds_t>(pause_us));
  }
  printf("{\"sent\":%d,\"ns\":[", count);
  for (size_t i = 0; i < times.size(); i++) printf(i == 0 ? "%lld" : ",%lld", static_cast<long long>(times[i]));
  printf("]}\n");
  return 0;
}

int Count(const char* port) {
  const int fd = Bound(port);
  int64_t datagrams = 0, octets = 0;
  for (bool goes_on = true; goes_on;) {
    goes_on = Await(fd);
    // Once more when the input has ended: the socket may hold what came meanwhile.
    ssize_t len;
    while ((len = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) >= 0) {
      datagrams++;
      octets += len;
    }
  }
  printf("{\"datagrams\":%lld,\"octets\":%lld}\n", static_cast<long long>(datagrams), static_cast<long long>(octets));
  return 0;
}

int Flood(char** words) {
  const int fd = Connected(words[0], words[1]);
  const double seconds = atof(words[2]);
  const int size = atoi(words[3]);
  const int segments = size <= 0 ? 0 : static_cast<int>(sizeof buffer - 600) / size;
  const int count = segments < kMostSegments ? segments : kMostSegments;
  if (count == 0 || setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) < 0) Fail("UDP_SEGMENT");
  const int64_t end = Now() + static_cast<int64_t>(seconds * 1e9);
  int64_t datagrams = 0;
  while (Now() < end) {
    if (send(fd, buffer, static_cast<size_t>(count * size), 0) >= 0)
      datagrams += count;
    else if (errno != ENOBUFS && errno != ECONNREFUSED)
      Fail("send");
  }
  printf("{\"datagrams\":%lld}\n", static_cast<long long>(datagrams));
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const auto is = [&](const char* name, int needed) { return count == needed && strcmp(words[1], name) == 0; };
  if (is("echo", 3)) return Echo(words[2]);
  if (is("ask", 6)) return Ask(words + 2);
  if (is("count", 3)) return Count(words[2]);
  if (is("flood", 6)) return Flood(words + 2);
  fprintf(
      stderr,
      "usage: udp-probe echo PORT | ask ADDRESS PORT COUNT PAUSE-US | count PORT | flood ADDRESS PORT SECONDS SIZE\n");
  return 2;
}

// Load for as long as it is wanted: sends frames of files in turn, counts what comes out behind the device under test,
// and says where nothing came for a while and whether that was the generator's or the machine's own doing.
//
//   load-generator RATE GAP_MS WATCHED_CORE STREAM...     STREAM = TX_LINK,FRAMES_FILE,RX_LINK,RX_PROTOCOL,RX_LEN
//
// 1. A file holds two 32-bit words, number and length of the frames, and then the frames. RATE is frames a second and
//    stream, 0 as fast as it goes. Whoever is late by more than LATE_NS does not catch up: a burst is not that rate.
//    With nothing to do it sleeps: what is left of its core is for others.
// 2. What comes with RX_PROTOCOL and RX_LEN octets to RX_LINK is counted, with the kernel's time of its arrival.
// 3. A gap is a time of GAP_MS and more without an arrival. `ownMs` is the longest time meanwhile in which the
// generator
//    itself sent nothing, `machineMs` the longest by which a thread that only sleeps woke too late on WATCHED_CORE,
//    that of the device.
// 4. Each second a line of JSON, with the counts so far and the gaps of that second. Times are milliseconds of
// CLOCK_REALTIME.
// 5. When its input ends it sends no more, waits DRAIN_NS for late frames, and writes the last line.

#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "../packet-link.h"

namespace {

constexpr unsigned BATCH = 64;
constexpr unsigned RING_FRAME_LEN = 128;
constexpr int SEND_BUFFER = 64 << 20;
constexpr int64_t MS = 1000000;
constexpr int64_t SECOND = 1000 * MS;
constexpr int64_t LATE_NS = MS;
constexpr int64_t DRAIN_NS = SECOND / 2;
constexpr int64_t WATCH_NS = 5 * MS;
constexpr int64_t PAUSE_NS = MS / 20;

/** Pauses, the last of them open; the longest part of one that lies in a span can be asked for. One thread adds,
 * another asks. */
class Pauses {
 public:
  void open(int64_t from) { open_.store(from, std::memory_order_release); }

  void add(int64_t from, int64_t until) {
    const unsigned at = count_.load(std::memory_order_relaxed) % KEPT;
    from_[at].store(from, std::memory_order_relaxed);
    until_[at].store(until, std::memory_order_relaxed);
    count_.fetch_add(1, std::memory_order_release);
  }

  int64_t longestIn(int64_t from, int64_t until) const {
    const uint64_t count = std::min<uint64_t>(count_.load(std::memory_order_acquire), KEPT);
    const int64_t open = open_.load(std::memory_order_acquire);
    int64_t longest = open == 0 ? 0 : std::max<int64_t>(0, until - std::max(from, open));
    for (unsigned i = 0; i < count; i++) {
      const int64_t begin = std::max(from, from_[i].load(std::memory_order_relaxed));
      longest = std::max(longest, std::min(until, until_[i].load(std::memory_order_relaxed)) - begin);
    }
    return longest;
  }

 private:
  static constexpr unsigned KEPT = 1024;
  std::atomic<int64_t> from_[KEPT] = {}, until_[KEPT] = {};
  std::atomic<uint64_t> count_{0};
  std::atomic<int64_t> open_{0};
};

/** Only what is as long as this is worth keeping: many short pauses would push out long ones. */
constexpr int64_t KEPT_PAUSE_NS = 10 * MS;

/** What is sent on one port and comes back on the other. */
class Stream {
 public:
  explicit Stream(const std::vector<std::string>& words) : receivedLen_(std::stoul(words[4])) {
    readFrames(words[1]);
    ring_.open(words[2], words[3] == "6" ? ETH_P_IPV6 : ETH_P_IP);
    sender_ = openSendingLink(words[0], SEND_BUFFER);
    for (unsigned k = 0; k < BATCH; k++) {
      messages_[k].msg_hdr.msg_iov = &vectors_[k];
      messages_[k].msg_hdr.msg_iovlen = 1;
    }
  }

  void start(int64_t at, double rate) {
    startNs_ = lastSentNs_ = lastReceivedNs_ = at;
    rate_ = rate;
  }

  /** Whether there was something to send. */
  bool sendDue(int64_t time) {
    uint64_t count = BATCH;
    if (rate_ > 0) {
      const uint64_t most = std::max<uint64_t>(1, static_cast<uint64_t>(rate_ * LATE_NS * 1e-9));
      uint64_t due = static_cast<uint64_t>(static_cast<double>(time - startNs_) * 1e-9 * rate_) + 1;
      if (due > paced_ + most) {
        startNs_ = time;
        paced_ = 0;
        due = most;
        late_++;
      }
      if (due <= paced_) return false;
      count = std::min<uint64_t>(due - paced_, BATCH);
    }
    for (unsigned k = 0; k < count; k++) {
      vectors_[k] = {&frames_[static_cast<size_t>((sent_ + k) % count_) * length_], length_};
    }
    const int done = sendmmsg(sender_, messages_, static_cast<unsigned>(count), MSG_DONTWAIT);
    // A link that is down is one of the things that happen to it.
    const bool isUsual = errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == ENETDOWN || errno == ENXIO;
    if (done < 0 && !isUsual) fail("sendmmsg");
    if (done <= 0) return true;
    sent_ += static_cast<uint64_t>(done);
    paced_ += static_cast<uint64_t>(done);
    const int64_t sentAt = now();
    if (sentAt - lastSentNs_ >= KEPT_PAUSE_NS) pauses_.add(lastSentNs_, sentAt);
    lastSentNs_ = sentAt;
    pauses_.open(sentAt);
    return true;
  }

  /** Takes what has come, a bounded number. */
  void receive(int64_t gapNs, const Pauses& machine) {
    ring_.drain([&](const tpacket2_hdr& header) {
      if (header.tp_len != receivedLen_) return;
      received_++;
      const int64_t at = header.tp_sec * SECOND + header.tp_nsec;
      if (at - lastReceivedNs_ >= gapNs) note(lastReceivedNs_, at, machine);
      lastReceivedNs_ = std::max(lastReceivedNs_, at);
    });
  }

  /** Whether a gap at the end is one: what the sender did not send cannot come. */
  void end(int64_t gapNs, const Pauses& machine) {
    if (lastSentNs_ - lastReceivedNs_ >= gapNs) note(lastReceivedNs_, lastSentNs_, machine);
  }

  void print() {
    overruns_ += ring_.takeOverruns();
    printf("{\"sent\":%llu,\"received\":%llu,\"overruns\":%llu,\"late\":%llu,\"gaps\":[%s]}", number(sent_),
           number(received_), number(overruns_), number(late_), gaps_.c_str());
    gaps_.clear();
  }

 private:
  static unsigned long long number(uint64_t value) { return value; }

  void note(int64_t from, int64_t until, const Pauses& machine) {
    char text[160];
    const double own = static_cast<double>(pauses_.longestIn(from, until)) / MS;
    const double late = static_cast<double>(machine.longestIn(from, until)) / MS;
    snprintf(text, sizeof text, "%s{\"atMs\":%.1f,\"lengthMs\":%.1f,\"ownMs\":%.1f,\"machineMs\":%.1f}",
             gaps_.empty() ? "" : ",", static_cast<double>(from) / MS, static_cast<double>(until - from) / MS, own,
             late);
    gaps_ += text;
  }

  void readFrames(const std::string& file) {
    FILE* in = fopen(file.c_str(), "rb");
    uint32_t head[2];
    if (!in || fread(head, sizeof head, 1, in) != 1 || head[0] == 0) fail(file.c_str());
    count_ = head[0];
    length_ = head[1];
    frames_.resize(static_cast<size_t>(count_) * length_);
    if (fread(frames_.data(), frames_.size(), 1, in) != 1) fail(file.c_str());
    fclose(in);
  }

  const uint32_t receivedLen_;
  uint32_t count_ = 0, length_ = 0;
  std::vector<uint8_t> frames_;
  iovec vectors_[BATCH] = {};
  mmsghdr messages_[BATCH] = {};
  int sender_ = -1;
  PacketRing<RING_FRAME_LEN> ring_;
  double rate_ = 0;
  int64_t startNs_ = 0, lastSentNs_ = 0, lastReceivedNs_ = 0;
  uint64_t sent_ = 0, paced_ = 0, received_ = 0, overruns_ = 0, late_ = 0;
  Pauses pauses_;
  std::string gaps_;
};

/** Sleeps on a core and notes how much too late it wakes. */
void watchCore(int core, Pauses& late) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
  // The generator may run in real time; what is watched does not.
  const sched_param ordinary{};
  if (sched_setscheduler(0, SCHED_OTHER, &ordinary) < 0) fail("sched_setscheduler");
  for (;;) {
    const int64_t due = now() + WATCH_NS;
    late.open(due);
    const timespec time{0, WATCH_NS};
    nanosleep(&time, nullptr);
    const int64_t woken = now();
    if (woken - due >= KEPT_PAUSE_NS) late.add(due, woken);
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char letter : text) {
    if (letter == ',')
      words.emplace_back();
    else
      words.back() += letter;
  }
  return words;
}

void printAll(const std::vector<Stream*>& streams, double seconds) {
  printf("{\"seconds\":%.6f,\"streams\":[", seconds);
  for (size_t i = 0; i < streams.size(); i++) {
    if (i > 0) printf(",");
    streams[i]->print();
  }
  printf("]}\n");
  fflush(stdout);
}

bool isInputOver() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char octet;
  return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &octet, 1) <= 0;
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) {
    fprintf(stderr, "usage: load-generator RATE GAP_MS WATCHED_CORE STREAM...\n");
    return 2;
  }
  const double rate = strtod(words[1], nullptr);
  const int64_t gapNs = strtoll(words[2], nullptr, 10) * MS;
  static Pauses machine;
  std::vector<Stream*> streams;
  for (int i = 4; i < count; i++) {
    const auto parts = split(words[i]);
    if (parts.size() != 5) {
      fprintf(stderr, "%s: expected five fields\n", words[i]);
      return 2;
    }
    streams.push_back(new Stream(parts));
  }
  std::thread(watchCore, atoi(words[3]), std::ref(machine)).detach();
  prctl(PR_SET_TIMERSLACK, 1);
  const int64_t start = now();
  int64_t nextLine = start + SECOND, nextLook = start;
  for (Stream* stream : streams) stream->start(start, rate);
  for (;;) {
    const int64_t time = now();
    bool isIdle = true;
    for (Stream* stream : streams) {
      isIdle = !stream->sendDue(time) && isIdle;
      stream->receive(gapNs, machine);
    }
    if (time >= nextLine) {
      printAll(streams, static_cast<double>(time - start) / SECOND);
      nextLine += SECOND;
    }
    if (time >= nextLook) {
      if (isInputOver()) break;
      nextLook = time + MS;
    }
    const timespec pause{0, PAUSE_NS};
    if (isIdle) nanosleep(&pause, nullptr);
  }
  const int64_t sentUntil = now();
  while (now() < sentUntil + DRAIN_NS) {
    for (Stream* stream : streams) stream->receive(gapNs, machine);
    const timespec pause{0, PAUSE_NS};
    nanosleep(&pause, nullptr);
  }
  for (Stream* stream : streams) stream->end(gapNs, machine);
  printAll(streams, static_cast<double>(sentUntil - start) / SECOND);
  return 0;
}

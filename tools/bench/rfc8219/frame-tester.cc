// The tester of RFC 8219 (section 4) as two Ethernet ports of one process: sends test frames at a rate, receives them
// behind the device under test, and says exactly how many did not come back and how long the others took.
//
//   frame-tester FRAMES RATE DRAIN_MS TAGS TRIAL STREAM...     STREAM =
//   TX_LINK,FLOWS_FILE,LEN,RX_LINK,RX_PROTOCOL,RX_LEN,RX_TAG_AT
//
// 1. Frames of LEN octets (without FCS) are sent on TX_LINK, their headers taken in turn from FLOWS_FILE: two 32-bit
// words, number and
//    length of the headers, then the headers. Each header ends with UDP's; the tag of 18 octets follows it.
// 2. RATE is frames a second and stream, 0 as fast as it goes. Whoever is late by more than LATE_NS does not catch up:
// a burst is not
//    the rate that was asked for. So the trial becomes longer, and `seconds` says so.
// 3. A received frame counts when its length and tag are those of this trial, each sequence number once.
// 4. The kernel's time of arrival less the time before the call that sent the frame is its latency (store and forward,
// RFC 1242,
//    with the tester's own time in it). TAGS frames, evenly spread, are sent in a call of their own: these are RFC
//    8219's tagged frames.
// 5. When all are sent it waits for late ones: until all are there, but DRAIN_MS at most. Then one line of JSON.

#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "../packet-link.h"

namespace {

constexpr unsigned BATCH = 64;
constexpr unsigned RING_FRAME_LEN = 256;
constexpr int SEND_BUFFER = 256 << 20;
constexpr int64_t LATE_NS = 500000;
constexpr unsigned MAX_FRAME_LEN = 16384;
/** Latencies are kept in steps of this many nanoseconds, so many of them; what took longer is in the last. */
constexpr int64_t STEP_NS = 100;
constexpr size_t STEPS = 1000000;
constexpr uint16_t MAGIC = 0x8219;

/** What follows the UDP header of each test frame; read by this program alone, on the same machine. */
struct __attribute__((packed)) Tag {
  uint16_t magic;
  uint16_t trial;
  uint8_t stream;
  uint8_t isTagged;
  uint32_t sequence;
  int64_t sentNs;
};
static_assert(sizeof(Tag) == 18);

/** One direction: what is sent on one port and comes back on the other. */
class Stream {
 public:
  Stream(uint8_t number, uint16_t trial, uint32_t frames, uint32_t tags, const std::vector<std::string>& words)
      : number_(number), trial_(trial), frames_(frames), tags_(tags), seen_(frames), steps_(STEPS) {
    frameLen_ = static_cast<uint32_t>(std::stoul(words[2]));
    receivedLen_ = static_cast<uint32_t>(std::stoul(words[5]));
    tagAt_ = static_cast<uint32_t>(std::stoul(words[6]));
    readFlows(words[1]);
    ring_.open(words[3], words[4] == "6" ? ETH_P_IPV6 : ETH_P_IP);
    openSender(words[0]);
  }

  bool isSent() const { return sent_ == frames_; }
  bool isComplete() const { return received_ == frames_; }
  uint32_t received() const { return received_ + duplicates_; }

  void start(int64_t at, double rate) {
    startNs_ = at;
    rate_ = rate;
  }

  void sendDue() {
    const int64_t time = now();
    uint32_t due = frames_;
    if (rate_ > 0) {
      due = static_cast<uint32_t>(static_cast<double>(time - startNs_) * 1e-9 * rate_) + 1;
      const uint32_t most = std::max(1u, static_cast<uint32_t>(rate_ * LATE_NS * 1e-9));
      if (due > sent_ + most) {
        startNs_ = time - static_cast<int64_t>((sent_ + most) / rate_ * 1e9);
        due = sent_ + most;
        stalls_++;
      }
      due = std::min(due, frames_);
    }
    if (due > sent_) send(std::min(due - sent_, BATCH));
  }

  /** Takes what has come, a bounded number. */
  void receive() {
    ring_.drain([&](const tpacket2_hdr& header) { count(header); });
  }

  void print() {
    std::sort(tagged_.begin(), tagged_.end());
    printf("{\"sent\":%u,\"received\":%u,\"duplicates\":%u,\"reordered\":%u,\"foreign\":%u,\"overruns\":%u,", sent_,
           received_, duplicates_, reordered_, foreign_, ring_.takeOverruns());
    printf("\"stalls\":%u,\"seconds\":%.6f,", stalls_, static_cast<double>(lastSentNs_ - firstSentNs_) * 1e-9);
    printf("\"tagged\":%zu,\"typicalNs\":%lld,\"worstCaseNs\":%lld,", tagged_.size(), rank(0.5), rank(0.999));
    printf("\"leastNs\":%lld,\"p999Ns\":%lld}", received_ == 0 ? 0LL : static_cast<long long>(leastNs_), step(0.999));
  }

 private:
  void readFlows(const std::string& file) {
    FILE* in = fopen(file.c_str(), "rb");
    uint32_t head[2];
    if (!in || fread(head, sizeof head, 1, in) != 1) fail(file.c_str());
    flows_ = head[0];
    headerLen_ = head[1];
    if (flows_ == 0 || headerLen_ + sizeof(Tag) > frameLen_ || frameLen_ > MAX_FRAME_LEN) {
      fprintf(stderr, "%s: headers of %u octets and a tag do not fit\n", file.c_str(), headerLen_);
      exit(1);
    }
    headers_.resize(static_cast<size_t>(flows_) * headerLen_);
    if (fread(headers_.data(), headers_.size(), 1, in) != 1) fail(file.c_str());
    fclose(in);
  }

  void openSender(const std::string& link) {
    sender_ = openSendingLink(link, SEND_BUFFER);
    const uint32_t left = frameLen_ - headerLen_ - sizeof(Tag);
    slots_.resize(static_cast<size_t>(BATCH) * (headerLen_ + sizeof(Tag)));
    for (unsigned k = 0; k < BATCH; k++) {
      vectors_[k][0] = {slots_.data() + k * (headerLen_ + sizeof(Tag)), headerLen_ + sizeof(Tag)};
      vectors_[k][1] = {padding_, left};
      messages_[k].msg_hdr = {};
      messages_[k].msg_hdr.msg_iov = vectors_[k];
      messages_[k].msg_hdr.msg_iovlen = left > 0 ? 2 : 1;
    }
  }

  /** Sequence number of the next tagged frame, evenly spread over the second half; frames_ when there is none. */
  uint32_t nextTagged() const {
    const uint32_t half = frames_ / 2;
    if (nextTag_ >= tags_) return frames_;
    return half + static_cast<uint32_t>(static_cast<uint64_t>(frames_ - half) * nextTag_ / tags_);
  }

  void send(uint32_t count) {
    const bool isTagged = nextTagged() == sent_;
    count = isTagged ? 1 : std::min(count, nextTagged() - sent_);
    for (uint32_t k = 0; k < count; k++) {
      const uint32_t sequence = sent_ + k;
      auto* slot = static_cast<uint8_t*>(vectors_[k][0].iov_base);
      memcpy(slot, &headers_[static_cast<size_t>(sequence % flows_) * headerLen_], headerLen_);
      const Tag tag{MAGIC, trial_, number_, static_cast<uint8_t>(isTagged), sequence, now()};
      memcpy(slot + headerLen_, &tag, sizeof tag);
    }
    if (sent_ == 0) firstSentNs_ = now();
    const int done = sendmmsg(sender_, messages_, count, MSG_DONTWAIT);
    if (done < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) fail("sendmmsg");
    if (done <= 0) return;
    sent_ += static_cast<uint32_t>(done);
    if (isTagged) nextTag_++;
    lastSentNs_ = now();
  }

  void count(const tpacket2_hdr& header) {
    const auto* frame = reinterpret_cast<const uint8_t*>(&header) + header.tp_mac;
    Tag tag;
    if (header.tp_len != receivedLen_ || header.tp_snaplen < tagAt_ + sizeof tag) {
      foreign_++;
      return;
    }
    memcpy(&tag, frame + tagAt_, sizeof tag);
    const bool isOurs = tag.magic == MAGIC && tag.trial == trial_ && tag.stream == number_ && tag.sequence < frames_;
    if (!isOurs) {
      foreign_++;
    } else if (seen_[tag.sequence]) {
      duplicates_++;
    } else {
      seen_[tag.sequence] = true;
      received_++;
      if (tag.sequence < highest_) reordered_++;
      highest_ = std::max(highest_, tag.sequence);
      const int64_t latency = header.tp_sec * 1000000000LL + header.tp_nsec - tag.sentNs;
      leastNs_ = std::min(leastNs_, latency);
      steps_[std::min(static_cast<size_t>(std::max<int64_t>(latency, 0) / STEP_NS), STEPS - 1)]++;
      if (tag.isTagged) tagged_.push_back(latency);
    }
  }

  /** The smallest latency that a share of all tagged frames does not exceed (RFC 2330 section 11.3). */
  long long rank(double share) const {
    if (tagged_.empty()) return 0;
    const auto at = static_cast<size_t>(std::max(0.0, share * static_cast<double>(tagged_.size()) - 1e-9));
    return tagged_[std::min(at, tagged_.size() - 1)];
  }

  /** The same of all frames, to a step. */
  long long step(double share) const {
    double left = share * received_;
    size_t at = 0;
    while (at < STEPS - 1 && (left -= steps_[at]) > 0) at++;
    return static_cast<long long>(at) * STEP_NS;
  }

  const uint8_t number_;
  const uint16_t trial_;
  const uint32_t frames_;
  const uint32_t tags_;
  uint32_t frameLen_ = 0, receivedLen_ = 0, tagAt_ = 0, flows_ = 0, headerLen_ = 0;
  std::vector<uint8_t> headers_, slots_;
  uint8_t padding_[MAX_FRAME_LEN] = {};
  iovec vectors_[BATCH][2] = {};
  mmsghdr messages_[BATCH] = {};
  int sender_ = -1;
  PacketRing<RING_FRAME_LEN> ring_;
  double rate_ = 0;
  int64_t startNs_ = 0, firstSentNs_ = 0, lastSentNs_ = 0, leastNs_ = INT64_MAX;
  uint32_t sent_ = 0, nextTag_ = 0, stalls_ = 0;
  uint32_t received_ = 0, duplicates_ = 0, reordered_ = 0, foreign_ = 0, highest_ = 0;
  std::vector<bool> seen_;
  std::vector<uint32_t> steps_;
  std::vector<int64_t> tagged_;
};

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

}  // namespace

int main(int count, char** words) {
  if (count < 7) {
    fprintf(stderr, "usage: frame-tester FRAMES RATE DRAIN_MS TAGS TRIAL STREAM...\n");
    return 2;
  }
  const auto frames = static_cast<uint32_t>(strtoul(words[1], nullptr, 10));
  const double rate = strtod(words[2], nullptr);
  const int64_t drainNs = strtoll(words[3], nullptr, 10) * 1000000;
  const auto tags = static_cast<uint32_t>(strtoul(words[4], nullptr, 10));
  const auto trial = static_cast<uint16_t>(strtoul(words[5], nullptr, 10));
  std::vector<Stream*> streams;
  for (int i = 6; i < count; i++) {
    const auto parts = split(words[i]);
    if (parts.size() != 7) {
      fprintf(stderr, "%s: expected seven fields\n", words[i]);
      return 2;
    }
    streams.push_back(
        new Stream(static_cast<uint8_t>(i - 6), trial, frames, std::min(tags, frames - frames / 2), parts));
  }
  const auto all = [&](bool (Stream::*is)() const) {
    return std::all_of(streams.begin(), streams.end(), [&](Stream* stream) { return (stream->*is)(); });
  };
  const int64_t start = now();
  // Four times the planned time, and ten seconds where there is no plan, is the end whatever happens.
  const int64_t limit = start + (rate > 0 ? static_cast<int64_t>(4e9 * frames / rate) : 0) + 10000000000LL;
  for (Stream* stream : streams) stream->start(start, rate);
  while (!all(&Stream::isSent) && now() < limit) {
    for (Stream* stream : streams) {
      if (!stream->isSent()) stream->sendDue();
      stream->receive();
    }
  }
  const int64_t end = now() + drainNs;
  while (!all(&Stream::isComplete) && now() < end) {
    for (Stream* stream : streams) stream->receive();
  }
  printf("{\"streams\":[");
  for (size_t i = 0; i < streams.size(); i++) {
    if (i > 0) printf(",");
    streams[i]->print();
  }
  printf("]}\n");
  return 0;
}

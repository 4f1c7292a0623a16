// One queue of a TUN device: batch read and write between the device and memory that JavaScript shares.
//
// attach() keeps the memory alive; after that a call passes plain numbers only. Where the memory lies is asked again at
// each batch (about 0.1 us), because JavaScript can transfer or shrink a buffer; every offset is checked against it.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "addon.h"

namespace {

enum WaitResult { kTimeout = 0, kReadable = 1, kWoken = 2 };

// Words of an output: offset and length of its head, offset and length of its body.
constexpr int64_t kOutputWords = 4;
// Most pieces of a gathered packet; the kernel takes up to 1,024.
constexpr int32_t kMostPieces = 256;

// Segmentation of UDP over IPv4 and IPv6: neither kernels before 6.2 nor their headers know it.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

// What the kernel may leave undone (a value of TUNSETOFFLOAD each): checksums, segmentation of TCP over IPv4 with and
// without marks of congestion; and that of UDP, of which the kernel takes both or neither.
constexpr unsigned long kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN;
constexpr unsigned long kUdpOffloads = TUN_F_USO4 | TUN_F_USO6;
// Octets of the header before each packet of a queue with offloads.
constexpr int kVnetHeader = 12;

// A typed array that stays attached between calls.
struct Memory {
  napi_ref view = nullptr;
  napi_typedarray_type type;

  // Where it lies now; nothing is left of one whose buffer was transferred.
  struct Place {
    uint8_t* data = nullptr;
    int64_t octets = 0;

    bool Holds(int64_t at, int64_t length) const { return at >= 0 && length >= 0 && at + length <= octets; }
  };

  Place Resolve(napi_env env) const {
    Place place;
    napi_value value;
    size_t length = 0;
    void* data = nullptr;
    if (!view || napi_get_reference_value(env, view, &value) != napi_ok) return place;
    if (napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr) != napi_ok) return place;
    if (!data) return place;
    place.data = static_cast<uint8_t*>(data);
    place.octets = static_cast<int64_t>(length) * (type == napi_int32_array ? 4 : 1);
    return place;
  }

  bool Take(napi_env env, napi_value value, napi_typedarray_type expected) {
    if (napi_get_typedarray_info(env, value, &type, nullptr, nullptr, nullptr, nullptr) != napi_ok) return false;
    return type == expected && napi_create_reference(env, value, 1, &view) == napi_ok;
  }

  void Release(napi_env env) {
    if (view) napi_delete_reference(env, view);
    view = nullptr;
  }
};

struct Queue {
  std::string device;
  int fd = -1;
  int wake = -1;
  bool offloads_udp = false;
  Memory arena, lengths, outputs;
};

void Release(napi_env env, Queue* queue) {
  if (queue->fd >= 0) close(queue->fd);
  if (queue->wake >= 0) close(queue->wake);
  queue->fd = queue->wake = -1;
  for (Memory* memory : {&queue->arena, &queue->lengths, &queue->outputs}) memory->Release(env);
}

// The queue of the first argument; throws EBADF when it was closed.
Queue* QueueOf(const Arguments& arguments, const char* call) {
  void* data = nullptr;
  if (napi_get_value_external(arguments.env, arguments.values[0], &data) != napi_ok) return nullptr;
  Queue* queue = static_cast<Queue*>(data);
  if (queue->fd >= 0) return queue;
  ThrowSystem(arguments.env, EBADF, call, queue->device);
  return nullptr;
}

// Tells the device what the kernel may leave undone; the name of the call that failed, or nullptr. A device that stays
// keeps it, so it is said without offloads too. `offloads_udp` becomes true when the kernel takes that of UDP as well.
const char* SetOffloads(int fd, bool offloads, bool* offloads_udp) {
  if (!offloads) return ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 ? "TUNSETOFFLOAD" : nullptr;
  if (ioctl(fd, TUNSETVNETHDRSZ, &kVnetHeader) < 0) return "TUNSETVNETHDRSZ";
  *offloads_udp = ioctl(fd, TUNSETOFFLOAD, kOffloads | kUdpOffloads) == 0;
  if (*offloads_udp) return nullptr;
  return ioctl(fd, TUNSETOFFLOAD, kOffloads) < 0 ? "TUNSETOFFLOAD" : nullptr;
}

// Attaches the descriptor to the device; the name of the call that failed, or nullptr.
const char* AttachQueue(int fd, const std::string& name, bool persist, bool offloads, ifreq* request,
                        bool* offloads_udp) {
  memset(request, 0, sizeof *request);
  request->ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE | (offloads ? IFF_VNET_HDR : 0);
  strncpy(request->ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, request) < 0) return "TUNSETIFF";
  if (const char* failed = SetOffloads(fd, offloads, offloads_udp)) return failed;
  if (persist && ioctl(fd, TUNSETPERSIST, 1) < 0) return "TUNSETPERSIST";
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return "fcntl";
  return nullptr;
}

// open(name, descriptor or -1, persist, offloads): a queue of a multi-queue TUN, without blocking, made when it is not
// there. A descriptor that was handed over stays the caller's until this succeeds.
napi_value Open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string name = arguments.Text(0);
  const int inherited = arguments.Integer(1);
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) return ThrowSystem(env, errno, "eventfd", name);
  const int fd = inherited < 0 ? open("/dev/net/tun", O_RDWR | O_CLOEXEC) : inherited;
  ifreq request;
  bool offloads_udp = false;
  const char* failed =
      fd < 0 ? "open" : AttachQueue(fd, name, arguments.Boolean(2), arguments.Boolean(3), &request, &offloads_udp);
  if (failed) {
    const int error = errno;
    close(wake);
    if (fd >= 0 && inherited < 0) close(fd);
    return ThrowSystem(env, error, failed, name);
  }
  Queue* queue = new Queue;
  queue->device = request.ifr_name;
  queue->fd = fd;
  queue->wake = wake;
  queue->offloads_udp = offloads_udp;
  napi_value result;
  napi_create_external(
      env, queue,
      [](napi_env finalize_env, void* data, void*) {
        Release(finalize_env, static_cast<Queue*>(data));
        delete static_cast<Queue*>(data);
      },
      nullptr, &result);
  return result;
}

napi_value Name(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "name");
  return queue ? Text(env, queue->device) : nullptr;
}

napi_value OffloadsUdp(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "offloadsUdp");
  if (!queue) return nullptr;
  napi_value result;
  napi_get_boolean(env, queue->offloads_udp, &result);
  return result;
}

napi_value WakeDescriptor(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "wakeDescriptor");
  return queue ? Number(env, queue->wake) : nullptr;
}

napi_value Descriptor(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "descriptor");
  return queue ? Number(env, queue->fd) : nullptr;
}

napi_value SetPersist(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "TUNSETPERSIST");
  if (!queue) return nullptr;
  if (ioctl(queue->fd, TUNSETPERSIST, arguments.Boolean(1) ? 1 : 0) < 0) {
    return ThrowSystem(env, errno, "TUNSETPERSIST", queue->device);
  }
  return nullptr;
}

// attach(queue, arena: Uint8Array, lengths: Int32Array, outputs: Int32Array)
napi_value Attach(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "attach");
  if (!queue) return nullptr;
  for (Memory* memory : {&queue->arena, &queue->lengths, &queue->outputs}) memory->Release(env);
  if (!queue->arena.Take(env, arguments.values[1], napi_uint8_array) ||
      !queue->lengths.Take(env, arguments.values[2], napi_int32_array) ||
      !queue->outputs.Take(env, arguments.values[3], napi_int32_array)) {
    for (Memory* memory : {&queue->arena, &queue->lengths, &queue->outputs}) memory->Release(env);
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "attach: expected a Uint8Array and two Int32Array");
  }
  return nullptr;
}

// readBatch(queue, first, stride, capacity, max): packet k goes to first + k * stride, its length to lengths[k].
napi_value ReadBatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "read");
  if (!queue) return nullptr;
  const int64_t first = arguments.Integer(1), stride = arguments.Integer(2), capacity = arguments.Integer(3);
  const int64_t max = arguments.Integer(4);
  const Memory::Place arena = queue->arena.Resolve(env), words = queue->lengths.Resolve(env);
  const bool fits = first >= 0 && stride >= 0 && capacity > 0 && max >= 0 && words.Holds(0, max * 4) &&
                    (max == 0 || arena.Holds(first, (max - 1) * stride + capacity));
  if (!fits) {
    return ThrowRange(env, "readBatch: " + std::to_string(max) + " packets of " + std::to_string(capacity) +
                               " octets, " + std::to_string(stride) + " apart from " + std::to_string(first) +
                               ", lie outside the attached memory of " + std::to_string(arena.octets) + " octets and " +
                               std::to_string(words.octets / 4) + " lengths");
  }
  int32_t* lengths = reinterpret_cast<int32_t*>(words.data);
  uint8_t* at = arena.data + first;
  int32_t count = 0;
  for (; count < max; count++, at += stride) {
    const ssize_t length = read(queue->fd, at, capacity);
    if (length < 0) {
      if (errno == EINTR) {
        count--, at -= stride;
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK || count > 0) break;
      return ThrowSystem(env, errno, "read", queue->device);
    }
    lengths[count] = static_cast<int32_t>(length);
  }
  return Number(env, count);
}

// Writes one packet of one or two pieces; 0 or the errno.
int WritePacket(int fd, const uint8_t* arena, const int32_t* output) {
  const uint8_t* head = arena + output[0];
  ssize_t sent;
  do {
    if (output[3] == 0) {
      sent = write(fd, head, output[1]);
    } else {
      const iovec pieces[2] = {{const_cast<uint8_t*>(head), static_cast<size_t>(output[1])},
                               {const_cast<uint8_t*>(arena) + output[2], static_cast<size_t>(output[3])}};
      sent = writev(fd, pieces, 2);
    }
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

// writeBatch(queue, count): outputs hold four words a packet: offset and length of its head, offset and length of its
// body (0: none). A head of length 0 is skipped. Of a packet the kernel refuses, the head's length becomes -errno.
napi_value WriteBatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "write");
  if (!queue) return nullptr;
  const int64_t count = arguments.Integer(1);
  const Memory::Place arena = queue->arena.Resolve(env), words = queue->outputs.Resolve(env);
  if (count < 0 || !words.Holds(0, count * kOutputWords * 4)) {
    return ThrowRange(env, "writeBatch: " + std::to_string(count) + " packets, the attached outputs hold " +
                               std::to_string(words.octets / (kOutputWords * 4)));
  }
  int32_t* output = reinterpret_cast<int32_t*>(words.data);
  int32_t written = 0;
  for (int64_t k = 0; k < count; k++, output += kOutputWords) {
    if (output[1] == 0) continue;
    if (!arena.Holds(output[0], output[1]) || !arena.Holds(output[2], output[3])) {
      return ThrowRange(env, "writeBatch: packet " + std::to_string(k) + " lies outside the attached memory of " +
                                 std::to_string(arena.octets) + " octets");
    }
    const int error = WritePacket(queue->fd, arena.data, output);
    if (error == 0) {
      written++;
    } else {
      output[1] = -error;
    }
  }
  return Number(env, written);
}

// Takes the pieces of a gathered packet, which begins `words` before the end; false when they are not all there.
bool Gather(const Memory::Place& arena, const int32_t* message, int64_t words, iovec* pieces) {
  const int32_t count = words > 0 ? message[0] : 0;
  if (count < 1 || count > kMostPieces || words < 1 + 2 * int64_t{count}) return false;
  for (int32_t i = 0; i < count; i++) {
    const int32_t at = message[1 + 2 * i], length = message[2 + 2 * i];
    if (!arena.Holds(at, length)) return false;
    pieces[i] = {arena.data + at, static_cast<size_t>(length)};
  }
  return true;
}

// writeGathered(queue, count): outputs hold, for each packet, the number of its pieces, then offset and length of each.
// Of a packet the kernel refuses, the number becomes -errno.
napi_value WriteGathered(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "write");
  if (!queue) return nullptr;
  const int64_t count = arguments.Integer(1);
  const Memory::Place arena = queue->arena.Resolve(env), words = queue->outputs.Resolve(env);
  int32_t* message = reinterpret_cast<int32_t*>(words.data);
  int64_t left = words.octets / 4;
  int32_t written = 0;
  iovec pieces[kMostPieces];
  for (int64_t k = 0; k < count; k++) {
    if (!Gather(arena, message, left, pieces)) {
      return ThrowRange(env, "writeGathered: packet " + std::to_string(k) +
                                 " has no pieces, too many, or some outside the " + "attached memory of " +
                                 std::to_string(arena.octets) + " octets");
    }
    const int32_t number = message[0];
    ssize_t sent;
    do {
      sent = number == 1 ? write(queue->fd, pieces[0].iov_base, pieces[0].iov_len) : writev(queue->fd, pieces, number);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
      message[0] = -errno;
    } else {
      written++;
    }
    message += 1 + 2 * number;
    left -= 1 + 2 * number;
  }
  return Number(env, written);
}

// wait(queue, milliseconds): blocks this thread until a packet is there, somebody wakes it, or the time is over.
napi_value Wait(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "poll");
  if (!queue) return nullptr;
  pollfd events[2] = {{queue->fd, POLLIN, 0}, {queue->wake, POLLIN, 0}};
  if (poll(events, 2, arguments.Integer(1)) <= 0) return Number(env, kTimeout);
  if (events[1].revents) {
    uint64_t value;
    if (read(queue->wake, &value, sizeof value) < 0) return Number(env, kTimeout);
    return Number(env, kWoken);
  }
  if (events[0].revents & (POLLERR | POLLHUP)) return ThrowSystem(env, EBADFD, "poll", queue->device);
  return Number(env, kReadable);
}

// Whether the descriptor is an eventfd. One that was closed may stand for something else by now, into which eight
// octets must not be written.
bool IsEvent(int descriptor) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  char target[32] = "";
  return readlink(path.c_str(), target, sizeof target - 1) > 0 && strcmp(target, "anon_inode:[eventfd]") == 0;
}

// wake(descriptor): from any thread of the process.
napi_value Wake(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const int descriptor = arguments.Integer(0);
  const uint64_t one = 1;
  if (!IsEvent(descriptor)) return ThrowSystem(env, EBADF, "write", "wake descriptor " + std::to_string(descriptor));
  if (write(descriptor, &one, sizeof one) < 0 && errno != EAGAIN) {
    return ThrowSystem(env, errno, "write", "wake descriptor " + std::to_string(descriptor));
  }
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  void* data = nullptr;
  if (napi_get_value_external(env, arguments.values[0], &data) == napi_ok) Release(env, static_cast<Queue*>(data));
  return nullptr;
}

}  // namespace

void AddQueueFunctions(napi_env env, napi_value exports) {
  AddFunction(env, exports, "open", Open);
  AddFunction(env, exports, "name", Name);
  AddFunction(env, exports, "descriptor", Descriptor);
  AddFunction(env, exports, "wakeDescriptor", WakeDescriptor);
  AddFunction(env, exports, "offloadsUdp", OffloadsUdp);
  AddFunction(env, exports, "setPersist", SetPersist);
  AddFunction(env, exports, "attach", Attach);
  AddFunction(env, exports, "readBatch", ReadBatch);
  AddFunction(env, exports, "writeBatch", WriteBatch);
  AddFunction(env, exports, "writeGathered", WriteGathered);
  AddFunction(env, exports, "wait", Wait);
  AddFunction(env, exports, "wake", Wake);
  AddFunction(env, exports, "close", Close);
}

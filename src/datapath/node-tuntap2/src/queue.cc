// One queue of a TUN device: batch read and write between the device and memory that JavaScript shares.
//
// attach() resolves the memory once and keeps it alive; after that a call passes plain numbers only. Every offset is
// checked against the memory before it is used.
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

struct Memory {
  uint8_t* data = nullptr;
  size_t octets = 0;
  napi_ref reference = nullptr;
};

struct Queue {
  std::string device;
  int fd = -1;
  int wake = -1;
  Memory arena, lengths, outputs;
};

void Release(napi_env env, Queue* queue) {
  if (queue->fd >= 0) close(queue->fd);
  if (queue->wake >= 0) close(queue->wake);
  queue->fd = queue->wake = -1;
  for (Memory* memory : {&queue->arena, &queue->lengths, &queue->outputs}) {
    if (memory->reference) napi_delete_reference(env, memory->reference);
    *memory = Memory();
  }
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

// open(name, descriptor or -1, persist): a queue of a multi-queue TUN, without blocking, made when it is not there.
napi_value Open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  int fd = arguments.Integer(1);
  if (fd < 0) fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return ThrowSystem(env, errno, "open", name);
  ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
  strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  const char* call = "TUNSETIFF";
  bool ok = ioctl(fd, TUNSETIFF, &request) == 0;
  if (ok && arguments.Boolean(2)) {
    call = "TUNSETPERSIST";
    ok = ioctl(fd, TUNSETPERSIST, 1) == 0;
  }
  const int wake = ok ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
  if (!ok || wake < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
    const int error = errno;
    close(fd);
    return ThrowSystem(env, error, call, name);
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  Queue* queue = new Queue;
  queue->device = request.ifr_name;
  queue->fd = fd;
  queue->wake = wake;
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

napi_value WakeDescriptor(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "wakeDescriptor");
  return queue ? Number(env, queue->wake) : nullptr;
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

bool Take(napi_env env, napi_value view, Memory* memory) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, view, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  memory->data = static_cast<uint8_t*>(data);
  memory->octets = length * (type == napi_int32_array ? 4 : 1);
  return napi_create_reference(env, view, 1, &memory->reference) == napi_ok;
}

// attach(queue, arena: Uint8Array, lengths: Int32Array, outputs: Int32Array)
napi_value Attach(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "attach");
  if (!queue) return nullptr;
  for (Memory* memory : {&queue->arena, &queue->lengths, &queue->outputs}) {
    if (memory->reference) napi_delete_reference(env, memory->reference);
    *memory = Memory();
  }
  if (!Take(env, arguments.values[1], &queue->arena) || !Take(env, arguments.values[2], &queue->lengths) ||
      !Take(env, arguments.values[3], &queue->outputs)) {
    napi_throw_type_error(env, nullptr, "attach: expected a Uint8Array and two Int32Array");
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
  const bool fits = first >= 0 && stride >= 0 && capacity > 0 && max >= 0 &&
                    max * 4 <= static_cast<int64_t>(queue->lengths.octets) &&
                    (max == 0 || first + (max - 1) * stride + capacity <= static_cast<int64_t>(queue->arena.octets));
  if (!fits) return ThrowRange(env, "readBatch: the packets would lie outside the attached memory");
  int32_t* lengths = reinterpret_cast<int32_t*>(queue->lengths.data);
  uint8_t* at = queue->arena.data + first;
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

bool IsInside(const Memory& memory, int64_t at, int64_t length) {
  return at >= 0 && length >= 0 && at + length <= static_cast<int64_t>(memory.octets);
}

// writeBatch(queue, count): outputs hold four words a packet: offset and length of its head, offset and length of its
// body (0: none). A head of length 0 is skipped. Of a packet the kernel refuses, the head's length becomes -errno.
napi_value WriteBatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Queue* queue = QueueOf(arguments, "write");
  if (!queue) return nullptr;
  const int64_t count = arguments.Integer(1);
  if (count < 0 || count * 16 > static_cast<int64_t>(queue->outputs.octets)) {
    return ThrowRange(env, "writeBatch: more packets than the attached outputs hold");
  }
  int32_t* output = reinterpret_cast<int32_t*>(queue->outputs.data);
  int32_t written = 0;
  for (int64_t k = 0; k < count; k++, output += 4) {
    if (output[1] == 0) continue;
    if (!IsInside(queue->arena, output[0], output[1]) || !IsInside(queue->arena, output[2], output[3])) {
      return ThrowRange(env, "writeBatch: a packet lies outside the attached memory");
    }
    uint8_t* head = queue->arena.data + output[0];
    ssize_t sent;
    do {
      if (output[3] == 0) {
        sent = write(queue->fd, head, output[1]);
      } else {
        iovec parts[2] = {{head, static_cast<size_t>(output[1])},
                          {queue->arena.data + output[2], static_cast<size_t>(output[3])}};
        sent = writev(queue->fd, parts, 2);
      }
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
      written++;
    } else {
      output[1] = -errno;
    }
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

// wake(descriptor): from any thread of the process.
napi_value Wake(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint64_t one = 1;
  if (write(arguments.Integer(0), &one, sizeof one) < 0 && errno != EAGAIN) {
    return ThrowSystem(env, errno, "write", "wake descriptor");
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
  AddFunction(env, exports, "wakeDescriptor", WakeDescriptor);
  AddFunction(env, exports, "setPersist", SetPersist);
  AddFunction(env, exports, "attach", Attach);
  AddFunction(env, exports, "readBatch", ReadBatch);
  AddFunction(env, exports, "writeBatch", WriteBatch);
  AddFunction(env, exports, "wait", Wait);
  AddFunction(env, exports, "wake", Wake);
  AddFunction(env, exports, "close", Close);
}

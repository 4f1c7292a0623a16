// How soon the calling thread comes when it wakes.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

namespace {

// struct sched_attr of sched_setattr(2) in its first form; glibc has none before 2.41.
struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

bool Read(Attributes* attributes) { return syscall(SYS_sched_getattr, 0, attributes, sizeof *attributes, 0) == 0; }

}  // namespace

// shortenSlice(nanoseconds): whether the kernel takes it for the calling thread.
static napi_value ShortenSlice(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint64_t wanted = static_cast<uint64_t>(arguments.Integer(0));
  Attributes attributes = {};
  bool taken = false;
  // Whoever gave the thread another policy knows why.
  if (Read(&attributes) && attributes.policy == SCHED_OTHER) {
    attributes.size = sizeof attributes;
    attributes.runtime = wanted;
    // A kernel before 6.12 says yes and forgets it.
    taken = syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 && Read(&attributes) && attributes.runtime == wanted;
  }
  napi_value result = nullptr;
  napi_get_boolean(env, taken, &result);
  return result;
}

void AddScheduleFunctions(napi_env env, napi_value exports) { AddFunction(env, exports, "shortenSlice", ShortenSlice); }

// A failed system call as a JavaScript Error with code, syscall and device, and a message that says what to do.
#include <cerrno>
#include <cstring>

#include "addon.h"

namespace {

struct Advice {
  int error;
  const char* syscall;  // nullptr: whatever the call
  const char* text;
};

// The first line that fits counts.
const Advice kAdvice[] = {
    {ENOENT, "open", "load the kernel module (modprobe tun) or make the file (mknod /dev/net/tun c 10 200)"},
    {ENODEV, "open", "the kernel has no TUN driver; load it (modprobe tun)"},
    {ENXIO, "open", "the kernel has no TUN driver; load it (modprobe tun)"},
    {EACCES, "open", "give the user of this process read and write access to it, or hand over an open descriptor"},
    {EPERM, "open", "give the user of this process read and write access to it, or hand over an open descriptor"},
    {EPERM, nullptr, "the process needs CAP_NET_ADMIN"},
    {EINVAL, "TUNSETIFF",
     "the name is not allowed, or a device of that name exists that is no TUN with several queues; choose another "
     "name or remove the device (ip link delete)"},
    {EBUSY, "TUNSETIFF", "another process holds the device for itself; stop it or choose another name"},
    {E2BIG, "TUNSETIFF", "the device has all the queues it can have; open fewer"},
    {EEXIST, "TUNSETIFF", "the descriptor is attached to a device already; hand over a fresh one of /dev/net/tun"},
    {ENOTTY, "TUNSETIFF", "the descriptor is none of /dev/net/tun"},
    {EBADF, "TUNSETIFF", "the descriptor is not open"},
    {EBADF, nullptr, "the queue is closed; open another"},
    {EBADFD, nullptr, "the device was removed; open it again"},
    {ENODEV, nullptr, "there is no such device; open it first"},
    {EIO, nullptr, "the device is down or was removed; bring it up or open it again"},
    {EINVAL, "SIOCSIFMTU", "the device takes an MTU of 68 to 65535 octets"},
    {EADDRNOTAVAIL, nullptr, "the device has no such address"},
    {EMFILE, nullptr, "the process has too many open files; raise its limit (ulimit -n)"},
    {ENFILE, nullptr, "the system has too many open files"},
};

const char* AdviceFor(int error, const char* syscall) {
  for (const Advice& advice : kAdvice) {
    if (advice.error == error && (!advice.syscall || strcmp(advice.syscall, syscall) == 0)) return advice.text;
  }
  return nullptr;
}

void SetText(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_set_named_property(env, object, name, Text(env, text));
}

}  // namespace

napi_value ThrowSystem(napi_env env, int error, const char* syscall, const std::string& device) {
  const char* name = strerrorname_np(error);
  const std::string code = name ? name : "E" + std::to_string(error);
  const char* advice = AdviceFor(error, syscall);
  const std::string what = strcmp(syscall, "open") == 0 ? "open /dev/net/tun" : syscall;
  const std::string message =
      device + ": " + what + ": " + code + " (" + strerror(error) + ")" + (advice ? std::string(": ") + advice : "");
  napi_value result;
  napi_create_error(env, Text(env, code), Text(env, message), &result);
  SetText(env, result, "syscall", syscall);
  SetText(env, result, "device", device);
  napi_throw(env, result);
  return nullptr;
}

napi_value ThrowRange(napi_env env, const std::string& message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message.c_str());
  return nullptr;
}

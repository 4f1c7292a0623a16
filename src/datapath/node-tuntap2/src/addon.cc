// node-tuntap2: Linux TUN devices for Node.js. Entry point and the helpers of addon.h.
#include "addon.h"

#include <cerrno>
#include <cstring>

namespace {

struct ErrorName {
  int number;
  const char* name;
  const char* advice;
};

const ErrorName kErrorNames[] = {
    {EPERM, "EPERM", "the process needs CAP_NET_ADMIN"},
    {EACCES, "EACCES", "the process may not open /dev/net/tun: hand it an open descriptor or change the file's mode"},
    {ENOENT, "ENOENT", "there is no /dev/net/tun: load the kernel module tun"},
    {ENODEV, "ENODEV", "there is no such device, or the kernel has no TUN support"},
    {EBUSY, "EBUSY", "the device is in use, or exists with other flags (multi-queue or not)"},
    {EBADFD, "EBADFD", "the descriptor is attached to no device any more"},
    {EBADF, "EBADF", "the descriptor is not open"},
    {EINVAL, "EINVAL", "the kernel refused the value"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "the device has no such address"},
    {E2BIG, "E2BIG", "the device has all the queues it can have"},
    {EMFILE, "EMFILE", "too many open files"},
};

void SetText(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_set_named_property(env, object, name, Text(env, text));
}

}  // namespace

napi_value Number(napi_env env, int32_t value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value Text(napi_env env, const std::string& text) {
  napi_value result;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}

napi_value ThrowSystem(napi_env env, int error, const char* syscall, const std::string& device) {
  std::string code = "E" + std::to_string(error);
  std::string advice = strerror(error);
  for (const ErrorName& known : kErrorNames) {
    if (known.number != error) continue;
    code = known.name;
    advice = known.advice;
  }
  napi_value result;
  napi_create_error(env, Text(env, code), Text(env, device + ": " + syscall + " failed: " + advice), &result);
  SetText(env, result, "syscall", syscall);
  SetText(env, result, "device", device);
  napi_throw(env, result);
  return nullptr;
}

napi_value ThrowRange(napi_env env, const char* message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return nullptr;
}

void AddFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

static napi_value Init(napi_env env, napi_value exports) {
  AddDeviceFunctions(env, exports);
  AddQueueFunctions(env, exports);
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)

// What the parts of the addon share: argument access and errors with code, syscall and device. The addon keeps nothing
// outside its environment, so every thread has its own.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>

napi_value ThrowSystem(napi_env env, int error, const char* syscall, const std::string& device);
napi_value ThrowRange(napi_env env, const std::string& message);

// The arguments of a call; a missing one is undefined.
struct Arguments {
  napi_env env;
  size_t count = 8;
  napi_value values[8];
  Arguments(napi_env env, napi_callback_info info) : env(env) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  int32_t Integer(size_t index) const {
    int32_t value = 0;
    napi_get_value_int32(env, values[index], &value);
    return value;
  }
  bool Boolean(size_t index) const {
    bool value = false;
    napi_get_value_bool(env, values[index], &value);
    return value;
  }
  std::string Text(size_t index) const {
    char text[256] = "";
    size_t length = 0;
    napi_get_value_string_utf8(env, values[index], text, sizeof text, &length);
    return std::string(text, length);
  }
};

napi_value Number(napi_env env, int32_t value);
napi_value Text(napi_env env, const std::string& text);

void AddDeviceFunctions(napi_env env, napi_value exports);
void AddMemoryFunctions(napi_env env, napi_value exports);
void AddNetlinkFunctions(napi_env env, napi_value exports);
void AddQueueFunctions(napi_env env, napi_value exports);
void AddRunFunctions(napi_env env, napi_value exports);
void AddScheduleFunctions(napi_env env, napi_value exports);
void AddWatchFunctions(napi_env env, napi_value exports);
void AddFunction(napi_env env, napi_value exports, const char* name, napi_callback callback);

// node-tuntap2: Linux TUN devices for Node.js. Entry point and the small functions of addon.h.
#include "addon.h"

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

void AddFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

static napi_value Init(napi_env env, napi_value exports) {
  AddDeviceFunctions(env, exports);
  AddMemoryFunctions(env, exports);
  AddNetlinkFunctions(env, exports);
  AddQueueFunctions(env, exports);
  AddRunFunctions(env, exports);
  AddScheduleFunctions(env, exports);
  AddWatchFunctions(env, exports);
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)

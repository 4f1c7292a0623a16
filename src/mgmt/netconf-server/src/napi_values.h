// Values between JavaScript and C++: the few conversions that the addon needs, over plain Node-API.
#pragma once

#include <node_api.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace netconf {

/** Arguments of one call; absent ones are undefined. */
struct Arguments {
  static constexpr size_t MAX = 6;
  napi_env env;
  napi_value values[MAX];
  void* data = nullptr;

  Arguments(napi_env env, napi_callback_info info);
};

std::string toUtf8(napi_env env, napi_value value);
std::vector<std::string> toStrings(napi_env env, napi_value array);
int32_t toInt(napi_env env, napi_value value);
bool isUndefined(napi_env env, napi_value value);
/** Undefined when the object has no such property. */
napi_value property(napi_env env, napi_value object, const char* name);
uint32_t lengthOf(napi_env env, napi_value array);
napi_value element(napi_env env, napi_value array, uint32_t index);

napi_value makeString(napi_env env, std::string_view text);
napi_value makeInt(napi_env env, int64_t value);
napi_value makeUndefined(napi_env env);
napi_value makeObject(napi_env env);
void setString(napi_env env, napi_value object, const char* name, std::string_view text);

/** Throws an Error with `code`; returns nullptr, for `return throwError(...)`. */
napi_value throwError(napi_env env, const char* code, const std::string& message);

/** One octet sequence that YANG allows as text: UTF-8 without control and non-characters (RFC 7950 §9.4). */
bool isYangText(std::string_view text);

/** Whether the JavaScript string has a surrogate without its partner, which UTF-8 cannot say. */
bool hasLoneSurrogate(napi_env env, napi_value value);

}  // namespace netconf

#include "napi_values.h"

namespace netconf {

Arguments::Arguments(napi_env e, napi_callback_info info) : env(e) {
  size_t count = MAX;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
}

std::string toUtf8(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return {};
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

std::vector<std::string> toStrings(napi_env env, napi_value array) {
  std::vector<std::string> strings;
  const uint32_t length = lengthOf(env, array);
  for (uint32_t i = 0; i < length; i++) strings.push_back(toUtf8(env, element(env, array, i)));
  return strings;
}

int32_t toInt(napi_env env, napi_value value) {
  int32_t number = -1;
  napi_get_value_int32(env, value, &number);
  return number;
}

bool isUndefined(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type == napi_undefined || type == napi_null;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value = makeUndefined(env);
  napi_get_named_property(env, object, name, &value);
  return value;
}

uint32_t lengthOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  return length;
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value = makeUndefined(env);
  napi_get_element(env, array, index, &value);
  return value;
}

napi_value makeString(napi_env env, std::string_view text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value makeInt(napi_env env, int64_t number) {
  napi_value value;
  napi_create_int64(env, number, &value);
  return value;
}

napi_value makeUndefined(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

napi_value makeObject(napi_env env) {
  napi_value value;
  napi_create_object(env, &value);
  return value;
}

void setString(napi_env env, napi_value object, const char* name, std::string_view text) {
  napi_set_named_property(env, object, name, makeString(env, text));
}

napi_value throwError(napi_env env, const char* code, const std::string& message) {
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

namespace {

/** Length of the well-formed sequence at `at` and its code point; 0 when it is not well-formed (RFC 3629 §4). */
size_t decode(std::string_view text, size_t at, uint32_t& point) {
  const auto octet = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = octet(at);
  const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || at + length > text.size()) return 0;
  point = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; i++) {
    if ((octet(at + i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (octet(at + i) & 0x3f);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

}  // namespace

bool isYangText(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    uint32_t point = 0;
    const size_t length = decode(text, at, point);
    if (length == 0) return false;
    if (point < 0x20 && point != '\t' && point != '\n' && point != '\r') return false;
    if ((point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) == 0xfffe) return false;
    at += length;
  }
  return true;
}

bool hasLoneSurrogate(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf16(env, value, nullptr, 0, &length);
  std::u16string text(length, u'\0');
  napi_get_value_string_utf16(env, value, text.data(), length + 1, &length);
  for (size_t i = 0; i < length; i++) {
    const bool high = text[i] >= 0xd800 && text[i] <= 0xdbff;
    const bool low = text[i] >= 0xdc00 && text[i] <= 0xdfff;
    if (low || (high && (i + 1 == length || text[i + 1] < 0xdc00 || text[i + 1] > 0xdfff))) return true;
    if (high) i++;
  }
  return false;
}

}  // namespace netconf

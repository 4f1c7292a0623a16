// What JavaScript sees of the addon: plain functions over opaque handles. index.ts gives them their shape.
#include "addon.h"

#include <libyang/libyang.h>
#include <malloc.h>

#include "context.h"
#include "napi_values.h"

namespace netconf {

std::shared_ptr<Context> sharedContextOf(napi_env env, napi_value handle) {
  void* data = nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok) return nullptr;
  return *static_cast<std::shared_ptr<Context>*>(data);
}

namespace {

using ContextHandle = std::shared_ptr<Context>;

Context* contextOf(napi_env env, napi_value handle) {
  void* data = nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok || !*static_cast<ContextHandle*>(data)) {
    throwError(env, "YANG_CONTEXT", "The YANG context is closed; make a new one.");
    return nullptr;
  }
  return static_cast<ContextHandle*>(data)->get();
}

/** openContext(searchDirs: string[], modules: [name, revision or '', ...features][]) -> handle */
napi_value openContext(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  std::vector<ModuleRequest> modules;
  const uint32_t count = lengthOf(env, args.values[1]);
  for (uint32_t i = 0; i < count; i++) {
    auto words = toStrings(env, element(env, args.values[1], i));
    if (words.size() < 2) return throwError(env, "YANG_CONTEXT", "A module needs a name and a revision.");
    modules.push_back({words[0], words[1], {words.begin() + 2, words.end()}});
  }
  std::string error;
  auto context = Context::load(toStrings(env, args.values[0]), modules, error);
  if (!context) return throwError(env, "YANG_CONTEXT", error);
  napi_value handle;
  napi_create_external(
      env, new ContextHandle(std::move(context)),
      [](napi_env, void* data, void*) { delete static_cast<ContextHandle*>(data); }, nullptr, &handle);
  return handle;
}

/** closeContext(handle): a server that uses the context keeps it until the server ends. */
napi_value closeContext(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  void* data = nullptr;
  if (napi_get_value_external(env, args.values[0], &data) == napi_ok) static_cast<ContextHandle*>(data)->reset();
  return makeUndefined(env);
}

napi_value schemaJson(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  return context != nullptr ? makeString(env, context->schemaJson()) : nullptr;
}

/** Ids of leafs and leaf-lists whose values can hold prefixes: checkValue reads `prefixes` for no others. */
napi_value prefixedIds(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  napi_value ids;
  napi_create_array(env, &ids);
  uint32_t count = 0;
  for (size_t id = 0; id < context->nodes().size(); id++) {
    const lysc_node* node = context->node(id);
    if ((node->nodetype & (LYS_LEAF | LYS_LEAFLIST)) == 0 || !context->holdsPrefixes(node)) continue;
    napi_set_element(env, ids, count++, makeInt(env, static_cast<int64_t>(id)));
  }
  return ids;
}

/** moduleSource(handle, name, revision or '', yin: boolean) -> text or undefined */
napi_value moduleSource(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  bool yin = false;
  napi_get_value_bool(env, args.values[3], &yin);
  const LyString text =
      context->moduleSource(toUtf8(env, args.values[1]), toUtf8(env, args.values[2]), yin ? LYS_OUT_YIN : LYS_OUT_YANG);
  return text ? makeString(env, text.get()) : makeUndefined(env);
}

/** Text of a JavaScript string in `room`, or in `spare` when it is longer. */
std::string_view readText(napi_env env, napi_value value, char (&room)[256], std::string& spare) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, room, sizeof room, &length) != napi_ok) return {};
  if (length < sizeof room - 4) return {room, length};
  spare = toUtf8(env, value);
  return spare;
}

/**
 * checkValue(handle, id, text, prefixes as [prefix, namespace, ...] or undefined)
 * -> a string whose first character is '@' + base type and whose rest is the canonical value (one value to make
 * instead of an object: about a microsecond less), or [message, app-tag].
 */
napi_value checkValue(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  const lysc_node* node = context->node(static_cast<size_t>(toInt(env, args.values[1])));
  if (node == nullptr || (node->nodetype & (LYS_LEAF | LYS_LEAFLIST)) == 0) {
    return throwError(env, "YANG_CONTEXT", "checkValue wants the id of a leaf or leaf-list of this context's schema.");
  }
  char room[256];
  std::string spare;
  const std::string_view text = readText(env, args.values[2], room, spare);
  CheckedValue checked = {false, "The value has a character that YANG text cannot hold.", "", LY_TYPE_UNKNOWN};
  const bool replaced = text.find("\xef\xbf\xbd") != std::string_view::npos && hasLoneSurrogate(env, args.values[2]);
  if (!replaced && isYangText(text)) {
    if (isUndefined(env, args.values[3])) {
      checked = context->checkValue(node, text, nullptr);
    } else {
      Prefixes prefixes;
      const auto words = toStrings(env, args.values[3]);
      for (size_t i = 0; i + 1 < words.size(); i += 2) prefixes.emplace_back(words[i], words[i + 1]);
      checked = context->checkValue(node, text, &prefixes);
    }
  }
  if (checked.valid) return makeString(env, static_cast<char>('@' + checked.type) + checked.text);
  napi_value failure;
  napi_create_array_with_length(env, 2, &failure);
  napi_set_element(env, failure, 0, makeString(env, checked.text));
  napi_set_element(env, failure, 1, makeString(env, checked.appTag));
  return failure;
}

napi_value faultsToJs(napi_env env, const std::vector<Fault>& faults) {
  napi_value array;
  napi_create_array_with_length(env, faults.size(), &array);
  for (size_t i = 0; i < faults.size(); i++) {
    napi_value item = makeObject(env);
    setString(env, item, "code", faults[i].code);
    setString(env, item, "message", faults[i].message);
    setString(env, item, "path", faults[i].path);
    if (!faults[i].appTag.empty()) setString(env, item, "appTag", faults[i].appTag);
    napi_set_element(env, array, static_cast<uint32_t>(i), item);
  }
  return array;
}

const std::vector<Fault> NOT_TEXT = {{"other", "The document has a character that XML cannot hold.", "", ""}};

napi_value validateConfig(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  const std::string xml = toUtf8(env, args.values[1]);
  return faultsToJs(env, isYangText(xml) ? context->validateConfig(xml.c_str()) : NOT_TEXT);
}

napi_value checkOperation(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  const std::string xml = toUtf8(env, args.values[1]);
  return faultsToJs(env, isYangText(xml) ? context->checkOperation(xml) : NOT_TEXT);
}

/** yangLibrary(handle) -> [json, content-id] */
napi_value yangLibrary(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  const LyString json = context->yangLibraryJson();
  if (!json)
    return throwError(env, "YANG_CONTEXT", "libyang made no YANG library data: " + takeMessages(context->ly()));
  napi_value pair;
  napi_create_array_with_length(env, 2, &pair);
  napi_set_element(env, pair, 0, makeString(env, json.get()));
  napi_set_element(env, pair, 1, makeString(env, context->contentId()));
  return pair;
}

/** print(handle, xml, json: boolean) -> text */
napi_value print(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Context* context = contextOf(env, args.values[0]);
  if (context == nullptr) return nullptr;
  bool json = false;
  napi_get_value_bool(env, args.values[2], &json);
  std::string error;
  const LyString text = context->print(toUtf8(env, args.values[1]).c_str(), json ? LYD_JSON : LYD_XML, error);
  return text ? makeString(env, text.get()) : throwError(env, "YANG_DATA", error);
}

/** trimMemory(): what was freed in between what is in use goes back to the system. */
napi_value trimMemory(napi_env env, napi_callback_info) {
  malloc_trim(0);
  return makeUndefined(env);
}

}  // namespace

void define(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace netconf

NAPI_MODULE_INIT() {
  using namespace netconf;
  define(env, exports, "openContext", openContext);
  define(env, exports, "closeContext", closeContext);
  define(env, exports, "schemaJson", schemaJson);
  define(env, exports, "prefixedIds", prefixedIds);
  define(env, exports, "moduleSource", moduleSource);
  define(env, exports, "checkValue", checkValue);
  define(env, exports, "validateConfig", validateConfig);
  define(env, exports, "checkOperation", checkOperation);
  define(env, exports, "yangLibrary", yangLibrary);
  define(env, exports, "print", print);
  define(env, exports, "trimMemory", trimMemory);
  defineServer(env, exports);
  return exports;
}

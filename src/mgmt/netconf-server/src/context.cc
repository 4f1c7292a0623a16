#include "context.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace netconf {

namespace {

std::string contentIdOf(const ly_ctx* ly) {
  std::vector<std::string> lines;
  uint32_t index = 0;
  while (const lys_module* module = ly_ctx_get_module_iter(ly, &index)) {
    std::string line = std::string(module->name) + '@' + (module->revision != nullptr ? module->revision : "");
    line += module->implemented != 0 ? " implemented" : " imported";
    uint32_t submodule = 0;
    const lysp_feature* feature = nullptr;
    while ((feature = lysp_feature_next(feature, module->parsed, &submodule)) != nullptr) {
      if (lys_feature_value(module, feature->name) == LY_SUCCESS) line += std::string(" ") + feature->name;
    }
    LY_ARRAY_COUNT_TYPE i;
    LY_ARRAY_FOR(module->deviated_by, i) line += std::string(" deviated-by ") + module->deviated_by[i]->name;
    lines.push_back(line + '\n');
  }
  std::sort(lines.begin(), lines.end());
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: any change must show, no one is to be kept from forging it
  for (const auto& line : lines) {
    for (const char octet : line) hash = (hash ^ static_cast<uint8_t>(octet)) * 0x100000001b3;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string quoteRequest(const ModuleRequest& module) {
  return '"' + module.name + (module.revision.empty() ? "" : '@' + module.revision) + '"';
}

}  // namespace

std::shared_ptr<Context> Context::load(const std::vector<std::string>& searchDirs,
                                       const std::vector<ModuleRequest>& modules, std::string& error) {
  ly_log_level(LY_LLERR);
  ly_log_options(LY_LOSTORE_LAST);
  ly_ctx* ly = nullptr;
  const uint16_t options = LY_CTX_DISABLE_SEARCHDIR_CWD | LY_CTX_EXPLICIT_COMPILE | LY_CTX_SET_PRIV_PARSED;
  if (ly_ctx_new(nullptr, options, &ly) != LY_SUCCESS) {
    error = "libyang could not make a context";
    return nullptr;
  }
  std::shared_ptr<Context> context(new Context(ly));
  const KeepAllErrors keep(ly);
  for (const auto& directory : searchDirs) {
    const LY_ERR result = ly_ctx_set_searchdir(ly, directory.c_str());
    if (result == LY_SUCCESS || result == LY_EEXIST) continue;
    error = "YANG search directory " + directory + ": " + takeMessages(ly);
    return nullptr;
  }
  for (const auto& module : modules) {
    std::vector<const char*> features;
    for (const auto& feature : module.features) features.push_back(feature.c_str());
    features.push_back(nullptr);
    const char* revision = module.revision.empty() ? nullptr : module.revision.c_str();
    if (ly_ctx_load_module(ly, module.name.c_str(), revision, features.data()) != nullptr) continue;
    error = "YANG module " + quoteRequest(module) + ": " + takeMessages(ly);
    return nullptr;
  }
  if (ly_ctx_compile(ly) != LY_SUCCESS) {
    error = "YANG modules do not compile: " + takeMessages(ly);
    return nullptr;
  }
  context->finish();
  return context;
}

/** The parsed nodes are wanted by the dump alone; afterwards the private pointers belong to libnetconf2. */
void Context::finish() {
  schemaJson_ = dumpSchema(ly_, nodes_);
  ly_ctx_unset_options(ly_, LY_CTX_SET_PRIV_PARSED);
  contentId_ = contentIdOf(ly_);
  collectMustMessages();
  ly_err_clean(ly_, nullptr);
}

Context::~Context() { ly_ctx_destroy(ly_); }

void Context::collectMustMessages() {
  for (const lysc_node* node : nodes_) {
    const lysc_must* musts = lysc_node_musts(node);
    LY_ARRAY_COUNT_TYPE i;
    LY_ARRAY_FOR(musts, i) {
      if (musts[i].emsg != nullptr) mustMessages_.insert(musts[i].emsg);
    }
  }
}

LyString Context::moduleSource(const std::string& name, const std::string& revision, LYS_OUTFORMAT format) const {
  char* text = nullptr;
  const char* wanted = revision.empty() ? nullptr : revision.c_str();
  const lys_module* module = wanted != nullptr ? ly_ctx_get_module(ly_, name.c_str(), wanted)
                                               : ly_ctx_get_module_implemented(ly_, name.c_str());
  if (module == nullptr && wanted == nullptr) module = ly_ctx_get_module_latest(ly_, name.c_str());
  if (module != nullptr) {
    lys_print_mem(&text, module, format, 0);
    return LyString(text);
  }
  const lysp_submodule* submodule = wanted != nullptr ? ly_ctx_get_submodule(ly_, name.c_str(), wanted)
                                                      : ly_ctx_get_submodule_latest(ly_, name.c_str());
  if (submodule == nullptr) return nullptr;
  ly_out* out = nullptr;
  if (ly_out_new_memory(&text, 0, &out) != LY_SUCCESS) return nullptr;
  lys_print_submodule(out, submodule, format, 0, 0);
  ly_out_free(out, nullptr, 0);
  return LyString(text);
}

std::vector<Fault> Context::validateConfig(const char* xml) const {
  const KeepAllErrors keep(ly_);
  lyd_node* tree = nullptr;
  const LY_ERR result =
      lyd_parse_data_mem(ly_, xml, LYD_XML, LYD_PARSE_STRICT | LYD_PARSE_NO_STATE, LYD_VALIDATE_NO_STATE, &tree);
  const Tree owner(tree);
  if (result == LY_SUCCESS) return {};
  auto faults = takeFaults(ly_, mustMessages_);
  if (faults.empty()) faults.push_back({"other", "libyang refused the configuration without a reason", "", ""});
  return faults;
}

std::vector<Fault> Context::checkOperation(const std::string& xml) const {
  const KeepAllErrors keep(ly_);
  const std::string rpc = "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"0\">" + xml + "</rpc>";
  ly_in* in = nullptr;
  ly_in_new_memory(rpc.c_str(), &in);
  lyd_node* envelope = nullptr;
  lyd_node* operation = nullptr;
  LY_ERR result = lyd_parse_op(ly_, nullptr, in, LYD_XML, LYD_TYPE_RPC_NETCONF, &envelope, &operation);
  ly_in_free(in, 0);
  const Tree envelopeOwner(envelope);
  const Tree operationOwner(result == LY_SUCCESS ? operation : nullptr);
  if (result == LY_SUCCESS && operation != nullptr) {
    result = lyd_validate_op(operation, nullptr, LYD_TYPE_RPC_YANG, nullptr);
  }
  if (result == LY_SUCCESS) return {};
  auto faults = takeFaults(ly_, mustMessages_);
  if (faults.empty()) faults.push_back({"other", "libyang refused the operation without a reason", "", ""});
  return faults;
}

LyString Context::yangLibraryJson() const {
  lyd_node* tree = nullptr;
  if (ly_ctx_get_yanglib_data(ly_, &tree, "%s", contentId_.c_str()) != LY_SUCCESS) return nullptr;
  const Tree owner(tree);
  char* text = nullptr;
  lyd_print_mem(&text, tree, LYD_JSON, LYD_PRINT_WITHSIBLINGS | LYD_PRINT_SHRINK | LYD_PRINT_KEEPEMPTYCONT);
  return LyString(text);
}

LyString Context::print(const char* xml, LYD_FORMAT format, std::string& error) const {
  const KeepAllErrors keep(ly_);
  lyd_node* tree = nullptr;
  const LY_ERR result = lyd_parse_data_mem(ly_, xml, LYD_XML, LYD_PARSE_ONLY | LYD_PARSE_STRICT, 0, &tree);
  const Tree owner(tree);
  char* text = nullptr;
  if (result == LY_SUCCESS && tree == nullptr) return LyString(strdup(format == LYD_JSON ? "{}" : ""));
  if (result == LY_SUCCESS) {
    lyd_print_mem(&text, tree, format, LYD_PRINT_WITHSIBLINGS | LYD_PRINT_SHRINK | LYD_PRINT_KEEPEMPTYCONT);
  }
  if (text == nullptr) error = takeMessages(ly_);
  return LyString(text);
}

}  // namespace netconf

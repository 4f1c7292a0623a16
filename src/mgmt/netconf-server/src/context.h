// One libyang context, complete after construction: nothing adds a module or a feature later, so every thread may read
// it.
#pragma once

#include <libyang/libyang.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "faults.h"

namespace netconf {

struct ModuleRequest {
  std::string name;
  /** Empty: the newest one found. */
  std::string revision;
  std::vector<std::string> features;
};

struct LyStringFree {
  void operator()(char* text) const { std::free(text); }
};
using LyString = std::unique_ptr<char, LyStringFree>;

struct TreeFree {
  void operator()(lyd_node* tree) const { lyd_free_all(tree); }
};
/** Any node of a data tree; the whole tree is freed. */
using Tree = std::unique_ptr<lyd_node, TreeFree>;

/** Namespace declarations in scope of one XML value: prefix ("" is the default namespace) and namespace. */
using Prefixes = std::vector<std::pair<std::string, std::string>>;

struct CheckedValue {
  bool valid;
  /** Canonical when valid (RFC 7951 form), else libyang's message. */
  std::string text;
  std::string appTag;
  LY_DATA_TYPE type;
};

class Context {
 public:
  /** Loads and compiles the modules; on failure the result is empty and `error` tells why. */
  static std::shared_ptr<Context> load(const std::vector<std::string>& searchDirs,
                                       const std::vector<ModuleRequest>& modules, std::string& error);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  ly_ctx* ly() const { return ly_; }
  const std::string& schemaJson() const { return schemaJson_; }
  /** Changes with every change of modules, revisions, features and deviations (RFC 8525 §3). */
  const std::string& contentId() const { return contentId_; }
  const lysc_node* node(size_t id) const { return id < nodes_.size() ? nodes_[id] : nullptr; }
  const std::vector<const lysc_node*>& nodes() const { return nodes_; }

  /** Source text of a module or submodule; null when there is none of that name and revision. */
  LyString moduleSource(const std::string& name, const std::string& revision, LYS_OUTFORMAT format) const;

  /** `prefixes` null: RFC 7951 text, with module names as prefixes. The leaf's references are not followed. */
  CheckedValue checkValue(const lysc_node* node, std::string_view text, const Prefixes* prefixes) const;
  /** Whether values of this leaf or leaf-list can hold prefixes at all. */
  bool holdsPrefixes(const lysc_node* node) const;

  /** Parses strictly and validates one whole configuration. Empty when valid. */
  std::vector<Fault> validateConfig(const char* xml) const;
  /** Parses one operation element as libnetconf2 will and validates its input. Empty when valid. */
  std::vector<Fault> checkOperation(const std::string& xml) const;

  /** RFC 8525 data of this context as RFC 7951 JSON; null on failure. */
  LyString yangLibraryJson() const;
  /** Parses data without validation and prints it; null and `error` on failure. */
  LyString print(const char* xml, LYD_FORMAT format, std::string& error) const;

 private:
  explicit Context(ly_ctx* ly) : ly_(ly) {}
  void finish();
  void collectMustMessages();

  ly_ctx* ly_;
  std::string schemaJson_;
  std::string contentId_;
  std::vector<const lysc_node*> nodes_;
  std::unordered_set<std::string> mustMessages_;
};

/** Whole compiled schema as JSON (see SchemaDump in index.ts); fills `nodes` so that nodes[id] is the node of that id.
 */
std::string dumpSchema(const ly_ctx* ly, std::vector<const lysc_node*>& nodes);

/** RFC 7950 name of a base type. */
const char* typeName(LY_DATA_TYPE type);
/** The type itself; the target's one for a leafref. */
const lysc_type* resolvedType(const lysc_type* type);

}  // namespace netconf

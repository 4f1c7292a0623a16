// The compiled schema as JSON: every node of every implemented module, depth first, choice and case flattened away.
#include <cstring>
#include <map>

#include "context.h"

namespace netconf {

const char* typeName(LY_DATA_TYPE type) {
  switch (type) {
    case LY_TYPE_BINARY:
      return "binary";
    case LY_TYPE_UINT8:
      return "uint8";
    case LY_TYPE_UINT16:
      return "uint16";
    case LY_TYPE_UINT32:
      return "uint32";
    case LY_TYPE_UINT64:
      return "uint64";
    case LY_TYPE_STRING:
      return "string";
    case LY_TYPE_BITS:
      return "bits";
    case LY_TYPE_BOOL:
      return "boolean";
    case LY_TYPE_DEC64:
      return "decimal64";
    case LY_TYPE_EMPTY:
      return "empty";
    case LY_TYPE_ENUM:
      return "enumeration";
    case LY_TYPE_IDENT:
      return "identityref";
    case LY_TYPE_INST:
      return "instance-identifier";
    case LY_TYPE_LEAFREF:
      return "leafref";
    case LY_TYPE_UNION:
      return "union";
    case LY_TYPE_INT8:
      return "int8";
    case LY_TYPE_INT16:
      return "int16";
    case LY_TYPE_INT32:
      return "int32";
    case LY_TYPE_INT64:
      return "int64";
    default:
      return "unknown";
  }
}

const lysc_type* resolvedType(const lysc_type* type) {
  return type->basetype == LY_TYPE_LEAFREF ? reinterpret_cast<const lysc_type_leafref*>(type)->realtype : type;
}

namespace {

constexpr const char* NACM = "ietf-netconf-acm";

std::string quoted(const char* text) {
  std::string out = "\"";
  for (const char* at = text; *at != '\0'; at++) {
    const auto octet = static_cast<uint8_t>(*at);
    if (octet == '"' || octet == '\\') out += '\\';
    if (octet == '\n') {
      out += "\\n";
    } else if (octet < 0x20) {
      char escape[7];
      std::snprintf(escape, sizeof escape, "\\u%04x", octet);
      out += escape;
    } else {
      out += *at;
    }
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? "," : "") + item;
  return out + ']';
}

const char* flag(bool value) { return value ? "true" : "false"; }

/** Writes one object; absent optional members are left out. */
class Object {
 public:
  void raw(const char* name, const std::string& json) {
    out_ += (out_.size() > 1 ? ",\"" : "\"") + (name + ("\":" + json));
  }
  void text(const char* name, const char* value) {
    if (value != nullptr) raw(name, quoted(value));
  }
  void set(const char* name, bool value) {
    if (value) raw(name, "true");
  }
  void list(const char* name, const std::vector<std::string>& items) {
    if (!items.empty()) raw(name, joined(items));
  }
  std::string end() const { return out_ + '}'; }

 private:
  std::string out_ = "{";
};

const char* kindOf(const lysc_node* node) {
  switch (node->nodetype) {
    case LYS_CONTAINER:
      return "container";
    case LYS_LIST:
      return "list";
    case LYS_LEAF:
      return "leaf";
    case LYS_LEAFLIST:
      return "leaf-list";
    case LYS_ANYDATA:
      return "anydata";
    case LYS_ANYXML:
      return "anyxml";
    case LYS_RPC:
      return "rpc";
    case LYS_ACTION:
      return "action";
    case LYS_NOTIF:
      return "notification";
    case LYS_INPUT:
      return "input";
    case LYS_OUTPUT:
      return "output";
    default:
      return nullptr;
  }
}

bool hasNacm(const lysc_node* node, const char* name) {
  if (node == nullptr) return false;
  LY_ARRAY_COUNT_TYPE i;
  LY_ARRAY_FOR(node->exts, i) {
    const lysc_ext* extension = node->exts[i].def;
    if (strcmp(extension->module->name, NACM) == 0 && strcmp(extension->name, name) == 0) return true;
  }
  return false;
}

/** libyang copies the statement to all descendants (input and output excepted); only where the parent lacks it was it
 * stated. */
const char* nacmOf(const lysc_node* node) {
  const lysc_node* parent = node->parent;
  while (parent != nullptr && (parent->nodetype & (LYS_INPUT | LYS_OUTPUT)) != 0) parent = parent->parent;
  for (const char* name : {"default-deny-all", "default-deny-write"}) {
    if (hasNacm(node, name) && !hasNacm(parent, name)) return name;
  }
  return nullptr;
}

const char* statusOf(const lysc_node* node) {
  return (node->flags & LYS_STATUS_OBSLT) != 0   ? "obsolete"
         : (node->flags & LYS_STATUS_DEPRC) != 0 ? "deprecated"
                                                 : nullptr;
}

/** Name of the typedef the leaf was written with, without prefix; null for a built-in type. */
const char* typedefOf(const lysc_node* node) {
  const auto* parsed = static_cast<const lysp_node*>(node->priv);
  if (parsed == nullptr) return nullptr;
  const char* name = nullptr;
  if (parsed->nodetype == LYS_LEAF) name = reinterpret_cast<const lysp_node_leaf*>(parsed)->type.name;
  if (parsed->nodetype == LYS_LEAFLIST) name = reinterpret_cast<const lysp_node_leaflist*>(parsed)->type.name;
  if (name == nullptr) return nullptr;
  for (int type = LY_TYPE_BINARY; type < LY_DATA_TYPE_COUNT; type++) {
    if (strcmp(name, typeName(static_cast<LY_DATA_TYPE>(type))) == 0) return nullptr;
  }
  const char* colon = strchr(name, ':');
  return colon != nullptr ? colon + 1 : name;
}

/** Parts of a range or length as YANG writes them, `1..64 | 128`. */
std::string rangeText(const lysc_range* range, bool isSigned) {
  std::string out;
  LY_ARRAY_COUNT_TYPE i;
  LY_ARRAY_FOR(range->parts, i) {
    const auto& part = range->parts[i];
    const std::string min = isSigned ? std::to_string(part.min_64) : std::to_string(part.min_u64);
    const std::string max = isSigned ? std::to_string(part.max_64) : std::to_string(part.max_u64);
    out += (out.empty() ? "" : " | ") + (min == max ? min : min + ".." + max);
  }
  return out;
}

/** Limits of whole numbers and of the lengths of texts. */
void writeRange(Object& out, const lysc_type* type) {
  const bool isSigned = type->basetype >= LY_TYPE_INT8 && type->basetype <= LY_TYPE_INT64;
  const bool isUnsigned = type->basetype >= LY_TYPE_UINT8 && type->basetype <= LY_TYPE_UINT64;
  const lysc_range* range = nullptr;
  if (isSigned || isUnsigned) range = reinterpret_cast<const lysc_type_num*>(type)->range;
  if (type->basetype == LY_TYPE_STRING) range = reinterpret_cast<const lysc_type_str*>(type)->length;
  if (range != nullptr) out.text("range", rangeText(range, isSigned).c_str());
}

/** Where a leafref points: its path, with the module of each prefix; that of the empty one is of names without. */
void writeTarget(Object& out, const lysc_type* type) {
  if (type->basetype != LY_TYPE_LEAFREF) return;
  const auto* leafref = reinterpret_cast<const lysc_type_leafref*>(type);
  Object prefixes, target;
  LY_ARRAY_COUNT_TYPE i;
  LY_ARRAY_FOR(leafref->prefixes, i) {
    const lysc_prefix& prefix = leafref->prefixes[i];
    prefixes.text(prefix.prefix != nullptr ? prefix.prefix : "", prefix.mod->name);
  }
  target.text("path", lyxp_get_expr(leafref->path));
  target.raw("prefixes", prefixes.end());
  out.raw("leafref", target.end());
}

/** Collects the numbers of the names of an enumeration; of a name that two members of a union have, the first counts.
 */
void addNumbers(const lysc_type* type, std::map<std::string, int32_t>& numbers) {
  LY_ARRAY_COUNT_TYPE i;
  if (type->basetype == LY_TYPE_UNION) {
    const auto* members = reinterpret_cast<const lysc_type_union*>(type)->types;
    LY_ARRAY_FOR(members, i) addNumbers(resolvedType(members[i]), numbers);
  } else if (type->basetype == LY_TYPE_ENUM) {
    const auto* items = reinterpret_cast<const lysc_type_enum*>(type)->enums;
    LY_ARRAY_FOR(items, i) numbers.emplace(items[i].name, items[i].value);
  }
}

void writeNumbers(Object& out, const lysc_type* type) {
  std::map<std::string, int32_t> numbers;
  addNumbers(type, numbers);
  if (numbers.empty()) return;
  Object named;
  for (const auto& [name, number] : numbers) named.raw(name.c_str(), std::to_string(number));
  out.raw("numbers", named.end());
}

void writeType(Object& out, const lysc_type* stated) {
  const lysc_type* type = resolvedType(stated);
  writeTarget(out, stated);
  out.text("type", typeName(type->basetype));
  writeRange(out, type);
  std::vector<std::string> items;
  LY_ARRAY_COUNT_TYPE i;
  if (type->basetype == LY_TYPE_UNION) {
    const auto* members = reinterpret_cast<const lysc_type_union*>(type)->types;
    LY_ARRAY_FOR(members, i) items.push_back(quoted(typeName(resolvedType(members[i])->basetype)));
    out.list("types", items);
  } else if (type->basetype == LY_TYPE_ENUM || type->basetype == LY_TYPE_BITS) {
    const auto* names = reinterpret_cast<const lysc_type_enum*>(type)->enums;
    LY_ARRAY_FOR(names, i) items.push_back(quoted(names[i].name));
    out.list("enums", items);
  }
  writeNumbers(out, type);
}

void writeElements(Object& out, uint32_t min, uint32_t max) {
  if (min > 0) out.raw("min", std::to_string(min));
  if (max != 0 && max != UINT32_MAX) out.raw("max", std::to_string(max));
}

void writeLeaf(Object& out, const lysc_node* node) {
  const ly_ctx* ly = node->module->ctx;
  if (node->nodetype == LYS_LEAF) {
    const auto* leaf = reinterpret_cast<const lysc_node_leaf*>(node);
    writeType(out, leaf->type);
    if (leaf->dflt != nullptr) out.list("defaults", {quoted(lyd_value_get_canonical(ly, leaf->dflt))});
    out.text("units", leaf->units);
  } else {
    const auto* leaflist = reinterpret_cast<const lysc_node_leaflist*>(node);
    writeType(out, leaflist->type);
    std::vector<std::string> defaults;
    LY_ARRAY_COUNT_TYPE i;
    LY_ARRAY_FOR(leaflist->dflts, i) defaults.push_back(quoted(lyd_value_get_canonical(ly, leaflist->dflts[i])));
    out.list("defaults", defaults);
    out.text("units", leaflist->units);
    writeElements(out, leaflist->min, leaflist->max);
  }
  out.text("typedef", typedefOf(node));
}

void writeList(Object& out, const lysc_node* node) {
  std::vector<std::string> keys;
  for (const lysc_node* child = lysc_node_child(node); child != nullptr; child = child->next) {
    if (lysc_is_key(child)) keys.push_back(quoted(child->name));
  }
  out.list("keys", keys);
  const auto* list = reinterpret_cast<const lysc_node_list*>(node);
  writeElements(out, list->min, list->max);
}

class SchemaWriter {
 public:
  explicit SchemaWriter(std::vector<const lysc_node*>& nodes) : nodes_(nodes) {}

  void module(const lys_module* module) {
    siblings(module->compiled->data, -1, {});
    siblings(reinterpret_cast<const lysc_node*>(module->compiled->rpcs), -1, {});
    siblings(reinterpret_cast<const lysc_node*>(module->compiled->notifs), -1, {});
  }

  std::string json() const { return joined(json_); }

 private:
  /** `within`: choices and cases around these nodes, outermost first, as JSON. */
  void siblings(const lysc_node* first, int parent, const std::vector<std::string>& within) {
    for (const lysc_node* node = first; node != nullptr && node->parent == first->parent; node = node->next) {
      if (node->nodetype == LYS_CHOICE) {
        choice(reinterpret_cast<const lysc_node_choice*>(node), parent, within);
      } else {
        write(node, parent, within);
      }
    }
  }

  void choice(const lysc_node_choice* choice, int parent, const std::vector<std::string>& within) {
    for (const lysc_node* node = &choice->cases->node; node != nullptr; node = node->next) {
      auto inner = within;
      inner.push_back(joined({quoted(choice->name), quoted(node->name), flag((choice->flags & LYS_MAND_TRUE) != 0),
                              flag(choice->dflt != nullptr && &choice->dflt->node == node)}));
      const lysc_node* child = lysc_node_child(node);
      if (child != nullptr) siblings(child, parent, inner);
    }
  }

  void write(const lysc_node* node, int parent, const std::vector<std::string>& within) {
    const int id = static_cast<int>(nodes_.size());
    nodes_.push_back(node);
    Object out;
    out.raw("id", std::to_string(id));
    out.raw("parent", std::to_string(parent));
    out.text("name", node->name);
    out.text("module", node->module->name);
    out.text("kind", kindOf(node));
    out.raw("config", flag((node->flags & LYS_CONFIG_W) != 0));
    out.set("presence", node->nodetype == LYS_CONTAINER && (node->flags & LYS_PRESENCE) != 0);
    if (node->nodetype == LYS_LIST) writeList(out, node);
    out.list("choices", within);
    if ((node->nodetype & (LYS_LEAF | LYS_LEAFLIST)) != 0) writeLeaf(out, node);
    out.set("mandatory", (node->nodetype & (LYS_LEAF | LYS_ANYDATA)) != 0 && (node->flags & LYS_MAND_TRUE) != 0);
    out.set("userOrdered", lysc_is_userordered(node));
    out.text("nacm", nacmOf(node));
    out.text("status", statusOf(node));
    out.text("description", node->dsc);
    json_.push_back(out.end());
    children(node, id);
  }

  void children(const lysc_node* node, int id) {
    if ((node->nodetype & (LYS_RPC | LYS_ACTION)) != 0) {
      const auto* operation = reinterpret_cast<const lysc_node_action*>(node);
      write(&operation->input.node, id, {});
      write(&operation->output.node, id, {});
      return;
    }
    const lysc_node* first = lysc_node_child(node);
    if (first != nullptr) siblings(first, id, {});
    siblings(reinterpret_cast<const lysc_node*>(lysc_node_actions(node)), id, {});
    siblings(reinterpret_cast<const lysc_node*>(lysc_node_notifs(node)), id, {});
  }

  std::vector<const lysc_node*>& nodes_;
  std::vector<std::string> json_;
};

/** Each identity of the module with those derived from it directly, which may be of other modules. */
void writeIdentities(Object& out, const lys_module* module) {
  Object identities;
  LY_ARRAY_COUNT_TYPE i, k;
  LY_ARRAY_FOR(module->identities, i) {
    const lysc_ident& identity = module->identities[i];
    std::vector<std::string> derived;
    LY_ARRAY_FOR(identity.derived, k) {
      derived.push_back(
          quoted((std::string(identity.derived[k]->module->name) + ':' + identity.derived[k]->name).c_str()));
    }
    identities.raw(identity.name, joined(derived));
  }
  if (i > 0) out.raw("identities", identities.end());
}

std::string moduleJson(const lys_module* module) {
  Object out;
  out.text("name", module->name);
  out.text("revision", module->revision);
  out.text("namespace", module->ns);
  out.text("prefix", module->prefix);
  out.raw("implemented", flag(module->implemented != 0));
  std::vector<std::string> features, submodules, deviations;
  uint32_t submodule = 0;
  const lysp_feature* feature = nullptr;
  while ((feature = lysp_feature_next(feature, module->parsed, &submodule)) != nullptr) {
    if (lys_feature_value(module, feature->name) == LY_SUCCESS) features.push_back(quoted(feature->name));
  }
  LY_ARRAY_COUNT_TYPE i;
  LY_ARRAY_FOR(module->parsed->includes, i) {
    const lysp_submodule* included = module->parsed->includes[i].submodule;
    Object item;
    item.text("name", included->name);
    if (included->revs != nullptr) item.text("revision", included->revs[0].date);
    submodules.push_back(item.end());
  }
  LY_ARRAY_FOR(module->deviated_by, i) deviations.push_back(quoted(module->deviated_by[i]->name));
  out.raw("features", joined(features));
  out.raw("submodules", joined(submodules));
  out.raw("deviations", joined(deviations));
  writeIdentities(out, module);
  return out.end();
}

}  // namespace

std::string dumpSchema(const ly_ctx* ly, std::vector<const lysc_node*>& nodes) {
  std::vector<std::string> modules;
  SchemaWriter writer(nodes);
  uint32_t index = 0;
  while (const lys_module* module = ly_ctx_get_module_iter(ly, &index)) {
    modules.push_back(moduleJson(module));
    if (module->implemented != 0 && module->compiled != nullptr) writer.module(module);
  }
  return "{\"modules\":" + joined(modules) + ",\"nodes\":" + writer.json() + '}';
}

}  // namespace netconf

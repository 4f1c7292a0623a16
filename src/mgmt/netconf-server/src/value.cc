// One value against the type of its leaf, through libyang's type plugins.
#include <libyang/plugins_types.h>

#include <cstring>

#include "context.h"

namespace netconf {

namespace {

/** Layout of libyang 2.1's `struct lyxml_ns`, which LY_VALUE_XML wants in a set and no public header shows. */
struct XmlNamespace {
  const char* prefix;
  const char* uri;
  uint32_t depth;
};

/** What LY_VALUE_XML takes as prefix data, for the time of one call. */
class NamespaceSet {
 public:
  explicit NamespaceSet(const Prefixes* prefixes) {
    if (prefixes == nullptr) return;
    spaces_.reserve(prefixes->size());
    for (const auto& [prefix, uri] : *prefixes) {
      spaces_.push_back({prefix.empty() ? nullptr : prefix.c_str(), uri.c_str(), 1});
      pointers_.push_back(&spaces_.back());
    }
    set_.size = set_.count = static_cast<uint32_t>(pointers_.size());
    set_.objs = pointers_.data();
  }
  ly_set* get() { return &set_; }

 private:
  std::vector<XmlNamespace> spaces_;
  std::vector<void*> pointers_;
  ly_set set_ = {};
};

const lysc_type* typeOf(const lysc_node* node) {
  return node->nodetype == LYS_LEAF ? reinterpret_cast<const lysc_node_leaf*>(node)->type
                                    : reinterpret_cast<const lysc_node_leaflist*>(node)->type;
}

/** Identities and paths; among strings the plugins of the typedefs xpath1.0 and node-instance-identifier. */
bool typeHoldsPrefixes(const lysc_type* stated) {
  const lysc_type* type = resolvedType(stated);
  if (type->basetype == LY_TYPE_IDENT || type->basetype == LY_TYPE_INST) return true;
  if (type->basetype == LY_TYPE_UNION) {
    const auto* members = reinterpret_cast<const lysc_type_union*>(type)->types;
    LY_ARRAY_COUNT_TYPE i;
    LY_ARRAY_FOR(members, i) {
      if (typeHoldsPrefixes(members[i])) return true;
    }
    return false;
  }
  const char* plugin = type->plugin->id;
  return strstr(plugin, "instance-identifier") != nullptr || strstr(plugin, "xpath") != nullptr;
}

LY_DATA_TYPE matchedType(const lyd_value& value) {
  const lysc_type* type = resolvedType(value.realtype);
  return type->basetype == LY_TYPE_UNION ? resolvedType(value.subvalue->value.realtype)->basetype : type->basetype;
}

}  // namespace

bool Context::holdsPrefixes(const lysc_node* node) const { return typeHoldsPrefixes(typeOf(node)); }

CheckedValue Context::checkValue(const lysc_node* node, std::string_view text, const Prefixes* prefixes) const {
  const lysc_type* type = typeOf(node);
  const char* start = text.empty() ? "" : text.data();
  lyd_value value = {};
  ly_err_item* error = nullptr;
  NamespaceSet spaces(prefixes);
  const LY_ERR result =
      type->plugin->store(ly_, type, start, text.size(), 0, prefixes != nullptr ? LY_VALUE_XML : LY_VALUE_JSON,
                          prefixes != nullptr ? spaces.get() : nullptr, LYD_HINT_DATA, node, &value, nullptr, &error);
  CheckedValue checked = {result == LY_SUCCESS || result == LY_EINCOMPLETE, "", "", type->basetype};
  if (checked.valid) {
    checked.text =
        static_cast<const char*>(value.realtype->plugin->print(ly_, &value, LY_VALUE_CANON, nullptr, nullptr, nullptr));
    checked.type = matchedType(value);
    value.realtype->plugin->free(ly_, &value);
  } else {
    checked.text = error != nullptr && error->msg != nullptr ? error->msg : "Invalid value.";
    checked.appTag = error != nullptr && error->apptag != nullptr ? error->apptag : "";
  }
  ly_err_free(error);
  return checked;
}

}  // namespace netconf

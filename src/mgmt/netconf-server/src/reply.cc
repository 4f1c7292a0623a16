#include "reply.h"

#include <cstring>

namespace netconf {

namespace {

constexpr const char* BASE = "urn:ietf:params:xml:ns:netconf:base:1.0";

std::string lastMessage(const ly_ctx* ly) {
  return ly_errmsg(ly) != nullptr ? ly_errmsg(ly) : "libyang gave no reason";
}

/** The operation's only output node when that is an anyxml: libyang prints such content as it stands. */
const lysc_node* onlyAnyxml(const lyd_node* operation) {
  const lysc_node* child = lys_getnext(nullptr, operation->schema, nullptr, LYS_GETNEXT_OUTPUT);
  if (child == nullptr || child->nodetype != LYS_ANYXML) return nullptr;
  return lys_getnext(child, operation->schema, nullptr, LYS_GETNEXT_OUTPUT) == nullptr ? child : nullptr;
}

/** Whether the rest of a start tag is nothing, or the one attribute xmlns with this namespace. */
bool isPlainTag(std::string rest, const char* space) {
  while (!rest.empty() && std::strchr(" \t\r\n", rest.back()) != nullptr) rest.pop_back();
  const size_t start = rest.find_first_not_of(" \t\r\n");
  if (rest.empty()) return true;
  if (start == 0) return false;
  rest = rest.substr(start);
  return rest == std::string("xmlns=\"") + space + '"' || rest == std::string("xmlns='") + space + '\'';
}

/**
 * Content of the one element that `xml` consists of, if it is `node` with no attribute but its namespace: libyang
 * writes the tag anew, and a prefix declared on it would be lost.
 */
bool contentOf(const std::string& xml, const lysc_node* node, std::string& content) {
  const std::string open = std::string("<") + node->name;
  const std::string close = std::string("</") + node->name + '>';
  const size_t end = xml.find('>');
  if (xml.compare(0, open.size(), open) != 0 || end == std::string::npos) return false;
  const bool empty = xml[end - 1] == '/';
  if (!isPlainTag(xml.substr(open.size(), end - (empty ? 1 : 0) - open.size()), node->module->ns)) return false;
  if (empty) return end + 1 == xml.size();
  if (xml.size() < end + 1 + close.size()) return false;
  if (xml.compare(xml.size() - close.size(), close.size(), close) != 0) return false;
  content = xml.substr(end + 1, xml.size() - close.size() - end - 1);
  return true;
}

/** A copy of the operation node alone, for the output to hang on: the input would go out with it. */
lyd_node* bareOperation(const lyd_node* operation) {
  lyd_node* bare = nullptr;
  lyd_dup_single(operation, nullptr, LYD_DUP_NO_META, &bare);
  return bare;
}

nc_server_reply* dataReply(const ly_ctx* ly, const lyd_node* operation, const std::string& xml) {
  if (xml.find_first_not_of(" \t\r\n") == std::string::npos) return nc_server_reply_ok();  // RFC 7950 §7.14.4
  lyd_node* bare = bareOperation(operation);
  if (bare == nullptr) return operationFailed(ly, "The reply could not be made: " + lastMessage(ly));
  const lysc_node* anyxml = onlyAnyxml(operation);
  std::string content;
  LY_ERR result = LY_SUCCESS;
  if (anyxml != nullptr && contentOf(xml, anyxml, content)) {
    result = lyd_new_any(bare, anyxml->module, anyxml->name, content.c_str(), 0, LYD_ANYDATA_XML, 1, nullptr);
  } else {
    const std::string message = std::string("<rpc-reply xmlns=\"") + BASE + "\">" + xml + "</rpc-reply>";
    ly_in* in = nullptr;
    lyd_node* envelope = nullptr;
    ly_in_new_memory(message.c_str(), &in);
    result = lyd_parse_op(ly, bare, in, LYD_XML, LYD_TYPE_REPLY_NETCONF, &envelope, nullptr);
    ly_in_free(in, 0);
    lyd_free_all(envelope);
  }
  const bool empty = lyd_child(bare) == nullptr;
  if (result == LY_SUCCESS && !empty) return nc_server_reply_data(bare, NC_WD_EXPLICIT, NC_PARAMTYPE_FREE);
  lyd_free_all(bare);
  if (result == LY_SUCCESS) return nc_server_reply_ok();
  return operationFailed(ly, "The reply does not fit the schema: " + lastMessage(ly));
}

nc_server_reply* errorReply(const ly_ctx* ly, const std::string& xml) {
  lyd_node* errors = nullptr;
  const LY_ERR result = lyd_parse_data_mem(ly, xml.c_str(), LYD_XML, LYD_PARSE_ONLY | LYD_PARSE_OPAQ, 0, &errors);
  bool complete = result == LY_SUCCESS && errors != nullptr;
  for (const lyd_node* error = errors; error != nullptr; error = error->next) {
    if (error->schema != nullptr || std::strcmp(LYD_NAME(error), "rpc-error") != 0) complete = false;
  }
  if (!complete) {
    lyd_free_all(errors);
    return operationFailed(ly, "The operation failed, and its error could not be written: " + lastMessage(ly));
  }
  lyd_node* next = errors->next;
  lyd_unlink_tree(errors);
  nc_server_reply* reply = nc_server_reply_err(errors);
  while (next != nullptr) {
    lyd_node* error = next;
    next = error->next;
    lyd_unlink_tree(error);
    nc_server_reply_add_err(reply, error);
  }
  return reply;
}

}  // namespace

nc_server_reply* operationFailed(const ly_ctx* ly, const std::string& message) {
  lyd_node* error = nc_err(ly, NC_ERR_OP_FAILED, NC_ERR_TYPE_APP);
  nc_err_set_msg(error, message.c_str(), "en");
  return nc_server_reply_err(error);
}

nc_server_reply* buildReply(const ly_ctx* ly, const lyd_node* operation, const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::ok:
      return nc_server_reply_ok();
    case Reply::Kind::data:
      return dataReply(ly, operation, reply.xml);
    case Reply::Kind::errors:
      return errorReply(ly, reply.xml);
  }
  return operationFailed(ly, "The reply has no known kind.");
}

}  // namespace netconf

// What JavaScript answers to one RPC, and how that becomes a reply of libnetconf2.
#pragma once

#include <libyang/libyang.h>

#include <string>

#include "libnetconf2.h"

namespace netconf {

struct Reply {
  enum class Kind { ok, data, errors };
  Kind kind;
  /** Content of the rpc-reply: output nodes, or complete rpc-error elements. */
  std::string xml;
};

/**
 * Never null. Data: the single element of an operation whose only output node is an anyxml goes out unchanged; other
 * output is parsed against the schema. Errors keep their child order and the prefixes of their paths. What does not
 * parse becomes an operation-failed error that says so.
 */
nc_server_reply* buildReply(const ly_ctx* ly, const lyd_node* operation, const Reply& reply);

/** An operation-failed error of type application with this message. */
nc_server_reply* operationFailed(const ly_ctx* ly, const std::string& message);

}  // namespace netconf

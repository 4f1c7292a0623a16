// What libyang found wrong, as plain values.
#pragma once

#include <libyang/libyang.h>

#include <string>
#include <unordered_set>
#include <vector>

namespace netconf {

struct Fault {
  std::string code;
  std::string message;
  /** Data path of the node, or of the parent that misses one; schema path where there is no data; may be empty. */
  std::string path;
  std::string appTag;
};

/**
 * The faults that this thread's last call on `context` left, first one first. libyang names neither the kind of
 * a fault nor whether a text is its own, so the kind follows from its fixed app-tags, its own message forms and
 * `mustMessages` (the error-message texts of the schema's must statements).
 */
std::vector<Fault> takeFaults(ly_ctx* context, const std::unordered_set<std::string>& mustMessages);

/** libyang's messages of this thread's last call, joined, for an exception. */
std::string takeMessages(ly_ctx* context);

/** While it lives, this thread keeps every error of libyang instead of the last one only. */
class KeepAllErrors {
 public:
  explicit KeepAllErrors(ly_ctx* context);
  ~KeepAllErrors();
  KeepAllErrors(const KeepAllErrors&) = delete;
  KeepAllErrors& operator=(const KeepAllErrors&) = delete;

 private:
  uint32_t options_ = LY_LOSTORE;
};

}  // namespace netconf

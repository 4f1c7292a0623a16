#include "faults.h"

#include <cstring>

namespace netconf {

namespace {

bool startsWith(const std::string& text, const char* start) { return text.compare(0, std::strlen(start), start) == 0; }

/** Forms of libyang's own messages (its LY_VCODE_* and LY_ERRMSG_* texts, which it never translates). */
struct MessageForm {
  const char* start;
  const char* code;
};
constexpr MessageForm FORMS[] = {
    {"Must condition \"", "must"},
    {"Mandatory node \"", "mandatory"},
    {"List instance is missing its key \"", "mandatory"},
    {"Mandatory choice \"", "mandatory-choice"},
    {"Invalid leafref value \"", "leafref"},
    {"Invalid instance-identifier \"", "leafref"},
    {"Unique data leaf(s) \"", "unique"},
    {"Too few \"", "too-few"},
    {"Too many \"", "too-many"},
    {"When condition \"", "when"},
    {"Duplicate instance of \"", "duplicate"},
    {"Data for both cases \"", "duplicate"},
    {"Unexpected data ", "unknown"},
};

/** App-tags that RFC 7950 §15 fixes; libyang sets them itself. */
constexpr MessageForm APP_TAGS[] = {
    {"must-violation", "must"},    {"missing-choice", "mandatory-choice"}, {"instance-required", "leafref"},
    {"data-not-unique", "unique"}, {"too-few-elements", "too-few"},        {"too-many-elements", "too-many"},
};

std::string codeOf(const ly_err_item& item, const std::string& message, const std::string& appTag,
                   const std::unordered_set<std::string>& mustMessages) {
  if (item.no != LY_EVALID) return item.no == LY_ENOTFOUND ? "unknown" : "other";
  for (const auto& form : FORMS) {
    if (startsWith(message, form.start)) return form.code;
  }
  for (const auto& tag : APP_TAGS) {
    if (appTag == tag.start) return tag.code;
  }
  if (mustMessages.count(message) != 0) return "must";
  if (item.vecode == LYVE_REFERENCE) return "unknown";
  return item.vecode == LYVE_DATA ? "value" : "other";
}

/** libyang writes `Data location "/a:b[c='d']", line number 5.`; what is left is the path. */
std::string pathOf(const char* location) {
  if (location == nullptr) return {};
  std::string text = location;
  if (!text.empty() && text[0] == '/') return text;
  const size_t start = text.find(" location \"");
  if (start == std::string::npos) return {};
  const size_t first = start + std::strlen(" location \"");
  size_t end = text.rfind("\", line number ");
  if (end == std::string::npos || end < first) end = text.rfind('"');
  return end == std::string::npos || end < first ? std::string() : text.substr(first, end - first);
}

/** libyang adds the choice to the path of its parent; RFC 7950 §15.6 wants the parent. */
void dropChoice(Fault& fault) {
  const size_t start = fault.message.find('"');
  const size_t end = fault.message.find('"', start + 1);
  const size_t slash = fault.path.rfind('/');
  if (end == std::string::npos || slash == std::string::npos) return;
  const size_t name = fault.path.find_first_of(':', slash);
  const std::string last = fault.path.substr((name == std::string::npos ? slash : name) + 1);
  if (last == fault.message.substr(start + 1, end - start - 1)) fault.path.resize(slash);
}

}  // namespace

std::vector<Fault> takeFaults(ly_ctx* context, const std::unordered_set<std::string>& mustMessages) {
  std::vector<Fault> faults;
  for (const ly_err_item* item = ly_err_first(context); item != nullptr; item = item->next) {
    if (item->level != LY_LLERR) continue;
    Fault fault;
    fault.message = item->msg != nullptr ? item->msg : "libyang gave no reason";
    fault.path = pathOf(item->path);
    fault.appTag = item->apptag != nullptr ? item->apptag : "";
    fault.code = codeOf(*item, fault.message, fault.appTag, mustMessages);
    if (fault.code == "mandatory-choice") dropChoice(fault);
    faults.push_back(std::move(fault));
  }
  ly_err_clean(context, nullptr);
  return faults;
}

std::string takeMessages(ly_ctx* context) {
  std::string text;
  for (const ly_err_item* item = ly_err_first(context); item != nullptr; item = item->next) {
    if (item->level != LY_LLERR || item->msg == nullptr) continue;
    if (!text.empty()) text += "; ";
    text += item->msg;
    if (item->path != nullptr) text += std::string(" (") + item->path + ")";
  }
  ly_err_clean(context, nullptr);
  return text.empty() ? "libyang gave no reason" : text;
}

KeepAllErrors::KeepAllErrors(ly_ctx* context) {
  if (context != nullptr) ly_err_clean(context, nullptr);
  ly_temp_log_options(&options_);
}

KeepAllErrors::~KeepAllErrors() { ly_temp_log_options(nullptr); }

}  // namespace netconf

// A netlink socket that another addon of this process has opened.
#include <linux/netlink.h>
#include <sys/socket.h>

#include "addon.h"

namespace {

// Descriptors that are looked at.
constexpr int kDescriptors = 65536;

int IntegerOption(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

bool IsBoundTo(int fd, uint32_t port) {
  sockaddr_nl address = {};
  socklen_t length = sizeof address;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 && address.nl_pid == port;
}

// ignoreNetlinkLoss(protocol, port): news that find no room in the socket's buffer are dropped without a word
// (NETLINK_NO_ENOBUFS). False when there is no such socket.
napi_value IgnoreNetlinkLoss(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const int protocol = arguments.Integer(0);
  const uint32_t port = static_cast<uint32_t>(arguments.Integer(1));
  bool is_done = false;
  for (int fd = 0; fd < kDescriptors && !is_done; fd++) {
    if (IntegerOption(fd, SO_DOMAIN) != AF_NETLINK || IntegerOption(fd, SO_PROTOCOL) != protocol) continue;
    if (!IsBoundTo(fd, port)) continue;
    const int on = 1;
    is_done = setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) == 0;
  }
  napi_value result = nullptr;
  napi_get_boolean(env, is_done, &result);
  return result;
}

}  // namespace

void AddNetlinkFunctions(napi_env env, napi_value exports) {
  AddFunction(env, exports, "ignoreNetlinkLoss", IgnoreNetlinkLoss);
}

// Properties of a network device by name, through ioctl on a socket: MTU, up, addresses.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "addon.h"

// The kernel's own header for this struct collides with net/if.h.
struct in6_ifreq {
  struct in6_addr ifr6_addr;
  uint32_t ifr6_prefixlen;
  int ifr6_ifindex;
};

namespace {

// A socket for ioctl, closed at the end of the scope.
struct ControlSocket {
  int fd;
  explicit ControlSocket(int family) : fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~ControlSocket() {
    if (fd >= 0) close(fd);
  }
};

ifreq RequestFor(const std::string& name) {
  ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return request;
}

napi_value GetMtu(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  ControlSocket control(AF_INET);
  ifreq request = RequestFor(name);
  if (ioctl(control.fd, SIOCGIFMTU, &request) < 0) return ThrowSystem(env, errno, "SIOCGIFMTU", name);
  return Number(env, request.ifr_mtu);
}

napi_value SetMtu(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  ControlSocket control(AF_INET);
  ifreq request = RequestFor(name);
  request.ifr_mtu = arguments.Integer(1);
  if (ioctl(control.fd, SIOCSIFMTU, &request) < 0) return ThrowSystem(env, errno, "SIOCSIFMTU", name);
  return nullptr;
}

napi_value GetUp(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  ControlSocket control(AF_INET);
  ifreq request = RequestFor(name);
  if (ioctl(control.fd, SIOCGIFFLAGS, &request) < 0) return ThrowSystem(env, errno, "SIOCGIFFLAGS", name);
  napi_value result;
  napi_get_boolean(env, (request.ifr_flags & IFF_UP) != 0, &result);
  return result;
}

napi_value SetUp(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  ControlSocket control(AF_INET);
  ifreq request = RequestFor(name);
  if (ioctl(control.fd, SIOCGIFFLAGS, &request) < 0) return ThrowSystem(env, errno, "SIOCGIFFLAGS", name);
  if (arguments.Boolean(1)) {
    request.ifr_flags |= IFF_UP;
  } else {
    request.ifr_flags &= ~IFF_UP;
  }
  if (ioctl(control.fd, SIOCSIFFLAGS, &request) < 0) return ThrowSystem(env, errno, "SIOCSIFFLAGS", name);
  return nullptr;
}

int PrefixLength(const sockaddr* mask, int family) {
  const uint8_t* octets = family == AF_INET
                              ? reinterpret_cast<const uint8_t*>(&reinterpret_cast<const sockaddr_in*>(mask)->sin_addr)
                              : reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr.s6_addr;
  int length = 0;
  for (int i = 0; i < (family == AF_INET ? 4 : 16); i++) length += __builtin_popcount(octets[i]);
  return length;
}

// The addresses of one family as "address/length".
napi_value GetAddresses(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  int family = arguments.Integer(1) == 4 ? AF_INET : AF_INET6;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) < 0) return ThrowSystem(env, errno, "getifaddrs", name);
  napi_value result;
  napi_create_array(env, &result);
  uint32_t count = 0;
  for (ifaddrs* item = all; item; item = item->ifa_next) {
    if (!item->ifa_addr || item->ifa_addr->sa_family != family || name != item->ifa_name) continue;
    const void* address = family == AF_INET
                              ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(item->ifa_addr)->sin_addr)
                              : static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(item->ifa_addr)->sin6_addr);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, address, text, sizeof text);
    std::string whole = std::string(text) + "/" + std::to_string(PrefixLength(item->ifa_netmask, family));
    napi_set_element(env, result, count++, Text(env, whole));
  }
  freeifaddrs(all);
  return result;
}

napi_value SetIpv4(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  ControlSocket control(AF_INET);
  ifreq request = RequestFor(name);
  sockaddr_in* address = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  address->sin_family = AF_INET;
  if (inet_pton(AF_INET, arguments.Text(1).c_str(), &address->sin_addr) != 1) {
    return ThrowSystem(env, EINVAL, "SIOCSIFADDR", name);
  }
  if (ioctl(control.fd, SIOCSIFADDR, &request) < 0) return ThrowSystem(env, errno, "SIOCSIFADDR", name);
  int length = arguments.Integer(2);
  address->sin_addr.s_addr = htonl(length == 0 ? 0 : ~0u << (32 - length));
  if (ioctl(control.fd, SIOCSIFNETMASK, &request) < 0) return ThrowSystem(env, errno, "SIOCSIFNETMASK", name);
  return nullptr;
}

napi_value ChangeIpv6(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string name = arguments.Text(0);
  const bool remove = arguments.Boolean(3);
  ControlSocket control(AF_INET6);
  in6_ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr6_prefixlen = arguments.Integer(2);
  request.ifr6_ifindex = if_nametoindex(name.c_str());
  const char* call = remove ? "SIOCDIFADDR" : "SIOCSIFADDR";
  if (request.ifr6_ifindex == 0) return ThrowSystem(env, ENODEV, call, name);
  if (inet_pton(AF_INET6, arguments.Text(1).c_str(), &request.ifr6_addr) != 1) {
    return ThrowSystem(env, EINVAL, call, name);
  }
  if (ioctl(control.fd, remove ? SIOCDIFADDR : SIOCSIFADDR, &request) < 0 && errno != EEXIST) {
    return ThrowSystem(env, errno, call, name);
  }
  return nullptr;
}

}  // namespace

void AddDeviceFunctions(napi_env env, napi_value exports) {
  AddFunction(env, exports, "getMtu", GetMtu);
  AddFunction(env, exports, "setMtu", SetMtu);
  AddFunction(env, exports, "getUp", GetUp);
  AddFunction(env, exports, "setUp", SetUp);
  AddFunction(env, exports, "getAddresses", GetAddresses);
  AddFunction(env, exports, "setIpv4", SetIpv4);
  AddFunction(env, exports, "changeIpv6", ChangeIpv6);
}

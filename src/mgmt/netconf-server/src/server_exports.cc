// The functions of the NETCONF server that JavaScript calls; server.ts gives them their shape.
#include <cerrno>
#include <cstring>

#include "addon.h"
#include "napi_values.h"
#include "server.h"

namespace netconf {

namespace {

using ServerHandle = std::shared_ptr<Server>;

Server* serverOf(napi_env env, napi_value handle) {
  void* data = nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok) {
    throwError(env, "SERVER_CLOSED", "This is no NETCONF server.");
    return nullptr;
  }
  return static_cast<ServerHandle*>(data)->get();
}

/** openServer(context, capabilities, basicMode or '', alsoSupported, pickUpMs, onEvent) -> handle */
napi_value openServer(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  auto context = sharedContextOf(env, args.values[0]);
  if (!context) return throwError(env, "YANG_CONTEXT", "The YANG context is closed; make a new one.");
  const ServerOptions options = {toStrings(env, args.values[1]), toUtf8(env, args.values[2]),
                                 toStrings(env, args.values[3]), toInt(env, args.values[4])};
  std::string error;
  auto server = Server::open(env, std::move(context), options, args.values[5], error);
  if (!server) return throwError(env, "SERVER_EXISTS", error);
  napi_value handle;
  napi_create_external(
      env, new ServerHandle(std::move(server)),
      [](napi_env, void* data, void*) { delete static_cast<ServerHandle*>(data); }, nullptr, &handle);
  return handle;
}

/** acceptSession(server, user) -> [fd, session] */
napi_value acceptSession(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Server* server = serverOf(env, args.values[0]);
  if (server == nullptr) return nullptr;
  if (server->closing()) return throwError(env, "SERVER_CLOSED", "The NETCONF server is closed.");
  uint32_t session = 0;
  const int fd = server->accept(toUtf8(env, args.values[1]), session);
  if (fd < 0) {
    return throwError(env, "SESSION_RESOURCES",
                      std::string("No socket or thread for another NETCONF session: ") + std::strerror(errno));
  }
  napi_value pair;
  napi_create_array_with_length(env, 2, &pair);
  napi_set_element(env, pair, 0, makeInt(env, fd));
  napi_set_element(env, pair, 1, makeInt(env, session));
  return pair;
}

/** answerRpc(server, session, sequence, kind, xml) -> whether the RPC was waiting; kind as Reply::Kind */
napi_value answerRpc(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Server* server = serverOf(env, args.values[0]);
  if (server == nullptr) return nullptr;
  Reply reply = {static_cast<Reply::Kind>(toInt(env, args.values[3])), toUtf8(env, args.values[4])};
  if (!isYangText(reply.xml)) return throwError(env, "YANG_DATA", "The reply has a character that XML cannot hold.");
  napi_value waiting;
  napi_get_boolean(env,
                   server->answer(static_cast<uint32_t>(toInt(env, args.values[1])),
                                  static_cast<uint32_t>(toInt(env, args.values[2])), std::move(reply)),
                   &waiting);
  return waiting;
}

/** notifySession(server, session, xml, eventTime) */
napi_value notifySession(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Server* server = serverOf(env, args.values[0]);
  if (server == nullptr) return nullptr;
  std::string error;
  const bool valid = server->notify(static_cast<uint32_t>(toInt(env, args.values[1])), toUtf8(env, args.values[2]),
                                    toUtf8(env, args.values[3]), error);
  return valid ? makeUndefined(env)
               : throwError(env, "YANG_DATA", "The notification does not fit the schema: " + error);
}

napi_value terminateSession(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Server* server = serverOf(env, args.values[0]);
  if (server != nullptr) server->terminate(static_cast<uint32_t>(toInt(env, args.values[1])));
  return server != nullptr ? makeUndefined(env) : nullptr;
}

napi_value closeServer(napi_env env, napi_callback_info info) {
  const Arguments args(env, info);
  Server* server = serverOf(env, args.values[0]);
  if (server != nullptr) server->close();
  return server != nullptr ? makeUndefined(env) : nullptr;
}

}  // namespace

void defineServer(napi_env env, napi_value exports) {
  define(env, exports, "openServer", openServer);
  define(env, exports, "acceptSession", acceptSession);
  define(env, exports, "answerRpc", answerRpc);
  define(env, exports, "notifySession", notifySession);
  define(env, exports, "terminateSession", terminateSession);
  define(env, exports, "closeServer", closeServer);
}

}  // namespace netconf

// The NETCONF server: libnetconf2 keeps one per process. All methods belong to the JavaScript thread.
#pragma once

#include <node_api.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "context.h"
#include "session.h"

namespace netconf {

struct ServerOptions {
  std::vector<std::string> capabilities;
  /** with-defaults (RFC 6243); basic mode empty: not advertised. */
  std::string basicMode;
  std::vector<std::string> alsoSupported;
  int pickUpMs;
};

class Server : public std::enable_shared_from_this<Server> {
 public:
  /** Null, with the reason in `error`, when this process has a server already or the library refuses. */
  static std::shared_ptr<Server> open(napi_env env, std::shared_ptr<Context> context, const ServerOptions& options,
                                      napi_value onEvent, std::string& error);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /** Gives the caller's end of a new socketpair; -1 and the errno when there is none to have. */
  int accept(const std::string& user, uint32_t& handle);
  bool answer(uint32_t session, uint32_t sequence, Reply reply);
  /** False when the notification is not one of the schema; `error` tells why. An unknown session is fine. */
  bool notify(uint32_t session, const std::string& xml, const std::string& eventTime, std::string& error);
  void terminate(uint32_t session);
  /** Ends all sessions; the event `closed` follows when the last thread has ended. */
  void close();
  bool closing() const { return closing_; }

 private:
  struct Event;

  Server(napi_env env, std::shared_ptr<Context> context, int pickUpMs);
  bool initLibrary(const ServerOptions& options);
  void post(Event* event);
  void finishIfIdle();
  void callJs(const Event& event);
  Session* find(uint32_t handle) const;

  static void onEvent(napi_env env, napi_value callback, void* server, void* event);
  static void onEnvironmentEnd(void* server);

  napi_env env_;
  std::shared_ptr<Context> context_;
  int pickUpMs_;
  napi_threadsafe_function post_ = nullptr;
  napi_ref callback_ = nullptr;
  std::unordered_map<uint32_t, std::shared_ptr<Session>> sessions_;
  uint32_t nextHandle_ = 1;
  bool closing_ = false;
  bool finished_ = false;
  /** Keeps the server while threads may post to it. */
  std::shared_ptr<Server> self_;
};

}  // namespace netconf

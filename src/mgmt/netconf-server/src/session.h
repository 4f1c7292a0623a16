// One NETCONF session: a thread of its own that libnetconf2 runs on, and what other threads may ask of it.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "context.h"
#include "libnetconf2.h"
#include "reply.h"

namespace netconf {

/** One RPC on its way to JavaScript. */
struct RpcRequest {
  uint32_t session;
  /** Counts the RPCs of the session: an answer names the RPC it is for. */
  uint32_t sequence;
  std::string operation;
  std::string module;
  std::string xml;
};

/** Called from the session's thread; both must only hand on. */
struct SessionEvents {
  std::function<void(RpcRequest)> onRpc;
  /** The session is freed and its thread does nothing more. */
  std::function<void(uint32_t session, std::string reason)> onEnd;
};

class Session {
 public:
  /** Takes `fd`, one end of a connected stream socket, and starts the thread. Null when there is no thread to have. */
  static std::shared_ptr<Session> start(uint32_t handle, int fd, std::string user, std::shared_ptr<Context> context,
                                        int pickUpMs, const SessionEvents& events);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /** JavaScript starts this RPC. False when it came too late: the client already has its error. */
  bool pickUp(uint32_t sequence);
  /** False when this RPC is not waiting for an answer. */
  bool answer(uint32_t sequence, Reply reply);
  /** Takes the tree. Sent in order with answers. False when so many wait that the client must be lost. */
  bool notify(Tree notification, std::string eventTime);
  /** Ends the session at once, without a word to the client; an RPC that was started is still awaited. */
  void terminate(const std::string& reason);
  /** Nobody answers any more: a waiting RPC is given up too. */
  void abandon();
  void join();

 private:
  enum class Rpc { none, posted, started, answered };
  struct Notification {
    Tree tree;
    std::string eventTime;
  };

  Session(uint32_t handle, int fd, std::string user, std::shared_ptr<Context> context, int pickUpMs,
          const SessionEvents& events);

  void run();
  std::string serve(nc_session* session);
  bool drainWake();
  void sendNotifications(nc_session* session, size_t atMost);
  void wake();

  static nc_server_reply* onRpc(lyd_node* rpc, nc_session* session);
  nc_server_reply* handle(const lyd_node* rpc, nc_session* session);
  bool awaitPickUp(std::unique_lock<std::mutex>& lock);
  bool awaitAnswer(std::unique_lock<std::mutex>& lock, nc_session* session);

  friend void setRpcCallbacks(const Context& context);

  const uint32_t handle_;
  const int fd_;
  const std::string user_;
  const std::shared_ptr<Context> context_;
  const int pickUpMs_;
  const SessionEvents events_;
  int wakeFd_ = -1;
  pthread_t thread_ = {};
  bool joinable_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  Rpc rpc_ = Rpc::none;
  uint32_t sequence_ = 0;
  Reply reply_ = {Reply::Kind::ok, ""};
  std::deque<Notification> notifications_;
  /** Those queued before the answer go out before it. */
  size_t notificationsBeforeReply_ = 0;
  bool terminated_ = false;
  bool abandoned_ = false;
  std::string reason_;
};

/** Every operation of the context comes to our callback, so that none of libnetconf2's own ones is used. */
void setRpcCallbacks(const Context& context);

/** Keeps libnetconf2's error messages for the reason a session ended, instead of printing them. */
void captureLibraryMessages();

}  // namespace netconf

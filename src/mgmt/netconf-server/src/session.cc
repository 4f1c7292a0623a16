// Flow of one session, in its thread:
// 1. nc_accept_inout: our hello goes out, the client's comes in.
// 2. poll() on the socket and on an eventfd; libnetconf2 is called only when octets are there.
// 3. nc_ps_poll reads one message, parses it and calls onRpc; JavaScript gets it as text; the thread waits.
// 4. The answer becomes a reply; libnetconf2 writes it. Notifications are written between, in the order they came.
// 5. At the end the session is freed, the socket closed, and the end told.
#include "session.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace netconf {

namespace {

/** libyang refuses more than 500 open elements; those need between 128 and 256 KiB. Untouched pages cost nothing. */
constexpr size_t STACK_OCTETS = 1 << 20;
/** Waiting notifications at which a client that does not read is lost. */
constexpr size_t NOTIFICATIONS_MAX = 4096;
/** For locks that only this thread takes. */
constexpr int LOCK_MS = 1000;

thread_local std::string lastLibraryMessage;

void keepMessage(const nc_session*, NC_VERB_LEVEL level, const char* message) {
  if (level == NC_VERB_ERROR) lastLibraryMessage = message;
}

std::string reasonOr(const char* otherwise) { return lastLibraryMessage.empty() ? otherwise : lastLibraryMessage; }

}  // namespace

void captureLibraryMessages() { nc_set_print_clb_session(keepMessage); }

void setRpcCallbacks(const Context& context) {
  for (const lysc_node* node : context.nodes()) {
    if ((node->nodetype & (LYS_RPC | LYS_ACTION)) == 0) continue;
    const_cast<lysc_node*>(node)->priv = reinterpret_cast<void*>(&Session::onRpc);
  }
}

Session::Session(uint32_t handle, int fd, std::string user, std::shared_ptr<Context> context, int pickUpMs,
                 const SessionEvents& events)
    : handle_(handle),
      fd_(fd),
      user_(std::move(user)),
      context_(std::move(context)),
      pickUpMs_(pickUpMs),
      events_(events) {}

std::shared_ptr<Session> Session::start(uint32_t handle, int fd, std::string user, std::shared_ptr<Context> context,
                                        int pickUpMs, const SessionEvents& events) {
  std::shared_ptr<Session> session(new Session(handle, fd, std::move(user), std::move(context), pickUpMs, events));
  session->wakeFd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (session->wakeFd_ < 0) return nullptr;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_OCTETS);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the main thread
  const auto entry = [](void* self) -> void* {
    static_cast<Session*>(self)->run();
    return nullptr;
  };
  session->joinable_ = pthread_create(&session->thread_, &attributes, entry, session.get()) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return session->joinable_ ? session : nullptr;
}

Session::~Session() {
  join();
  close(fd_);
  if (wakeFd_ >= 0) close(wakeFd_);
}

void Session::join() {
  if (joinable_) pthread_join(thread_, nullptr);
  joinable_ = false;
}

void Session::run() {
  lastLibraryMessage.clear();
  nc_session* session = nullptr;
  std::string reason;
  if (nc_accept_inout(fd_, fd_, user_.c_str(), &session) == NC_MSG_HELLO) {
    nc_session_set_data(session, this);
    nc_session_inc_notif_status(session);
    lastLibraryMessage.clear();
    reason = serve(session);
    nc_session_free(session, nullptr);
  } else {
    reason = "no valid hello: " + reasonOr("the client sent none");
  }
  shutdown(fd_, SHUT_RDWR);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!reason_.empty()) reason = reason_;
    terminated_ = true;
    notifications_.clear();
  }
  events_.onEnd(handle_, reason);
}

/** Runs until the session ends; tells why. */
std::string Session::serve(nc_session* session) {
  nc_pollsession* sessions = nc_ps_new();
  nc_ps_add_session(sessions, session);
  std::string reason;
  while (reason.empty()) {
    pollfd descriptors[2] = {{fd_, POLLIN, 0}, {wakeFd_, POLLIN, 0}};
    if (poll(descriptors, 2, -1) < 0 && errno != EINTR) reason = "poll failed";
    if (descriptors[1].revents != 0) {
      if (!drainWake()) reason = "terminated";
      sendNotifications(session, SIZE_MAX);
    } else if (descriptors[0].revents != 0) {
      const int result = nc_ps_poll(sessions, LOCK_MS, nullptr);
      if ((result & (NC_PSPOLL_SESSION_TERM | NC_PSPOLL_ERROR)) == 0) continue;
      reason = nc_session_get_term_reason(session) == NC_SESSION_TERM_CLOSED ? "closed by close-session"
                                                                             : reasonOr("the connection ended");
    }
  }
  nc_ps_del_session(sessions, session);
  nc_ps_free(sessions);
  return reason;
}

/** False when the session is to end. */
bool Session::drainWake() {
  uint64_t count;
  if (read(wakeFd_, &count, sizeof count) < 0) count = 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  return !terminated_;
}

void Session::wake() {
  const uint64_t one = 1;
  if (write(wakeFd_, &one, sizeof one) < 0) return;  // the counter is full: it is awake already
}

void Session::sendNotifications(nc_session* session, size_t atMost) {
  for (size_t sent = 0; sent < atMost; sent++) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (notifications_.empty() || terminated_) return;
    Notification next = std::move(notifications_.front());
    notifications_.pop_front();
    lock.unlock();
    char* time = strdup(next.eventTime.c_str());
    nc_server_notif* message = nc_server_notif_new(next.tree.release(), time, NC_PARAMTYPE_FREE);
    nc_server_notif_send(session, message, LOCK_MS);
    nc_server_notif_free(message);
  }
}

bool Session::notify(Tree notification, std::string eventTime) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (terminated_) return true;
  if (notifications_.size() >= NOTIFICATIONS_MAX) return false;
  notifications_.push_back({std::move(notification), std::move(eventTime)});
  changed_.notify_all();
  wake();
  return true;
}

void Session::terminate(const std::string& reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (terminated_) return;
  terminated_ = true;
  reason_ = reason;
  changed_.notify_all();
  shutdown(fd_, SHUT_RDWR);  // wakes a thread that is in the middle of a read or write
  wake();
}

void Session::abandon() {
  terminate("the server was abandoned");
  const std::lock_guard<std::mutex> lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

nc_server_reply* Session::onRpc(lyd_node* rpc, nc_session* session) {
  return static_cast<Session*>(nc_session_get_data(session))->handle(rpc, session);
}

nc_server_reply* Session::handle(const lyd_node* rpc, nc_session* session) {
  const lyd_node* top = rpc;
  while (top->parent != nullptr) top = &top->parent->node;
  char* printed = nullptr;
  lyd_print_mem(&printed, top, LYD_XML, LYD_PRINT_SHRINK | LYD_PRINT_KEEPEMPTYCONT);
  const LyString xml(printed);
  if (!xml) return operationFailed(context_->ly(), "The operation could not be read.");
  const lysc_node* operation = rpc->schema;

  std::unique_lock<std::mutex> lock(mutex_);
  rpc_ = Rpc::posted;
  sequence_++;
  events_.onRpc({handle_, sequence_, operation->name, operation->module->name, xml.get()});
  if (!awaitPickUp(lock)) {
    rpc_ = Rpc::none;
    return operationFailed(context_->ly(), "The server is too busy to start the operation; nothing was changed.");
  }
  const bool answered = awaitAnswer(lock, session);
  rpc_ = Rpc::none;
  if (!answered) return operationFailed(context_->ly(), "The server ended before the operation was answered.");
  const Reply reply = std::move(reply_);
  lock.unlock();
  const bool closing = std::string(operation->name) == "close-session" &&
                       std::string(operation->module->name) == "ietf-netconf" && reply.kind == Reply::Kind::ok;
  if (closing) nc_session_set_term_reason(session, NC_SESSION_TERM_CLOSED);
  return buildReply(context_->ly(), rpc, reply);
}

/** Sleeps on after the pick-up when there is nothing to do until the answer: each waking costs the operation time. */
bool Session::awaitPickUp(std::unique_lock<std::mutex>& lock) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(pickUpMs_);
  changed_.wait_until(lock, deadline, [this] {
    return rpc_ == Rpc::answered || terminated_ || (rpc_ == Rpc::started && !notifications_.empty());
  });
  return rpc_ != Rpc::posted;
}

/** Without deadline: the operation is under way and its effect is to be told. */
bool Session::awaitAnswer(std::unique_lock<std::mutex>& lock, nc_session* session) {
  for (;;) {
    const bool mayNotify = !notifications_.empty() && !terminated_;
    if (rpc_ == Rpc::answered && (notificationsBeforeReply_ == 0 || !mayNotify)) return true;
    if (abandoned_) return false;
    if (!mayNotify) {
      changed_.wait(lock);
      continue;
    }
    if (rpc_ == Rpc::answered) notificationsBeforeReply_--;
    lock.unlock();
    sendNotifications(session, 1);
    lock.lock();
  }
}

bool Session::pickUp(uint32_t sequence) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (rpc_ != Rpc::posted || sequence != sequence_ || terminated_) return false;
  rpc_ = Rpc::started;
  if (!notifications_.empty()) changed_.notify_all();
  return true;
}

bool Session::answer(uint32_t sequence, Reply reply) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (rpc_ != Rpc::started || sequence != sequence_) return false;
    reply_ = std::move(reply);
    notificationsBeforeReply_ = notifications_.size();
    rpc_ = Rpc::answered;
  }
  // Without the lock: the thread that wakes wants it at once.
  changed_.notify_all();
  return true;
}

}  // namespace netconf

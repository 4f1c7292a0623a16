#include "server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "libnetconf2.h"
#include "napi_values.h"

namespace netconf {

namespace {

std::atomic<bool> serverExists{false};

/** Written here because libnetconf2 2.0 writes it wrong: it takes its numbered modes for bits. */
std::string withDefaultsCapability(const ServerOptions& options) {
  std::string text = "urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=" + options.basicMode;
  for (const auto& mode : options.alsoSupported) {
    text += (&mode == options.alsoSupported.data() ? "&also-supported=" : ",") + mode;
  }
  return text;
}

char* copyContentId(void* contentId) { return strdup(static_cast<const char*>(contentId)); }

}  // namespace

/** What the threads tell JavaScript; the numbers are those of EVENT in server.ts. */
struct Server::Event {
  enum class Kind { rpc = 0, end = 1, closed = 2 };
  Kind kind;
  RpcRequest rpc;
};

Server::Server(napi_env env, std::shared_ptr<Context> context, int pickUpMs)
    : env_(env), context_(std::move(context)), pickUpMs_(pickUpMs) {}

std::shared_ptr<Server> Server::open(napi_env env, std::shared_ptr<Context> context, const ServerOptions& options,
                                     napi_value onEvent, std::string& error) {
  if (serverExists.exchange(true)) {
    error = "This process has a NETCONF server already; close it first.";
    return nullptr;
  }
  std::shared_ptr<Server> server(new Server(env, std::move(context), options.pickUpMs));
  if (!server->initLibrary(options)) {
    error = "libnetconf2 could not be initialised.";
    serverExists = false;
    server->finished_ = true;
    return nullptr;
  }
  napi_create_reference(env, onEvent, 1, &server->callback_);
  napi_create_threadsafe_function(env, onEvent, nullptr, makeString(env, "netconf-server"), 0, 1, nullptr, nullptr,
                                  server.get(), Server::onEvent, &server->post_);
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, server.get());
  server->self_ = server;
  return server;
}

bool Server::initLibrary(const ServerOptions& options) {
  captureLibraryMessages();
  setRpcCallbacks(*context_);
  if (nc_server_init(context_->ly()) != 0) return false;
  nc_server_set_content_id_clb(copyContentId, strdup(context_->contentId().c_str()), free);
  for (const auto& capability : options.capabilities) nc_server_set_capability(capability.c_str());
  if (!options.basicMode.empty()) nc_server_set_capability(withDefaultsCapability(options).c_str());
  return true;
}

Server::~Server() {
  if (!finished_) onEnvironmentEnd(this);
}

Session* Server::find(uint32_t handle) const {
  const auto found = sessions_.find(handle);
  return found == sessions_.end() ? nullptr : found->second.get();
}

int Server::accept(const std::string& user, uint32_t& handle) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  handle = nextHandle_++;
  const SessionEvents events = {[this](RpcRequest request) {
                                  post(new Event{Event::Kind::rpc, std::move(request)});
                                },
                                [this](uint32_t session, std::string reason) {
                                  post(new Event{Event::Kind::end, {session, 0, "", "", std::move(reason)}});
                                }};
  auto session = Session::start(handle, ends[0], user, context_, pickUpMs_, events);
  if (!session) {
    ::close(ends[1]);
    errno = EAGAIN;
    return -1;
  }
  sessions_.emplace(handle, std::move(session));
  return ends[1];
}

bool Server::answer(uint32_t session, uint32_t sequence, Reply reply) {
  Session* found = find(session);
  return found != nullptr && found->answer(sequence, std::move(reply));
}

bool Server::notify(uint32_t session, const std::string& xml, const std::string& eventTime, std::string& error) {
  Session* found = find(session);
  if (found == nullptr) return true;
  ly_in* in = nullptr;
  lyd_node* tree = nullptr;
  lyd_node* operation = nullptr;
  ly_in_new_memory(xml.c_str(), &in);
  const LY_ERR result = lyd_parse_op(context_->ly(), nullptr, in, LYD_XML, LYD_TYPE_NOTIF_YANG, &tree, &operation);
  ly_in_free(in, 0);
  Tree owner(tree);
  if (result != LY_SUCCESS) {
    error = takeMessages(context_->ly());
    return false;
  }
  if (!found->notify(std::move(owner), eventTime)) found->terminate("the client does not read its notifications");
  return true;
}

void Server::terminate(uint32_t session) {
  Session* found = find(session);
  if (found != nullptr) found->terminate("terminated");
}

void Server::close() {
  if (closing_) return;
  closing_ = true;
  for (const auto& [handle, session] : sessions_) session->terminate("the server closes");
  finishIfIdle();
}

/** Threads are gone; then the server, then the hold on the context. */
void Server::finishIfIdle() {
  if (!closing_ || finished_ || !sessions_.empty()) return;
  finished_ = true;
  nc_server_destroy();
  serverExists = false;
  napi_remove_env_cleanup_hook(env_, onEnvironmentEnd, this);
  const std::shared_ptr<Server> keep = std::move(self_);
  callJs({Event::Kind::closed, {}});
  napi_delete_reference(env_, callback_);
  napi_release_threadsafe_function(post_, napi_tsfn_release);
  context_.reset();
}

/** The environment ends with sessions open: nobody will answer, so the threads are ended here. */
void Server::onEnvironmentEnd(void* data) {
  auto* server = static_cast<Server*>(data);
  if (server->finished_) return;
  server->finished_ = true;
  for (const auto& [handle, session] : server->sessions_) session->abandon();
  for (const auto& [handle, session] : server->sessions_) session->join();
  server->sessions_.clear();
  nc_server_destroy();
  serverExists = false;
  server->context_.reset();
  const std::shared_ptr<Server> keep = std::move(server->self_);
}

void Server::post(Event* event) {
  if (napi_call_threadsafe_function(post_, event, napi_tsfn_nonblocking) != napi_ok) delete event;
}

void Server::onEvent(napi_env env, napi_value, void* data, void* posted) {
  const std::unique_ptr<Event> event(static_cast<Event*>(posted));
  if (env == nullptr) return;
  auto* server = static_cast<Server*>(data);
  const uint32_t handle = event->rpc.session;
  if (event->kind == Event::Kind::rpc) {
    Session* session = server->find(handle);
    if (session != nullptr && session->pickUp(event->rpc.sequence)) server->callJs(*event);
    return;
  }
  server->sessions_.erase(handle);  // joins the thread, which has nothing left to do
  server->callJs(*event);
  server->finishIfIdle();
}

void Server::callJs(const Event& event) {
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  napi_value callback;
  napi_get_reference_value(env_, callback_, &callback);
  napi_value arguments[] = {makeInt(env_, static_cast<int>(event.kind)), makeInt(env_, event.rpc.session),
                            makeInt(env_, event.rpc.sequence),           makeString(env_, event.rpc.operation),
                            makeString(env_, event.rpc.module),          makeString(env_, event.rpc.xml)};
  napi_call_function(env_, makeUndefined(env_), callback, 6, arguments, nullptr);
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (pending) {
    napi_value error;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
}

}  // namespace netconf

// Programs that are run to their end. fork copies the tables of all memory that is in use and takes the right to write
// from every page: meanwhile, and at the first write to each page after it, other threads wait. posix_spawn shares the
// memory until the program begins.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <vector>

#include "addon.h"

namespace {

constexpr size_t kPiece = 65536;
constexpr int kFirstOther = 3;

// Both ends of a pipe, closed with it; -1 is closed.
struct Pipe {
  int ends[2] = {-1, -1};
  ~Pipe() {
    Close(0);
    Close(1);
  }
  int Open() { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }
  void Close(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
};

struct Run {
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  std::vector<std::string> words, environment;
  std::string input, output, errors;
  // Of what kept the program from starting.
  int error = 0;
  int status = 0;
  int64_t most_ms = 0;
  Pipe in, out, err;
};

std::vector<char*> PointersOf(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Signals are as at the start of any program, and of descriptors it gets the three.
int Spawn(Run& run, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, run.in.ends[0], 0);
  posix_spawn_file_actions_adddup2(&actions, run.out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, run.err.ends[1], 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, kFirstOther);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> words = PointersOf(run.words), environment = PointersOf(run.environment);
  const int error = posix_spawn(&child, words[0], &actions, &attributes, words.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

// Takes what is there; closes at the end.
void Take(Pipe& pipe, std::string& text) {
  char piece[kPiece];
  const ssize_t count = read(pipe.ends[0], piece, sizeof piece);
  if (count > 0) text.append(piece, static_cast<size_t>(count));
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) pipe.Close(0);
}

// Gives what is taken, from `given` on; closes when that is all, or nobody takes it.
void Give(Pipe& pipe, const std::string& text, size_t& given) {
  const ssize_t count = write(pipe.ends[1], text.data() + given, text.size() - given);
  if (count > 0) given += static_cast<size_t>(count);
  const bool is_over = count < 0 && errno != EINTR && errno != EAGAIN;
  if (is_over || given == text.size()) pipe.Close(1);
}

// False when it did not end within its time.
bool Converse(Run& run) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(run.most_ms);
  size_t given = 0;
  fcntl(run.in.ends[1], F_SETFL, O_NONBLOCK);
  if (run.input.empty()) run.in.Close(1);
  while (run.out.ends[0] >= 0 || run.err.ends[0] >= 0) {
    pollfd events[] = {{run.out.ends[0], POLLIN, 0}, {run.err.ends[0], POLLIN, 0}, {run.in.ends[1], POLLOUT, 0}};
    const int64_t left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(events, 3, static_cast<int>(std::min<int64_t>(left, INT32_MAX))) < 0) continue;
    if (events[0].revents) Take(run.out, run.output);
    if (events[1].revents) Take(run.err, run.errors);
    if (events[2].revents) Give(run.in, run.input, given);
  }
  return true;
}

// In a thread of the pool.
void Execute(napi_env, void* data) {
  Run& run = *static_cast<Run*>(data);
  pid_t child = 0;
  for (Pipe* pipe : {&run.in, &run.out, &run.err}) run.error = run.error ? run.error : pipe->Open();
  if (run.error == 0) run.error = Spawn(run, child);
  if (run.error != 0) return;
  run.in.Close(0);
  run.out.Close(1);
  run.err.Close(1);
  if (!Converse(run)) kill(child, SIGKILL);
  run.in.Close(1);
  pid_t ended;
  while ((ended = waitpid(child, &run.status, 0)) < 0 && errno == EINTR) {
  }
  if (ended < 0) run.error = errno;
}

void Complete(napi_env env, napi_status, void* data) {
  Run* run = static_cast<Run*>(data);
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "error", Number(env, run->error));
  const bool is_ended = WIFEXITED(run->status);
  napi_set_named_property(env, result, "code", Number(env, is_ended ? WEXITSTATUS(run->status) : -1));
  napi_set_named_property(env, result, "output", Text(env, run->output));
  napi_set_named_property(env, result, "errors", Text(env, run->errors));
  napi_resolve_deferred(env, run->deferred, result);
  napi_delete_async_work(env, run->work);
  delete run;
}

std::string WholeText(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length + 1, '\0');
  napi_get_value_string_utf8(env, value, text.data(), text.size(), &length);
  text.resize(length);
  return text;
}

std::vector<std::string> Texts(napi_env env, napi_value array) {
  uint32_t count = 0;
  napi_get_array_length(env, array, &count);
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    napi_get_element(env, array, i, &element);
    texts.push_back(WholeText(env, element));
  }
  return texts;
}

// run(words, environment, input, milliseconds): a promise of { error, code, output, errors }.
napi_value RunProgram(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Run* run = new Run;
  run->words = Texts(env, arguments.values[0]);
  run->environment = Texts(env, arguments.values[1]);
  run->input = WholeText(env, arguments.values[2]);
  run->most_ms = arguments.Integer(3);
  napi_value promise = nullptr;
  napi_create_promise(env, &run->deferred, &promise);
  napi_create_async_work(env, nullptr, Text(env, "run"), Execute, Complete, run, &run->work);
  napi_queue_async_work(env, run->work);
  return promise;
}

}  // namespace

void AddRunFunctions(napi_env env, napi_value exports) { AddFunction(env, exports, "run", RunProgram); }

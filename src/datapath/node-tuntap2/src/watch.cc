// A descriptor on the event loop: tells JavaScript, once each time it asks, that the descriptor can be read.
//
//   1. watch(descriptor, callback) makes the handle; it does not run yet
//   2. arm(watch) runs it; when the descriptor can be read (or fails) it stops and calls back
//   3. unwatch(watch), or the end of the environment, closes the handle
//
// The loop frees the handle some time after it was closed, JavaScript drops its reference whenever it likes: what comes
// last frees the memory.
#include <uv.h>

#include "addon.h"

namespace {

struct Watch {
  napi_env env = nullptr;
  uv_poll_t handle;
  napi_ref callback = nullptr;
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
  bool is_closing = false;
  int owners = 2;  // the loop and JavaScript
};

void Drop(Watch* watch) {
  if (--watch->owners == 0) delete watch;
}

void OnClosed(uv_handle_t* handle) {
  Watch* watch = static_cast<Watch*>(handle->data);
  if (watch->hook) napi_remove_async_cleanup_hook(watch->hook);
  Drop(watch);
}

void Close(Watch* watch) {
  if (watch->is_closing) return;
  watch->is_closing = true;
  napi_async_destroy(watch->env, watch->context);
  napi_delete_reference(watch->env, watch->callback);
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->handle), OnClosed);
}

void OnReadable(uv_poll_t* handle, int, int) {
  Watch* watch = static_cast<Watch*>(handle->data);
  napi_env env = watch->env;
  uv_poll_stop(handle);
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_value callback, global, result;
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_global(env, &global);
  if (napi_make_callback(env, watch->context, global, callback, 0, nullptr, &result) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

Watch* WatchOf(const Arguments& arguments) {
  void* data = nullptr;
  napi_get_value_external(arguments.env, arguments.values[0], &data);
  return static_cast<Watch*>(data);
}

napi_value StartWatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  Watch* watch = new Watch;
  const int failed = uv_poll_init(loop, &watch->handle, arguments.Integer(0));
  if (failed < 0) {
    delete watch;
    return ThrowSystem(env, -failed, "epoll_ctl", "descriptor " + std::to_string(arguments.Integer(0)));
  }
  watch->env = env;
  watch->handle.data = watch;
  napi_create_reference(env, arguments.values[1], 1, &watch->callback);
  napi_async_init(env, nullptr, Text(env, "TunWatch"), &watch->context);
  napi_add_async_cleanup_hook(
      env, [](napi_async_cleanup_hook_handle, void* data) { Close(static_cast<Watch*>(data)); }, watch, &watch->hook);
  napi_value result;
  napi_create_external(
      env, watch,
      [](napi_env, void* data, void*) {
        Close(static_cast<Watch*>(data));
        Drop(static_cast<Watch*>(data));
      },
      nullptr, &result);
  return result;
}

napi_value Arm(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Watch* watch = WatchOf(arguments);
  if (watch && !watch->is_closing) uv_poll_start(&watch->handle, UV_READABLE, OnReadable);
  return nullptr;
}

napi_value Unwatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Watch* watch = WatchOf(arguments);
  if (watch) Close(watch);
  return nullptr;
}

}  // namespace

void AddWatchFunctions(napi_env env, napi_value exports) {
  AddFunction(env, exports, "watch", StartWatch);
  AddFunction(env, exports, "arm", Arm);
  AddFunction(env, exports, "unwatch", Unwatch);
}

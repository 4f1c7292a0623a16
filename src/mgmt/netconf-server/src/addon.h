// How the two halves of the exported functions find each other.
#pragma once

#include <node_api.h>

#include <memory>

#include "context.h"

namespace netconf {

/** The context behind a handle of JavaScript; null when it is closed. */
std::shared_ptr<Context> sharedContextOf(napi_env env, napi_value handle);

void define(napi_env env, napi_value exports, const char* name, napi_callback callback);

/** Adds the functions of the NETCONF server. */
void defineServer(napi_env env, napi_value exports);

}  // namespace netconf

// What the benches of the engine are compared with: an engine in C++ (forward.cc), and the least that one on a TUN
// device can do, which is to read each packet and write it back.
#include <node_api.h>
#include <unistd.h>

#include "forward.h"

namespace {

napi_value Number(napi_env env, int32_t value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

// Where the memory of a typed array lies. Its owner keeps it in one place and alive.
template <typename T>
void Take(napi_env env, napi_value arrays, const char* name, T** pointer) {
  napi_value array;
  void* data = nullptr;
  napi_get_named_property(env, arrays, name, &array);
  if (napi_get_typedarray_info(env, array, nullptr, nullptr, &data, nullptr, nullptr) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", name);
  }
  *pointer = static_cast<T*>(data);
}

// forwarder(tables, batch, flowKey)
napi_value NewForwarder(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3], result;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  Forwarder* forwarder = new Forwarder{};
  Tables& tables = forwarder->tables;
  Take(env, arguments[0], "first", &tables.first);
  Take(env, arguments[0], "blocks", &tables.blocks);
  Take(env, arguments[0], "rows", &tables.rows);
  Take(env, arguments[0], "softwires", &tables.softwires);
  Take(env, arguments[0], "own", &tables.own);
  Batch& batch = forwarder->batch;
  Take(env, arguments[1], "words", &batch.words);
  Take(env, arguments[1], "at", &batch.at);
  Take(env, arguments[1], "lengths", &batch.lengths);
  Take(env, arguments[1], "verdicts", &batch.verdicts);
  Take(env, arguments[1], "sides", &batch.sides);
  Take(env, arguments[1], "instances", &batch.instances);
  Take(env, arguments[1], "rows", &batch.rows);
  Take(env, arguments[1], "output", &batch.output);
  Take(env, arguments[1], "owners", &batch.owners);
  int32_t flow_key = 0;
  napi_get_value_int32(env, arguments[2], &flow_key);
  forwarder->flow_key = static_cast<uint32_t>(flow_key);
  napi_create_external(
      env, forwarder, [](napi_env, void* data, void*) { delete static_cast<Forwarder*>(data); }, nullptr, &result);
  return result;
}

// forward(forwarder, count): how many packets of the batch were forwarded.
napi_value ForwardBatch(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  void* data = nullptr;
  int32_t packets = 0;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_get_value_int32(env, arguments[1], &packets);
  if (napi_get_value_external(env, arguments[0], &data) != napi_ok || packets < 0 || packets > kMaxBatch) {
    napi_throw_range_error(env, nullptr, "forward: expected a forwarder and at most 256 packets");
    return nullptr;
  }
  return Number(env, Forward(static_cast<Forwarder*>(data), packets));
}

// counts(forwarder, instance): packets and octets from IPv4, packets and octets from the tunnel.
napi_value Counts(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2], result;
  void* data = nullptr;
  int32_t instance = -1;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_get_value_int32(env, arguments[1], &instance);
  if (napi_get_value_external(env, arguments[0], &data) != napi_ok || instance < 0 || instance >= kInstances) {
    napi_throw_range_error(env, nullptr, "counts: expected a forwarder and an instance below 256");
    return nullptr;
  }
  napi_create_array_with_length(env, 4, &result);
  for (uint32_t i = 0; i < 4; i++) {
    const Counter& counter = static_cast<Forwarder*>(data)->counters[instance][i / 2];
    napi_value number;
    napi_create_double(env, static_cast<double>(i % 2 == 0 ? counter.packets : counter.octets), &number);
    napi_set_element(env, result, i, number);
  }
  return result;
}

// copy(descriptor): reads each packet that waits in a TUN queue and writes it back; how many.
napi_value Copy(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t descriptor = -1, packets = 0;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_int32(env, argument, &descriptor);
  // Of each thread its own: several may copy at once.
  unsigned char packet[65536];
  ssize_t len;
  while ((len = read(descriptor, packet, sizeof packet)) > 0) {
    packets += write(descriptor, packet, static_cast<size_t>(len)) == len ? 1 : 0;
  }
  return Number(env, packets);
}

void AddFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

napi_value Init(napi_env env, napi_value exports) {
  AddFunction(env, exports, "forwarder", NewForwarder);
  AddFunction(env, exports, "forward", ForwardBatch);
  AddFunction(env, exports, "counts", Counts);
  AddFunction(env, exports, "copy", Copy);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)

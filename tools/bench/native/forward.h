// An AFTR's work on good packets in C++, as an engine in that language would do it: what the bench compares the engine
// with. It works on the engine's own tables and batch, so both find the same cache lines.
#pragma once

#include <cstdint>

// The shared tables, laid out as src/datapath/layout.ts says.
struct Tables {
  const int32_t* first;
  const int32_t* blocks;
  const int32_t* rows;
  const int32_t* softwires;
  const uint32_t* own;
};

// The arrays of src/datapath/batch.ts.
struct Batch {
  uint32_t* words;
  const int32_t* at;
  const int32_t* lengths;
  int32_t* verdicts;
  int32_t* sides;
  int32_t* instances;
  int32_t* rows;
  int32_t* output;
  int32_t* owners;
};

struct Counter {
  uint64_t packets, octets;
};

constexpr int kMaxBatch = 256;
constexpr int kInstances = 256;

struct Forwarder {
  Tables tables;
  Batch batch;
  uint32_t flow_key;
  Counter counters[kInstances][2];
};

// Forwards the first `count` packets of the batch; how many were good. Any other is left out.
int Forward(Forwarder* forwarder, int count);

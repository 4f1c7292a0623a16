{
  "targets": [
    {
      "target_name": "node_tuntap2",
      "sources": ["src/addon.cc", "src/device.cc", "src/queue.cc"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-O2"],
      "defines": ["NAPI_VERSION=8"],
    }
  ]
}

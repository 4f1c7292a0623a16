{
  "targets": [
    {
      "target_name": "node_tuntap2",
      "sources": ["src/addon.cc", "src/device.cc", "src/faults.cc", "src/memory.cc", "src/netlink.cc", "src/queue.cc", "src/run.cc", "src/schedule.cc", "src/watch.cc"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-O2", "-fvisibility=hidden"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}

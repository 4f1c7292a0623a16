{
  "targets": [
    {
      "target_name": "baseline",
      "sources": ["addon.cc", "forward.cc"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-O2", "-fvisibility=hidden"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}

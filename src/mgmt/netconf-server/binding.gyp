{
  "targets": [
    {
      "target_name": "netconf_server",
      "sources": [
        "src/addon.cc",
        "src/context.cc",
        "src/faults.cc",
        "src/napi_values.cc",
        "src/reply.cc",
        "src/schema.cc",
        "src/server.cc",
        "src/server_exports.cc",
        "src/session.cc",
        "src/value.cc"
      ],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "defines": ["NAPI_VERSION=8"],
      "libraries": ["-lyang", "-lnetconf2", "-lpthread"]
    }
  ]
}

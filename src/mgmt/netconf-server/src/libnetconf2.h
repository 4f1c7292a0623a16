// The part of libnetconf2 that we use. nc_server.h would want the headers of libssh and OpenSSL, whose transports we
// never use: the guard in TypeScript terminates those.
#pragma once

extern "C" {
#include <libnetconf2/log.h>
#include <libnetconf2/messages_server.h>
#include <libnetconf2/netconf.h>
#include <libnetconf2/session.h>
#include <libnetconf2/session_server.h>
}

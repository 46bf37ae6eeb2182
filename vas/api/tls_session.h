// One connection's TLS, on its way from the door to who serves it.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "tls/tls_record_guard.h"

namespace vas::api {

// TLS over a socket that OpenSSL reads and writes itself, so that a connection goes from the thread that
// shook its hands to the one that serves it with all that was read, and costs 12 KiB while it is idle.
struct TlsSession {
  struct Free {
    void operator()(SSL* connection) const { SSL_free(connection); }
  };
  std::unique_ptr<TlsRecordGuard> records;  // outlives `ssl`, which tells it
  std::unique_ptr<SSL, Free> ssl;
};

}  // namespace vas::api

#include "tls/tls_record_guard.h"

#include <openssl/ssl.h>

#include <utility>

#include "base/clock.h"

namespace vas {
namespace {

// Of TLS 1.3 the header says "application data" whatever is inside; that is told after it.
bool carries_nothing(int content_type, const unsigned char* bytes, std::size_t length) {
  const bool is_told = content_type == SSL3_RT_HEADER || content_type == SSL3_RT_INNER_CONTENT_TYPE;
  return is_told && length != 0 && bytes[0] != SSL3_RT_APPLICATION_DATA;
}

void on_record(int is_ours, int, int content_type, const void* bytes, std::size_t length, SSL*, void* guard) {
  if (is_ours != 0 || !carries_nothing(content_type, static_cast<const unsigned char*>(bytes), length))
    return;
  static_cast<TlsRecordGuard*>(guard)->count(monotonic_now());
}

}  // namespace

void TlsRecordGuard::watch(SSL* ssl, std::function<void()> on_flood) {
  on_flood_ = std::move(on_flood);
  SSL_set_msg_callback(ssl, on_record);
  SSL_set_msg_callback_arg(ssl, this);
}

void TlsRecordGuard::count(Time now) {
  if (now - window_began_ > kWindow) {
    window_began_ = now;
    records_ = 0;
  }
  if (++records_ > kMaxRecords && on_flood_) std::exchange(on_flood_, nullptr)();
}

}  // namespace vas

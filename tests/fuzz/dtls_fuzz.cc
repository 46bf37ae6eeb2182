// Datagrams to one end of a DTLS handshake, as client or as server, before it is done. Each input is a series
// of them behind a byte for its length; now and then one of a real peer's comes between.
#include <vector>

#include "media/dtls_session.h"
#include "vas/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vas;
  using namespace vas::media;
  static const auto context = std::move(*DtlsContext::make());
  if (size == 0) return 0;
  const bool is_client = (data[0] & 1) != 0;
  DtlsSession ours(*context, is_client ? DtlsRole::kClient : DtlsRole::kServer, context->fingerprint());
  DtlsSession peer(*context, is_client ? DtlsRole::kServer : DtlsRole::kClient, context->fingerprint());
  Time now{std::chrono::hours(1)};
  auto from_us = ours.start(now);
  auto from_peer = peer.start(now);
  Bytes rest(data + 1, size - 1);
  while (!rest.empty()) {
    const std::size_t length = std::min<std::size_t>(rest[0] & 0x7f, rest.size() - 1);
    const bool is_peers = (rest[0] & 0x80) != 0;
    const Bytes datagram = rest.subspan(1, length);
    rest = rest.subspan(1 + length);
    now += std::chrono::milliseconds(200);
    const auto& answers = ours.on_datagram(now, datagram);
    VAS_CHECK(answers.size() <= DtlsSession::kMaxFlight, "a flight is bounded");
    if (!is_peers) continue;
    for (const auto& each : from_us) from_peer = peer.on_datagram(now, each);
    for (const auto& each : from_peer) from_us = ours.on_datagram(now, each);
    (void)ours.on_time(now);
  }
  return 0;
}

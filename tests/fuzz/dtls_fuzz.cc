// Datagrams to one end of a DTLS handshake, as client or as server, before it is done: to a session, or to an
// association, which asks for cookies. Each input is a series of them behind a byte for its length; now and
// then one of a real peer's comes between.
#include <vector>

#include "base/check.h"
#include "media/srtp/dtls_association.h"

namespace {

using namespace vas;
using namespace vas::media;

const DtlsContext& context() {
  static const auto made = std::move(*DtlsContext::make());
  return *made;
}

// `give(now, datagram, is_peers)` is our end's answer, `tick(now)` its timer's.
template <typename Give, typename Tick>
void run(DtlsSession& peer, DtlsSession::Flight from_us, Bytes rest, Give&& give, Tick&& tick) {
  Time now{std::chrono::hours(1)};
  auto from_peer = peer.start(now);
  while (!rest.empty()) {
    const std::size_t length = std::min<std::size_t>(rest[0] & 0x7f, rest.size() - 1);
    const bool is_peers = (rest[0] & 0x80) != 0;
    const Bytes datagram = rest.subspan(1, length);
    rest = rest.subspan(1 + length);
    now += std::chrono::milliseconds(200);
    (void)give(now, datagram, false);
    if (!is_peers) continue;
    for (const auto& each : from_us) from_peer = peer.on_datagram(now, each);
    for (const auto& each : from_peer) from_us = give(now, each, true);
    tick(now);
  }
}

void run_session(DtlsRole role, DtlsSession& peer, Bytes rest) {
  DtlsSession ours(context(), role, context().fingerprint());
  const auto first = ours.start(Time{std::chrono::hours(1)});
  run(
      peer, first, rest,
      [&](Time now, Bytes datagram, bool) -> const DtlsSession::Flight& {
        const auto& answers = ours.on_datagram(now, datagram);
        VAS_CHECK(answers.size() <= DtlsSession::kMaxFlight, "a flight is bounded");
        return answers;
      },
      [&](Time now) { (void)ours.on_time(now); });
}

void run_association(DtlsRole role, DtlsSource from, DtlsSession& peer, Bytes rest) {
  DtlsAssociation ours(context(), role, context().fingerprint(), {});
  const Endpoint its = *Endpoint::parse("192.0.2.1:4000"), other = *Endpoint::parse("192.0.2.2:4000");
  DtlsSession::Flight first;
  ours.on_time(Time{std::chrono::hours(1)}, its,
               [&](const Endpoint&, const DtlsSession::Flight& flight) { first = flight; });
  run(
      peer, first, rest,
      [&](Time now, Bytes datagram, bool is_peers) -> const DtlsSession::Flight& {
        const auto& answers =
            ours.on_datagram(now, is_peers ? its : other, is_peers ? DtlsSource::kSdp : from, datagram);
        VAS_CHECK(answers.size() <= DtlsAssociation::kMaxHandshakes * DtlsSession::kMaxFlight,
                  "a flight is bounded");
        return answers;
      },
      [&](Time now) {
        ours.renew(true);
        ours.on_time(now, its, [](const Endpoint&, const DtlsSession::Flight&) {});
      });
}

}  // namespace

// The first byte: our role, whether an association is ours, and where what is no peer's comes from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool is_client = (data[0] & 1) != 0;
  const auto role = is_client ? DtlsRole::kClient : DtlsRole::kServer;
  DtlsSession peer(context(), is_client ? DtlsRole::kServer : DtlsRole::kClient, context().fingerprint());
  const Bytes rest(data + 1, size - 1);
  if ((data[0] & 2) == 0) {
    run_session(role, peer, rest);
  } else {
    run_association(role, static_cast<DtlsSource>((data[0] >> 2) % 3), peer, rest);
  }
  return 0;
}

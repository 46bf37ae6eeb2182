// Datagrams on a leg's two ports: each input is a series of them, each with a byte for its way in and one for
// its length. Now and then a direction is handed over to the kernel's fast path and taken back.
#include <vector>

#include "bridge/relay/bridge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vas;
  using namespace vas::bridge;
  static const auto dtls = std::move(*media::DtlsContext::make());
  const Endpoint party = *Endpoint::parse("192.0.2.1:4000");
  const LegConfig config{
      .far_rtp = party,
      .far_rtcp = {party.address, 4001},
      .formats = {{{0}, media::Codec::kPcmu, 8000}, {{101}, media::Codec::kTelephoneEvent, 8000}}};
  Time now{std::chrono::hours(1)};
  Bridge bridge(std::chrono::seconds(60), now,
                {StreamSeed{{1}, {65530}, {0}}, StreamSeed{{2}, {0}, {0xfffffff0}}},
                {media::SrtpBackend::kOpenssl, dtls.get()});
  // Every fifth: its party is offered DTLS and has not answered yet; others' first hellos come before.
  if (size % 5 == 4) {
    bridge.await_dtls(LegSide::kA);
  } else {
    bridge.configure(LegSide::kA, config, now);
  }
  LegConfig other = config;
  // Every fifth: side B has events by another clock, and comfort noise.
  if (size % 5 == 4)
    other.formats = {{{0}, media::Codec::kPcmu, 8000},
                     {{96}, media::Codec::kTelephoneEvent, 48'000},
                     {{13}, media::Codec::kComfortNoise, 8000}};
  // Every other input: side B is encrypted, under keys that no input has; every fourth: with identifiers,
  // which stand in each packet, and which an input may have.
  if (size % 2 == 1)
    other.srtp = LegSrtp{media::SrtpKey::random(media::SrtpSuite::kAeadAes128Gcm),
                         media::SrtpKey::random(media::SrtpSuite::kAesCm128HmacSha1_80)};
  if (size % 4 == 1) {
    const auto bytes = static_cast<std::uint8_t>(1 + size / 4 % media::MasterKeyIdentifier::kLongest);
    other.srtp = LegSrtp{media::SrtpKey::random(size % 3 == 1 ? media::SrtpSuite::kAeadAes256Gcm
                                                              : media::SrtpSuite::kAesCm128HmacSha1_32)
                             .named({0, bytes}),
                         other.srtp->outbound.named({1, bytes})};
  }
  // Every third: side A has ICE and DTLS.
  LegConfig proved = config;
  if (size % 3 == 2) {
    proved.rtcp_mux = size % 4 < 2;
    proved.dtls =
        LegDtls{size % 8 < 4 ? media::DtlsRole::kServer : media::DtlsRole::kClient, dtls->fingerprint()};
    if (proved.rtcp_mux || size % 5 == 1)  // or ICE for RTP alone
      proved.ice = LegIce{{"ours", "our-password-of-22-chars"}, {"them", "their-password-22-chars"}};
    if (size % 5 != 4) bridge.configure(LegSide::kA, proved, now);
  }
  bridge.configure(LegSide::kB, other, now);
  bridge.start(now);
  while (size >= 2) {
    const std::uint8_t way = data[0];
    const std::size_t length = std::min<std::size_t>(data[1], size - 2);
    std::vector<std::uint8_t> datagram(data + 2, data + 2 + length);
    datagram.resize(length + (way & 8) * 20U);  // with room behind it, or without
    data += 2 + length;
    size -= 2 + length;
    const bool is_rtcp = (way & 2) != 0;
    now += std::chrono::milliseconds(way);
    Outbox outbox;
    bridge.on_datagram((way & 1) != 0 ? LegSide::kA : LegSide::kB,
                       is_rtcp ? Component::kRtcp : Component::kRtp, is_rtcp ? config.far_rtcp : party,
                       {MutableBytes(datagram), length}, now, outbox);
    outbox.clear();
    // An answer, or a re-INVITE that moves nothing.
    if (way == 0xff) {
      bridge.configure(LegSide::kA, proved, now);
      for (int kept = 0; bridge.respond_to_early_hello(LegSide::kA, now, outbox); ++kept) {
        VAS_CHECK(kept < 6, "few hellos are kept");
        outbox.clear();
      }
    }
    // To the kernel and straight back, whenever the bridge lets it go: nothing may change.
    const LegSide near = (way & 4) != 0 ? LegSide::kA : LegSide::kB;
    relay_entry entry{};
    const LegStats before = bridge.stats(near);
    if (bridge.describe_relay(near, now, entry)) {
      bridge.resume(near, entry);
      const LegStats after = bridge.stats(near);
      VAS_CHECK(
          before.received.packets == after.received.packets && before.received.lost == after.received.lost,
          "a handover counts nothing and forgets nothing");
    }
    bridge.tick(now, WallTime(std::chrono::hours(1)), outbox);
  }
  (void)bridge.stats(LegSide::kA);
  return 0;
}

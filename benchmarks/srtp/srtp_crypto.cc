// What encryption costs by itself, in one thread: SRTP by each backend, DTLS handshakes, ICE checks.
#include <benchmark/benchmark.h>

#include "ice/agent/ice_lite.h"
#include "media/srtp/dtls_session.h"
#include "media/srtp/srtp_session.h"
#include "tests/support/rtp_builder.h"

namespace vas {
namespace {

using media::SrtpBackend;
using media::SrtpKey;
using media::SrtpSuite;

constexpr std::size_t kFrame = 12 + 160;  // 20 ms of G.711
using Buffer = std::array<std::uint8_t, kFrame + media::kSrtpMaxRoom>;

// Streams under keys of their own, as legs have them, each with both of its ends.
struct Stream {
  std::unique_ptr<media::SrtpProtector> sealer;
  std::unique_ptr<media::SrtpUnprotector> opener;
  std::uint16_t number = 0;
};

std::vector<Stream> make_streams(SrtpBackend backend, SrtpSuite suite, std::int64_t count) {
  std::vector<Stream> streams;
  for (std::int64_t i = 0; i < count; ++i) {
    const SrtpKey key = SrtpKey::random(suite);
    streams.push_back({make_srtp_protector(backend, key), make_srtp_unprotector(backend, key)});
  }
  return streams;
}

media::PacketBuffer next_packet(Stream& stream, Buffer& buffer) {
  const std::uint16_t number = ++stream.number;
  const auto bytes =
      media::build_rtp({.sequence_number = {number}, .timestamp = {number * 160U}, .ssrc = {7}});
  std::copy_n(bytes.begin(), kFrame, buffer.begin());
  return {MutableBytes(buffer), kFrame};
}

void seal(benchmark::State& state, SrtpBackend backend, SrtpSuite suite) {
  auto streams = make_streams(backend, suite, state.range(0));
  Buffer clear{};
  (void)next_packet(streams[0], clear);
  Buffer buffer{};
  std::size_t turn = 0;
  for (auto _ : state) {
    Stream& stream = streams[turn++ % streams.size()];
    std::copy_n(clear.begin(), kFrame, buffer.begin());
    store_u16(buffer, 2, ++stream.number);
    media::PacketBuffer packet{MutableBytes(buffer), kFrame};
    if (stream.sealer->protect(packet) != media::SrtpResult::kOk) return state.SkipWithError("not sealed");
  }
}

void open(benchmark::State& state, SrtpBackend backend, SrtpSuite suite) {
  auto streams = make_streams(backend, suite, state.range(0));
  constexpr std::size_t kBatch = 4096;
  std::vector<std::pair<Buffer, std::size_t>> sealed(kBatch);
  std::size_t next = kBatch;
  for (auto _ : state) {
    if (next == kBatch) {
      state.PauseTiming();
      for (std::size_t i = 0; i < kBatch; ++i) {
        media::PacketBuffer packet = next_packet(streams[i % streams.size()], sealed[i].first);
        (void)streams[i % streams.size()].sealer->protect(packet);
        sealed[i].second = packet.size();
      }
      next = 0;
      state.ResumeTiming();
    }
    media::PacketBuffer packet{MutableBytes(sealed[next].first), sealed[next].second};
    if (streams[next % streams.size()].opener->unprotect(packet) != media::SrtpResult::kOk)
      return state.SkipWithError("not opened");
    ++next;
  }
}

void register_srtp() {
  for (const auto& [backend, backend_name] :
       {std::pair(SrtpBackend::kOpenssl, "ours"), std::pair(SrtpBackend::kLibsrtp, "libsrtp2")}) {
    for (const SrtpSuite suite : {SrtpSuite::kAesCm128HmacSha1_80, SrtpSuite::kAeadAes128Gcm}) {
      const std::string tail = std::string(media::shape_of(suite).name) + "/" + backend_name;
      benchmark::RegisterBenchmark(("seal/" + tail).c_str(), seal, backend, suite)->Arg(1)->Arg(1000);
      benchmark::RegisterBenchmark(("open/" + tail).c_str(), open, backend, suite)->Arg(1)->Arg(1000);
    }
  }
}

// Our side alone: the peer's work is not timed.
void dtls_handshake(benchmark::State& state) {
  const auto ours = std::move(*media::DtlsContext::make());
  const auto theirs = std::move(*media::DtlsContext::make());
  const Time now{std::chrono::hours(1)};
  for (auto _ : state) {
    state.PauseTiming();
    media::DtlsSession peer(*theirs, media::DtlsRole::kClient, ours->fingerprint());
    auto from_peer = peer.start(now);
    state.ResumeTiming();
    auto session =
        std::make_unique<media::DtlsSession>(*ours, media::DtlsRole::kServer, theirs->fingerprint());
    while (!peer.keys()) {
      std::vector<std::vector<std::uint8_t>> from_us;
      for (const auto& each : from_peer) {
        const auto& flight = session->on_datagram(now, each);
        from_us.insert(from_us.end(), flight.begin(), flight.end());
      }
      if (from_us.empty()) return state.SkipWithError("the handshake stopped");
      state.PauseTiming();
      from_peer.clear();
      for (const auto& each : from_us) {
        const auto& flight = peer.on_datagram(now, each);
        from_peer.insert(from_peer.end(), flight.begin(), flight.end());
      }
      state.ResumeTiming();
    }
    if (!session->keys()) return state.SkipWithError("no keys");
    state.PauseTiming();
    session.reset();  // a call ends at another time
    state.ResumeTiming();
  }
}

void ice_check(benchmark::State& state) {
  ice::IceLite lite({"ours", "our-password-of-22-chars"}, {"them", "their-password-22-chars"});
  std::array<std::uint8_t, ice::StunWriter::kMaxBytes> buffer{}, reply{};
  ice::StunWriter writer(buffer, ice::StunClass::kRequest, {1, 2, 3});
  writer.add(ice::StunAttribute::kUsername, as_bytes("ours:them"));
  writer.add(ice::StunAttribute::kIceControlling, std::array<std::uint8_t, 8>{});
  const Bytes check = writer.sign("our-password-of-22-chars");
  const Endpoint source = *Endpoint::parse("192.0.2.1:4000");
  Time now{std::chrono::hours(1)};
  for (auto _ : state) {
    now += std::chrono::milliseconds(100);
    const auto message = ice::StunMessage::parse(check);
    if (!lite.on_check(now, source, *message, reply)) return state.SkipWithError("not answered");
  }
}

}  // namespace
}  // namespace vas

int main(int argc, char** argv) {
  vas::register_srtp();
  benchmark::RegisterBenchmark("dtls_handshake", vas::dtls_handshake);
  benchmark::RegisterBenchmark("ice_check", vas::ice_check);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

// The parts of the packet path, each by itself.
#include <benchmark/benchmark.h>
#include <netinet/in.h>

#include "base/inbox.h"
#include "bridge/leg/latch.h"
#include "media/rtp/packet_kind.h"
#include "media/rtp/receive_stats.h"
#include "media/rtp/stream_splicer.h"
#include "tests/support/relayed_call.h"

namespace vas {
namespace {

constexpr Duration kFrame = std::chrono::milliseconds(20);

void parse_rtp(benchmark::State& state) {
  const auto packet = media::build_rtp({});
  for (auto _ : state) {
    benchmark::DoNotOptimize(media::packet_kind(packet));
    benchmark::DoNotOptimize(media::RtpPacket::parse(packet));
  }
}
BENCHMARK(parse_rtp);

void source_of_a_datagram(benchmark::State& state) {
  sockaddr_storage address{};
  Endpoint::parse("192.0.2.1:4000")->to_sockaddr(address);
  for (auto _ : state) benchmark::DoNotOptimize(Endpoint::from_sockaddr(address));
}
BENCHMARK(source_of_a_datagram);

void check_the_latch(benchmark::State& state) {
  const Endpoint party = *Endpoint::parse("192.0.2.1:4000");
  bridge::Latch latch;
  latch.configure({.far_rtp = party, .far_rtcp = {}});
  for (auto _ : state) benchmark::DoNotOptimize(latch.accepts_rtp(Time{}, party, media::Ssrc{7}));
}
BENCHMARK(check_the_latch);

void count_a_packet(benchmark::State& state) {
  media::ReceiveStats stats;
  Time now{};
  std::uint16_t number = 0;
  for (auto _ : state) {
    now += kFrame;
    ++number;
    stats.on_packet(now, {{1}, {number}, {number * 160U}, 8000, 172, true});
  }
}
BENCHMARK(count_a_packet);

void splice_a_packet(benchmark::State& state) {
  media::StreamSplicer splicer({1}, {1});
  std::uint16_t number = 0;
  for (auto _ : state) {
    ++number;
    benchmark::DoNotOptimize(splicer.splice(Time{}, {{1}, {number}, {number * 160U}, 8000}));
  }
}
BENCHMARK(splice_a_packet);

void relay_a_packet_whole(benchmark::State& state) {
  bridge::RelayedCall call;
  for (auto _ : state) call.relay_next();
}
BENCHMARK(relay_a_packet_whole);

void through_an_inbox(benchmark::State& state) {
  Inbox<int> inbox(1024);
  for (auto _ : state) {
    for (int i = 0; i < 64; ++i) inbox.push(int{i});
    inbox.drain([](int message) { benchmark::DoNotOptimize(message); });
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(through_an_inbox);

}  // namespace
}  // namespace vas

BENCHMARK_MAIN();

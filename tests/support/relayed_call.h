// A bridge with a call on it, and a stream that runs through it: for tests and benchmarks of the packet path.
#pragma once

#include "base/check.h"
#include "bridge/relay/bridge.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {

class RelayedCall {
 public:
  RelayedCall()
      : bridge_(std::chrono::seconds(60), Time{},
                {StreamSeed{{0xa}, {100}, {0}}, StreamSeed{{0xb}, {200}, {0}}}),
        packet_(media::build_rtp({})) {
    for (const LegSide side : {LegSide::kA, LegSide::kB}) {
      bridge_.configure(
          side,
          {.far_rtp = party(side),
           .far_rtcp = {},
           .formats = {{{0}, media::Codec::kPcmu, 8000}, {{101}, media::Codec::kTelephoneEvent, 8000}}},
          now_);
    }
    bridge_.start(now_);
  }

  // The next packet of leg A's party, through to leg B's.
  void relay_next() {
    ++number_;
    now_ += std::chrono::milliseconds(20);
    media::rewrite_header(packet_, {false, {0}, {number_}, {number_ * 160U}, {7}});
    bridge_.on_datagram(LegSide::kA, Component::kRtp, party(LegSide::kA), MutableBytes(packet_), now_,
                        outbox_);
    VAS_CHECK(outbox_.size() == 1, "each packet of this stream is relayed");
    outbox_.clear();
  }

 private:
  static Endpoint party(LegSide side) {
    return {{AddressFamily::kIpv4, {192, 0, 2, 1}}, static_cast<std::uint16_t>(4000 + 2 * index_of(side))};
  }

  Bridge bridge_;
  Outbox outbox_;
  std::vector<std::uint8_t> packet_;
  Time now_{std::chrono::seconds(1)};
  std::uint16_t number_ = 0;
};

}  // namespace vas::bridge

#include "bridge/latch.h"

namespace vas::bridge {

void Latch::configure(const LegConfig& config) {
  rtcp_mux_ = config.rtcp_mux;
  const bool is_same_party = sdp_rtp_ == config.far_rtp && signaling_address_ == config.signaling_address &&
                             latches_to_anyone_ == config.latches_to_anyone;
  if (is_same_party && sdp_rtcp_ == config.far_rtcp) return;

  sdp_rtp_ = config.far_rtp;
  sdp_rtcp_ = config.far_rtcp;
  learned_rtcp_.reset();
  if (is_same_party) return;

  signaling_address_ = config.signaling_address;
  latches_to_anyone_ = config.latches_to_anyone;
  destination_ = sdp_rtp_.address.is_unspecified() || config.must_show ? Endpoint{} : sdp_rtp_;
  opened_at_.reset();
  packets_in_window_ = 0;
  is_closed_ = false;
}

bool Latch::accepts_rtp(Time now, const Endpoint& source) {
  is_closed_ = is_closed(now);
  if (is_closed_) return source == destination_;

  if (source == sdp_rtp_) {
    destination_ = sdp_rtp_;
    is_closed_ = true;
    return true;
  }
  const bool has_latched = opened_at_.has_value();
  if (has_latched ? source != destination_ : !may_take(source)) return false;

  if (!has_latched) {
    destination_ = source;
    opened_at_ = now;
  }
  ++packets_in_window_;
  return true;
}

bool Latch::may_take(const Endpoint& source) const {
  return latches_to_anyone_ || (signaling_address_ && *signaling_address_ == source.address);
}

bool Latch::accepts_rtcp(const Endpoint& source) {
  if (source == rtcp_destination()) return true;
  if (!destination_.is_set() || source.address != destination_.address || learned_rtcp_ || rtcp_mux_)
    return false;
  learned_rtcp_ = source;
  return true;
}

Endpoint Latch::rtcp_destination() const {
  if (!destination_.is_set() || rtcp_mux_) return destination_;
  if (learned_rtcp_) return *learned_rtcp_;
  // A latched party's RTCP address in SDP is as private as its RTP address: wait until RTCP shows it.
  return destination_ == sdp_rtp_ ? sdp_rtcp_ : Endpoint{};
}

}  // namespace vas::bridge

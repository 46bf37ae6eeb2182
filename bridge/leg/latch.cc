#include "bridge/leg/latch.h"

#include <algorithm>
#include <tuple>

namespace vas::bridge {

const Endpoint Latch::kNowhere;

Latch::Others Latch::others_of(const LegConfig& config) {
  const IpAddress& sdp = config.far_rtp.address;
  if (config.latches_to_anyone) return Others::kAnybody;
  if (!config.symmetric) return Others::kSdpAddress;
  if (!config.signaling_address) return Others::kNobody;
  if (sdp == *config.signaling_address) return Others::kAnotherPort;
  const bool is_public =
      !config.must_show && !sdp.is_unspecified() && !sdp.is_private() && !sdp.is_loopback();
  return is_public ? Others::kNobody : Others::kSignalingAddress;
}

void Latch::configure(const LegConfig& config) {
  thread_check_.check();
  rtcp_mux_ = config.rtcp_mux;
  is_keyed_ = config.srtp || config.dtls;
  is_symmetric_ = config.symmetric;
  is_muted_ = config.far_rtp.address.is_unspecified();
  const bool is_known = sdp_rtp_.is_set();
  const bool is_same_signaling = signaling_address_ == config.signaling_address;
  if (is_muted_ && is_known && is_same_signaling) return;

  const bool is_same_party = is_known && is_same_signaling && sdp_rtp_ == config.far_rtp &&
                             others_ == others_of(config) && must_show_ == config.must_show;
  if (is_same_party && sdp_rtcp_ == config.far_rtcp) return;
  sdp_rtcp_ = config.far_rtcp;
  learned_rtcp_.reset();
  if (is_same_party) return;

  const bool has_moved =
      is_known && !sdp_rtp_.address.is_unspecified() && is_same_signaling && sdp_rtp_ != config.far_rtp;
  former_ = has_moved ? std::array{sdp_rtp_, heard_} : std::array<Endpoint, 2>{};
  signaling_address_ = config.signaling_address;
  others_ = others_of(config);
  begin(config);
}

void Latch::begin(const LegConfig& config) {
  sdp_rtp_ = config.far_rtp;
  must_show_ = config.must_show;
  destination_ = config.must_show ? Endpoint{} : config.far_rtp;
  heard_ = {};
  opened_at_.reset();
  candidates_ = {};
  is_closed_ = false;
  yields_to_sdp_ = false;
}

bool Latch::judge(Time now, const Endpoint& source, media::Ssrc ssrc) {
  is_closed_ = is_closed_ || is_over(now);
  if (source == sdp_rtp_ && (!is_closed_ || yields_to_sdp_)) {
    move_to(source);
    is_closed_ = true;
    yields_to_sdp_ = false;
  }
  if (is_closed_) return source == heard_;
  if (!may_take(source)) return false;
  const bool is_old = is_former(source);
  if (is_keyed_ && !is_old) {
    move_to(source);
    return is_closed_ = true;
  }
  if (ghost_ == HeardStream{source, ssrc}) return false;

  const Candidate& candidate = measure(now, source, ssrc);
  if (others_ == Others::kAnotherPort) {
    // Not before it has gone on for all of a window in which SDP's own port said nothing.
    if (candidate.length() < kWindow) return false;
    move_to(source);
    return is_closed_ = yields_to_sdp_ = true;
  }
  if (is_old) {  // the tail of what it sent, or it goes on sending from there; that ends no search
    if (!heard_.is_set() && candidate.length() >= kWindow) move_to(source);
    return source == heard_;
  }
  if (!opened_at_) opened_at_ = now;
  if (leads(candidate)) move_to(source);
  return source == heard_;
}

bool Latch::is_former(const Endpoint& source) const {
  return source.is_set() && std::find(former_.begin(), former_.end(), source) != former_.end();
}

bool Latch::may_take(const Endpoint& source) const {
  // Who sends from another port than it receives at may have moved the one and not the other.
  if (is_former(source) && others_ != Others::kSdpAddress) return false;
  switch (others_) {
    case Others::kNobody: return false;
    case Others::kAnotherPort:
    case Others::kSignalingAddress: return source.address == *signaling_address_;
    case Others::kSdpAddress: return source.address == sdp_rtp_.address;
    case Others::kAnybody: return true;
  }
  return false;
}

const Latch::Candidate& Latch::measure(Time now, const Endpoint& source, media::Ssrc ssrc) {
  Candidate& candidate = place_for(source);
  const bool goes_on =
      candidate.source == source && candidate.ssrc == ssrc && now - candidate.last <= kLongestGap;
  if (!goes_on) candidate = {source, ssrc, now, now};
  candidate.last = now;
  return candidate;
}

// Its own, or the shortest stream's, of these the one that has been quiet longest;
// never the one that is heard.
Latch::Candidate& Latch::place_for(const Endpoint& source) {
  const auto own = std::find_if(candidates_.begin(), candidates_.end(),
                                [&](const Candidate& each) { return each.source == source; });
  if (own != candidates_.end()) return *own;
  const auto rank = [&](const Candidate& each) {
    return std::tuple(each.source.is_set() && each.source == heard_, each.length(), each.last);
  };
  return *std::min_element(candidates_.begin(), candidates_.end(),
                           [&](const Candidate& one, const Candidate& two) { return rank(one) < rank(two); });
}

bool Latch::leads(const Candidate& candidate) const {
  const auto leader = std::find_if(candidates_.begin(), candidates_.end(), [&](const Candidate& each) {
    return each.source.is_set() && each.source == heard_;
  });
  return leader == candidates_.end() || is_former(heard_) || candidate.length() > leader->length();
}

void Latch::move_to(const Endpoint& source) {
  heard_ = source;
  if (is_symmetric_) {
    destination_ = source;
  } else if (source.address == sdp_rtp_.address) {
    destination_ = sdp_rtp_;  // it has shown that it is there
  }
}

bool Latch::may_come_from(const Endpoint& source) const {
  if (is_closed_) return source == heard_ || (yields_to_sdp_ && source == sdp_rtp_);
  return source == sdp_rtp_ || may_take(source);
}

bool Latch::rtcp_may_come_from(const Endpoint& source) const {
  if (rtcp_mux_) return may_come_from(source);
  return source == sdp_rtcp_ || source == rtcp_destination() || source.address == heard_.address ||
         (!is_closed_ && may_take(source));
}

bool Latch::accepts_rtcp(const Endpoint& source, bool is_proved) {
  if (source == rtcp_destination() || (rtcp_mux_ && source == heard_)) return true;
  const IpAddress& party = heard_.is_set() ? heard_.address : destination_.address;
  if (rtcp_mux_ || source.address != party) return false;
  if (source == sdp_rtcp_) {
    learned_rtcp_.reset();
    return true;
  }
  if (!is_proved || learned_rtcp_) return false;
  if (is_symmetric_) learned_rtcp_ = source;
  return true;
}

Endpoint Latch::rtcp_destination() const {
  if (is_muted_ || !destination_.is_set() || rtcp_mux_) return rtp_destination();
  if (learned_rtcp_) return *learned_rtcp_;
  // A latched party's RTCP address in SDP is as private as its RTP address: wait until RTCP shows it.
  return destination_ == sdp_rtp_ ? sdp_rtcp_ : Endpoint{};
}

}  // namespace vas::bridge

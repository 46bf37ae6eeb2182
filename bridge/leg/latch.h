// Where a leg's media goes, and whose media it takes. (RFC 4961;
// the table of docs/media-relay.md, "The latch")
#pragma once

#include <array>
#include <optional>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "bridge/leg/leg_config.h"
#include "media/rtp/rtp_types.h"

namespace vas::bridge {

// SDP says where the party's media is; what comes from there is the party's. A party behind a NAT shows
// itself at another address with its RTP. Who may do so is settled by SDP and the address that the leg's SIP
// comes from, never by who is first: a stranger, and a neighbour behind the same public address, neither hear
// nor speak.
//
// A stream is one SSRC from one address, without a gap of kLongestGap. Where another address may be the
// party's, a window opens with its first packet; in it the stream that goes on longest is the party's, and it
// closes for good. What keys protect needs none: who has the key is the party.
//
// Threads: its bridge's media worker only.
// Bounds:  kMaxCandidates streams are compared.
class Latch {
 public:
  // Two dozen packets of 20 ms: long enough that a burst wins nothing, and short enough that a neighbour who
  // comes later is too late.
  static constexpr Duration kWindow = std::chrono::milliseconds(500);
  // More than the longest packet of audio (120 ms, opus): what pauses longer is no stream that goes on.
  static constexpr Duration kLongestGap = std::chrono::milliseconds(150);
  // The shortest makes room, so that a flood of SSRCs pushes out no stream that goes on.
  static constexpr std::size_t kMaxCandidates = 8;

  // Starts anew when the address or who may latch has changed; else what was proved stays proved. Where SDP
  // names another address, that is the party's at once, and what still comes from the old one is nobody's. An
  // unspecified address is sent nothing (RFC 3264 §8.4) and changes nothing else.
  void configure(const LegConfig& config);

  // The stream of the party that had the port before this one: it may still be sent, and is nobody's here.
  void expect_ghost(const std::optional<HeardStream>& ghost) { ghost_ = ghost; }

  // `source` and `ssrc` of a valid RTP packet of a negotiated payload type, which the leg's key has opened if
  // it has one. True if it is this leg's party.
  bool accepts_rtp(Time now, const Endpoint& source, media::Ssrc ssrc) {
    return (is_closed_ && source == heard_) || judge(now, source, ssrc);
  }

  // RTCP comes from SDP's address for it, or from another port of the address that RTP comes from: who
  // `is_proved` (by a key, or by naming the party's SSRC) shows that once.
  bool accepts_rtcp(const Endpoint& source, bool is_proved);

  // Before it costs anything: whether it may be the party's, as far as its address goes.
  bool may_come_from(const Endpoint& source) const;
  bool rtcp_may_come_from(const Endpoint& source) const;

  // Nothing that comes changes it any more, until the party is configured anew.
  bool is_settled(Time now) const { return (is_closed_ || is_over(now)) && !yields_to_sdp_; }

  // Whose RTP is taken; unset before there was any.
  const Endpoint& heard() const { return heard_; }
  // Unset when there is nowhere to send.
  const Endpoint& rtp_destination() const { return is_muted_ ? kNowhere : destination_; }
  Endpoint rtcp_destination() const;

 private:
  // Who but SDP's own address and port may be the party.
  enum class Others : std::uint8_t { kNobody, kAnotherPort, kSignalingAddress, kSdpAddress, kAnybody };
  struct Candidate {
    Endpoint source;
    media::Ssrc ssrc;
    Time first{};
    Time last{};
    Duration length() const { return last - first; }
  };
  static const Endpoint kNowhere;

  static Others others_of(const LegConfig& config);
  void begin(const LegConfig& config);
  bool judge(Time now, const Endpoint& source, media::Ssrc ssrc);
  bool is_former(const Endpoint& source) const;
  bool may_take(const Endpoint& source) const;
  bool is_over(Time now) const { return opened_at_ && now - *opened_at_ > kWindow; }
  const Candidate& measure(Time now, const Endpoint& source, media::Ssrc ssrc);
  Candidate& place_for(const Endpoint& source);
  bool leads(const Candidate& candidate) const;
  void move_to(const Endpoint& source);

  // What SDP and SIP say.
  Endpoint sdp_rtp_;
  Endpoint sdp_rtcp_;
  std::optional<IpAddress> signaling_address_;
  Others others_ = Others::kNobody;
  bool rtcp_mux_ = false;
  bool is_keyed_ = false;
  bool is_symmetric_ = true;
  bool is_muted_ = false;
  bool must_show_ = false;
  std::optional<HeardStream> ghost_;
  std::array<Endpoint, 2> former_;  // what SDP named before, and what was heard then

  // What came.
  Endpoint heard_;
  Endpoint destination_;
  std::optional<Endpoint> learned_rtcp_;
  std::optional<Time> opened_at_;
  std::array<Candidate, kMaxCandidates> candidates_;
  bool is_closed_ = false;
  bool yields_to_sdp_ = false;  // SDP's own address was silent; when it speaks it is the party after all
  ThreadCheck thread_check_{"Latch"};
};

}  // namespace vas::bridge

// How a leg hands its half of a relay over to the kernel, and what it takes back.
#include <algorithm>
#include <utility>

#include "bridge/leg/leg.h"
#include "bridge/leg/relay_address.h"

namespace vas::bridge {

bool Leg::describe_near(Time now, relay_entry& entry) const {
  if (!is_configured_ || needs_user_space() || !config_.sends || !latch_.is_settled(now) ||
      !receive_stats_.is_in_stretch())
    return false;
  const Endpoint& source = latch_.heard();
  if (!source.is_set()) return false;
  entry.near = to_relay(source.address);
  entry.near_port = to_relay(source.port);
  entry.family = source.address.family == AddressFamily::kIpv4 ? 4 : 6;
  entry.receive = receive_stats_.state();
  entry.last_at_ns = media::nanoseconds(last_rtp_at_);
  return true;
}

bool Leg::describe_far(const Leg& near, relay_entry& entry) const {
  const Endpoint& to = latch_.rtp_destination();
  if (!is_configured_ || needs_user_space() || !config_.receives || !to.is_set()) return false;
  if ((to.address.family == AddressFamily::kIpv4) != (entry.family == 4)) return false;
  if (splicer_.current() != media::Ssrc{near.receive_stats_.state().ssrc} || !splicer_.is_settled())
    return false;
  entry.far = to_relay(to.address);
  entry.far_port = to_relay(to.port);
  entry.tos = kTosExpeditedForwarding;
  entry.ssrc = outgoing_ssrc_.value;
  entry.splice = splicer_.state();

  std::fill(std::begin(entry.format_of), std::end(entry.format_of), kRelayFormatUnknown);
  entry.format_of[media::kComfortNoisePayloadType.value] = kRelayFormatGoesUp;
  const auto& formats = near.config_.formats;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    std::uint8_t& place = entry.format_of[formats[i].payload_type.value & 0x7f];
    const LegFormat* mine = counterpart(formats[i]);
    const bool is_relayed =
        i < kRelayFormats && mine != nullptr && formats[i].codec != media::Codec::kTelephoneEvent;
    place = is_relayed ? static_cast<std::uint8_t>(i) : std::uint8_t{kRelayFormatGoesUp};
    if (is_relayed) {
      const std::uint8_t is_noise = formats[i].codec == media::Codec::kComfortNoise ? 1 : 0;
      entry.formats[i] = {
          media::tick_length_q10(formats[i].clock_rate), mine->payload_type.value, is_noise, {}};
    }
  }
  return true;
}

void Leg::look_near(const relay_entry& entry) {
  receive_stats_.set_state(entry.receive);
  last_rtp_at_ = Time(Duration(static_cast<Duration::rep>(entry.last_at_ns / 1000)));
  kernel_.refused_source = entry.refused_source;
  kernel_.unknown_payload_type = entry.unknown_payload_type;
  kernel_.expired = entry.expired;
  kernel_.over_limit = entry.over_limit;
  if (entry.has_frame == 0) return;
  const LegFormat& format = config_.formats[entry.last_format];
  last_audio_timestamp_ = media::RtpTimestamp{entry.frame_timestamp};
  last_audio_number_ = {entry.frame_number};
  stats_.codec = format.codec;
  record_frame(entry.frame_ticks, format.clock_rate);
}

void Leg::look_far(const relay_entry& entry) {
  splicer_.set_state(entry.splice);
  kernel_.sent_packets = entry.sent_packets;
  kernel_.sent_bytes = entry.sent_bytes;
  if (entry.sent_packets == 0) return;
  last_sent_timestamp_ = {entry.splice.newest_timestamp};
  last_sent_at_ = Time(Duration(static_cast<Duration::rep>(entry.splice.newest_at_ns / 1000)));
  // Comfort noise alone says nothing of the format: its place may be that of one which is not relayed.
  if (entry.has_frame != 0)
    last_sent_clock_rate_ = media::clock_rate_of(entry.formats[entry.last_format].tick_length_q10);
}

void Leg::end_near() {
  stats_.refused_source += std::exchange(kernel_.refused_source, 0);
  stats_.unknown_payload_type += std::exchange(kernel_.unknown_payload_type, 0);
  stats_.expired += std::exchange(kernel_.expired, 0);
  stats_.over_limit += std::exchange(kernel_.over_limit, 0);
}

void Leg::end_far() {
  stats_.sent_by_kernel += kernel_.sent_packets;
  stats_.sent_packets += std::exchange(kernel_.sent_packets, 0);
  stats_.sent_bytes += std::exchange(kernel_.sent_bytes, 0);
}

}  // namespace vas::bridge

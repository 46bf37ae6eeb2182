#include "bridge/leg/leg.h"

#include <algorithm>
#include <utility>

namespace vas::bridge {
namespace {

// Who leaves pauses out sends it whether it was agreed on or not.
constexpr LegFormat kUnagreedComfortNoise{media::kComfortNoisePayloadType, media::Codec::kComfortNoise, 8000};

}  // namespace

const LegFormat* Leg::counterpart(const LegFormat& wanted) const {
  const auto& formats = config_.formats;
  const auto same = std::find_if(formats.begin(), formats.end(), [&](const LegFormat& each) {
    return each.codec == wanted.codec && each.clock_rate == wanted.clock_rate;
  });
  if (same != formats.end()) return &*same;
  // A telephone event is understood whatever clock was negotiated for it.
  if (wanted.codec != media::Codec::kTelephoneEvent) return nullptr;
  const auto any = std::find_if(formats.begin(), formats.end(),
                                [&](const LegFormat& each) { return each.codec == wanted.codec; });
  return any != formats.end() ? &*any : nullptr;
}

void Leg::configure(const LegConfig& config) {
  thread_check_.check();
  const bool was_paused = is_configured_ && !(config_.sends && config_.receives);
  config_ = config;
  is_configured_ = true;
  path_.configure(config_);
  format_index_.fill(-1);
  for (std::size_t i = 0; i < config_.formats.size(); ++i) {
    format_index_[config_.formats[i].payload_type.value & 0x7f] = static_cast<std::int8_t>(i);
  }
  latch_.configure(config_);
  if (was_paused) {
    receive_stats_.restart();
    splicer_.restart();
  }
}

bool Leg::accepts_unprotected(media::SrtpResult result) {
  switch (result) {
    case media::SrtpResult::kOk: return true;
    case media::SrtpResult::kReplayed: ++stats_.replayed; return false;
    case media::SrtpResult::kMalformed: ++stats_.malformed; return false;
    default: ++stats_.unauthenticated; return false;
  }
}

bool Leg::unprotect_rtcp(media::PacketBuffer& compound) {
  return accepts_unprotected(path_.unprotect_rtcp(compound));
}

const Endpoint& Leg::rtp_destination(Time now) const {
  return path_.has_ice() ? path_.destination(now) : latch_.rtp_destination();
}

Endpoint Leg::rtcp_destination(Time now) const {
  if (!path_.has_ice()) return latch_.rtcp_destination();
  return config_.rtcp_mux ? rtp_destination(now) : Endpoint();
}

std::optional<media::DtlsSource> Leg::dtls_source(Time now, Component component,
                                                  const Endpoint& source) const {
  using media::DtlsSource;
  if (path_.has_ice())
    return path_.is_proved(now, source) ? std::optional(DtlsSource::kProved) : std::nullopt;
  const bool is_rtp = component == Component::kRtp;
  if (source == (is_rtp ? latch_.rtp_destination() : latch_.rtcp_destination())) return DtlsSource::kSdp;
  if (config_.dtls && config_.dtls->role == media::DtlsRole::kClient)
    return {};  // it responds from where we asked
  if (is_rtp ? latch_.may_come_from(source) : latch_.rtcp_may_come_from(source))
    return DtlsSource::kCandidate;
  return {};
}

const LegFormat* Leg::format_of(media::PayloadType payload_type) const {
  if (!is_configured_) return nullptr;
  const int index = format_index_[payload_type.value & 0x7f];
  if (index >= 0) return &config_.formats[static_cast<std::size_t>(index)];
  return payload_type == kUnagreedComfortNoise.payload_type ? &kUnagreedComfortNoise : nullptr;
}

bool Leg::may_be_party(Time now, const Endpoint& source) {
  const bool is_taken = path_.has_ice() ? path_.is_proved(now, source) : latch_.may_come_from(source);
  if (!is_taken) ++stats_.refused_source;
  return is_taken;
}

bool Leg::accepts_rtcp_from(Time now, const Endpoint& source) const {
  if (!is_configured_) return false;
  return path_.has_ice() ? path_.is_proved(now, source) : latch_.rtcp_may_come_from(source);
}

std::optional<Leg::Admitted> Leg::admit(Time now, const media::RtpPacket& packet, std::size_t bytes,
                                        const Endpoint& source) {
  path_.on_alive(now, source);  // a keep-alive's payload type is none that was negotiated (RFC 6263 §4.6)
  const LegFormat* format = format_of(packet.payload_type());
  if (format == nullptr) return count_unknown(now, packet, bytes, source);
  if (path_.has_ice() ? !path_.is_proved(now, source) : !latch_.accepts_rtp(now, source, packet.ssrc())) {
    ++stats_.refused_source;
    return {};
  }
  if (!rtp_budget_.draw(now)) {
    ++stats_.over_limit;
    return {};
  }
  last_rtp_at_ = now;
  const bool is_event = format->codec == media::Codec::kTelephoneEvent;
  const auto arrived = receive_stats_.on_packet(now, {.ssrc = packet.ssrc(),
                                                      .sequence_number = packet.sequence_number(),
                                                      .timestamp = packet.timestamp(),
                                                      .clock_rate = format->clock_rate,
                                                      .bytes = bytes,
                                                      .is_event = is_event});
  if (is_event) telephone_events_.on_event(packet);
  if (media::is_audio(format->codec)) measure_ptime(packet, *format);
  return Admitted{arrived, format};
}

// A keep-alive by RFC 6263 §4.6, say. It moves no latch, and begins no stream.
std::optional<Leg::Admitted> Leg::count_unknown(Time now, const media::RtpPacket& packet, std::size_t bytes,
                                                const Endpoint& source) {
  ++stats_.unknown_payload_type;
  const bool is_of_stream = is_configured_ && is_party(now, source) && receive_stats_.is_in_stretch() &&
                            receive_stats_.state().ssrc == packet.ssrc().value;
  if (!is_of_stream) return {};
  last_rtp_at_ = now;
  return Admitted{receive_stats_.on_packet(now, {.ssrc = packet.ssrc(),
                                                 .sequence_number = packet.sequence_number(),
                                                 .timestamp = packet.timestamp(),
                                                 .bytes = bytes,
                                                 .is_unknown = true}),
                  nullptr};
}

void Leg::measure_ptime(const media::RtpPacket& packet, const LegFormat& format) {
  const auto number_step =
      static_cast<std::uint16_t>(packet.sequence_number().value - last_audio_number_.value);
  if (last_audio_timestamp_ && number_step == 1) {
    record_frame(packet.timestamp().value - last_audio_timestamp_->value, format.clock_rate);
  }
  last_audio_timestamp_ = packet.timestamp();
  last_audio_number_ = packet.sequence_number();
  stats_.codec = format.codec;
}

// Who knows the SSRC of the party's stream has seen the stream.
bool Leg::admit_rtcp(Time now, Bytes compound, const Endpoint& source) {
  if (!is_configured_) return false;
  const bool names_party = receive_stats_.is_in_stretch() && compound.size() >= 8 &&
                           load_u32(compound, 4) == receive_stats_.state().ssrc;
  const bool is_proved = path_.is_encrypted() || names_party;
  if (path_.has_ice() ? !path_.is_proved(now, source) : !latch_.accepts_rtcp(source, is_proved)) return false;
  last_rtcp_at_ = now;
  path_.on_alive(now, source);
  return true;
}

const Endpoint* Leg::rewrite_for_party(Time now, const media::RtpPacket& packet, const Admitted& admitted,
                                       MutableBytes datagram) {
  const Endpoint& destination = rtp_destination(now);
  if (!is_configured_ || !config_.receives || !destination.is_set()) {
    splicer_.restart();  // what is not sent leaves no gap behind
    return nullptr;
  }
  media::StreamSplicer::Incoming incoming{.ssrc = packet.ssrc(),
                                          .sequence_number = packet.sequence_number(),
                                          .timestamp = packet.timestamp(),
                                          .arrived = admitted.arrived};
  const LegFormat* format = admitted.format;
  const LegFormat* far_format = format != nullptr ? counterpart(*format) : nullptr;
  if (far_format == nullptr) {
    splicer_.skip(incoming);
    return nullptr;
  }
  incoming.clock_rate = format->clock_rate;
  incoming.is_event = format->codec == media::Codec::kTelephoneEvent;
  const std::uint32_t shift = incoming.is_event && far_format->clock_rate != format->clock_rate
                                  ? scale_event(packet, *far_format, datagram, incoming)
                                  : 0;
  const auto spliced = splicer_.splice(now, incoming);
  if (!spliced) return nullptr;
  media::rewrite_header(datagram, {.marker = packet.marker() || spliced->starts_segment,
                                   .payload_type = far_format->payload_type,
                                   .sequence_number = spliced->sequence_number,
                                   .timestamp = {spliced->timestamp.value + shift},
                                   .ssrc = outgoing_ssrc_});
  if (incoming.is_event) return &destination;
  last_sent_timestamp_ = spliced->timestamp;
  last_sent_at_ = now;
  last_sent_clock_rate_ = format->clock_rate;
  return &destination;
}

std::uint32_t Leg::scale_event(const media::RtpPacket& packet, const LegFormat& to, MutableBytes datagram,
                               media::StreamSplicer::Incoming& incoming) {
  const auto event = media::TelephoneEvent::parse(packet);
  if (!event) return 0;
  const auto scaled = event_scaler_.scale(packet, *event, incoming.clock_rate, to.clock_rate);
  media::rewrite_event_duration(datagram, packet, scaled.duration);
  incoming.timestamp = scaled.press;
  return scaled.segment_shift;
}

void Leg::on_party_report(Time now, const media::RtcpView& packet) {
  const MutableBytes blocks = media::report_blocks(packet);
  for (std::size_t at = 0; at + media::kReportBlockBytes <= blocks.size(); at += media::kReportBlockBytes) {
    record_report_block(now, blocks.subspan(at, media::kReportBlockBytes));
  }
}

void Leg::record_report_block(Time now, Bytes block) {
  if (media::Ssrc{load_u32(block, 0)} != outgoing_ssrc_) return;
  const std::uint32_t lost = load_u32(block, 4) & 0xffffff;
  stats_.reported_lost =
      (lost & 0x800000) != 0 ? std::int64_t{lost} - 0x1000000 : std::int64_t{lost};  // 24 bits, signed
  stats_.reported_jitter_ms = load_u32(block, 12) * 1000.0 / last_sent_clock_rate_;
  stats_.reported_jitter_max_ms =
      std::max(stats_.reported_jitter_max_ms.value_or(0), *stats_.reported_jitter_ms);

  const std::uint32_t last_sr = load_u32(block, 16);
  const auto reported = std::find_if(sent_reports_.begin(), sent_reports_.end(),
                                     [&](const SentReport& each) { return each.ntp_middle == last_sr; });
  if (last_sr == 0 || reported == sent_reports_.end()) return;
  const double held_ms = load_u32(block, 20) * 1000.0 / 65536;  // DLSR is in units of 1/65536 s
  const double elapsed_ms = static_cast<double>((now - reported->at).count()) / 1000.0;
  stats_.round_trip_ms = std::max(0.0, elapsed_ms - held_ms);
}

void Leg::on_report_sent(Time now, std::uint32_t ntp_middle) {
  sent_reports_[next_sent_report_] = {ntp_middle, now};
  next_sent_report_ = (next_sent_report_ + 1) % kRememberedReports;
}

std::optional<media::SenderInfo> Leg::sender_info(Time now, WallTime wall_now) const {
  const LegStats counted = stats();
  if (counted.sent_packets == 0) return {};
  const auto ticks =
      static_cast<std::uint32_t>((now - last_sent_at_).count() * last_sent_clock_rate_ / 1'000'000);
  constexpr std::uint64_t kHeader = media::RtpPacket::kFixedHeaderBytes;
  return media::SenderInfo{outgoing_ssrc_,
                           wall_now,
                           {last_sent_timestamp_.value + ticks},
                           static_cast<std::uint32_t>(counted.sent_packets),
                           static_cast<std::uint32_t>(counted.sent_bytes - kHeader * counted.sent_packets)};
}

LegStats Leg::stats() const {
  LegStats stats = stats_;
  stats.refused_source += kernel_.refused_source;
  stats.unknown_payload_type += kernel_.unknown_payload_type;
  stats.expired += kernel_.expired;
  stats.over_limit += kernel_.over_limit;
  stats.sent_packets += kernel_.sent_packets;
  stats.sent_bytes += kernel_.sent_bytes;
  stats.sent_by_kernel += kernel_.sent_packets;
  stats.received = receive_stats_.summary();
  stats.telephone_events = telephone_events_.count();
  if (last_frame_.ticks != 0) stats.ptime_ms = last_frame_.ticks * 1000.0 / last_frame_.clock_rate;
  stats.media_endpoint = path_.has_ice() ? path_.peer() : latch_.rtp_destination();
  if (!path_.has_ice() && latch_.heard().is_set() && receive_stats_.is_in_stretch())
    stats.heard = HeardStream{latch_.heard(), {receive_stats_.state().ssrc}};
  stats.srtp = path_.suite();
  return stats;
}

}  // namespace vas::bridge

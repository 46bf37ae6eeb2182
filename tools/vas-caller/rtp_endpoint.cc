// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/vas-caller/rtp_endpoint.h"

#include <ortp/ortp.h>
#include <ortp/telephonyevents.h>

#include <chrono>

#include "media/codec/g711.h"
#include "tools/vas-caller/wav.h"

namespace vas::caller {
namespace {

constexpr int kFrameSamples = kSampleRate / 50;  // 20 ms
constexpr int kDigitFrames = 10;                 // 100 ms pressed, 100 ms not
constexpr int kFramesBeforeDigits = 50;          // a second after the answer, when both sides listen

RtpProfile* make_profile(int telephone_event_type) {
  RtpProfile* profile = rtp_profile_clone(&av_profile);
  if (telephone_event_type > 0)
    rtp_profile_set_payload(profile, telephone_event_type, payload_type_clone(&payload_type_telephone_event));
  return profile;
}

}  // namespace

RtpEndpoint::RtpEndpoint(const IpAddress& local, std::vector<std::int16_t> audio) : audio_(std::move(audio)) {
  session_ = rtp_session_new(RTP_SESSION_SENDRECV);
  rtp_session_set_scheduling_mode(session_, 0);
  rtp_session_set_blocking_mode(session_, 0);
  rtp_session_set_connected_mode(session_, 0);
  rtp_session_set_profile(session_, make_profile(101));
  rtp_session_set_local_addr(session_, to_string(local).c_str(), -1, -1);
  port_ = static_cast<std::uint16_t>(rtp_session_get_local_port(session_));
  rtp_session_signal_connect(session_, "telephone-event", &RtpEndpoint::on_event, this);
}

RtpEndpoint::~RtpEndpoint() {
  if (thread_.joinable()) stop();
  rtp_session_destroy(session_);
}

void RtpEndpoint::send_to(const Endpoint& far, media::Codec codec, int telephone_event_type) {
  thread_check_.check();
  {
    const std::lock_guard lock(mutex_);
    codec_ = codec;
    rtp_session_set_profile(session_, make_profile(telephone_event_type));
    rtp_session_set_payload_type(session_, codec == media::Codec::kPcma ? 8 : 0);
    rtp_session_set_remote_addr_and_port(session_, to_string(far.address).c_str(), far.port, far.port + 1);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void RtpEndpoint::press(std::string digits) {
  thread_check_.check();
  const std::lock_guard lock(mutex_);
  digits_to_press_ += digits;
  frames_until_digit_ = kFramesBeforeDigits;
}

void RtpEndpoint::run() {
  auto next = std::chrono::steady_clock::now();
  while (!is_stopping_) {
    {
      const std::lock_guard lock(mutex_);
      send_frame();
      hear_frame();
      timestamp_ += kFrameSamples;
    }
    next += std::chrono::milliseconds(20);
    std::this_thread::sleep_until(next);
  }
}

void RtpEndpoint::send_frame() {
  if (!digits_to_press_.empty() && frames_until_digit_ == 0) {
    rtp_session_send_dtmf2(session_, digits_to_press_.front(), timestamp_, kSampleRate / 10);
    digits_to_press_.erase(0, 1);
    frames_until_digit_ = 2 * kDigitFrames;
  }
  const bool key_is_down = frames_until_digit_ > kDigitFrames && frames_until_digit_ <= 2 * kDigitFrames;
  if (frames_until_digit_ > 0) --frames_until_digit_;
  if (key_is_down) return;  // events go out instead of audio
  if (audio_.empty()) return;
  std::uint8_t frame[kFrameSamples];
  for (std::uint8_t& code : frame) {
    const std::int16_t sample = audio_[position_];
    position_ = (position_ + 1) % audio_.size();
    code = codec_ == media::Codec::kPcma ? media::encode_alaw(sample) : media::encode_mulaw(sample);
  }
  mblk_t* packet = rtp_session_create_packet(session_, RTP_FIXED_HEADER_SIZE, frame, sizeof frame);
  if (rtp_session_sendm_with_ts(session_, packet, timestamp_) > 0) ++report_.sent;
}

void RtpEndpoint::hear_frame() {
  while (mblk_t* packet = rtp_session_recvm_with_ts(session_, timestamp_)) {
    const int type = rtp_get_payload_type(packet);
    unsigned char* payload = nullptr;
    const int bytes = rtp_get_payload(packet, &payload);
    for (int i = 0; i < bytes && (type == 0 || type == 8); ++i) {
      report_.heard.push_back(type == 8 ? media::decode_alaw(payload[i]) : media::decode_mulaw(payload[i]));
    }
    freemsg(packet);
  }
}

// oRTP passes the event's number in place of a pointer, and three arguments in all.
void RtpEndpoint::on_event(_RtpSession*, void* number, void* self, void*) {
  constexpr char kDigits[] = "0123456789*#ABCD";
  const auto event = reinterpret_cast<std::intptr_t>(number);
  if (event >= 0 && event < 16) static_cast<RtpEndpoint*>(self)->report_.digits += kDigits[event];
}

RtpReport RtpEndpoint::stop() {
  thread_check_.check();
  is_stopping_ = true;
  if (thread_.joinable()) thread_.join();
  const rtp_stats_t* stats = rtp_session_get_stats(session_);
  report_.received = stats->packet_recv;
  report_.lost = stats->cum_packet_loss;
  report_.jitter_max_ms = rtp_session_get_jitter_stats(session_)->max_jitter * 1000.0 / kSampleRate;
  return report_;
}

}  // namespace vas::caller

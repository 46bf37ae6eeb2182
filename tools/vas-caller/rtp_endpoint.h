// The caller's media: an independent RTP endpoint on oRTP, so that its figures can judge ours.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "media/codec/codec.h"

struct _RtpSession;

namespace vas::caller {

struct RtpReport {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::int64_t lost = 0;
  double jitter_max_ms = 0;
  std::string digits;  // DTMF heard
  std::vector<std::int16_t> heard;
};

// Sends its audio in a circle and keeps what it hears, 20 ms at a time, on a thread of its own.
// Threads: construct, send_to and stop from one thread.
class RtpEndpoint {
 public:
  RtpEndpoint(const IpAddress& local, std::vector<std::int16_t> audio);
  ~RtpEndpoint();
  RtpEndpoint(const RtpEndpoint&) = delete;
  RtpEndpoint& operator=(const RtpEndpoint&) = delete;

  std::uint16_t port() const { return port_; }
  // PCMU or PCMA. May be called again: the party moved.
  void send_to(const Endpoint& far, media::Codec codec, int telephone_event_type);
  void press(std::string digits);  // one after the other, 100 ms each
  RtpReport stop();

 private:
  void run();
  void send_frame();
  void hear_frame();
  static void on_event(_RtpSession* session, void* event, void* self, void*);

  _RtpSession* session_ = nullptr;
  const std::vector<std::int16_t> audio_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;  // send_to against the media thread
  media::Codec codec_ = media::Codec::kPcmu;
  std::string digits_to_press_;
  int frames_until_digit_ = 0;
  std::uint32_t timestamp_ = 0;
  std::size_t position_ = 0;
  RtpReport report_;
  ThreadCheck thread_check_{"RtpEndpoint"};
  std::thread thread_;
};

}  // namespace vas::caller

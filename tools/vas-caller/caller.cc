// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/vas-caller/caller.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/match.h"
#include "signaling/gateway/gateway.h"
#include "signaling/sdp/sdp.h"
#include "signaling/sip/sip_message.h"
#include "signaling/ua/sip_stack.h"
#include "tools/vas-caller/rtp_endpoint.h"
#include "tools/vas-caller/tone.h"

namespace vas::caller {
namespace {

using namespace signaling;

constexpr int kTelephoneEvent = 101;

// The SIP side of the party: drives one dialog to its end.
class Party {
 public:
  Party(const CallerOptions& options, Gateway& gateway, SipStack& stack, Inbox<SipEvent>& events)
      : options_(options),
        stack_(stack),
        events_(events),
        local_(gateway.listeners().all().front().local),
        rtp_(local_.address, options.audio) {}

  CallerReport run() {
    deadline_ = monotonic_now() + seconds(options_.wait);
    if (!options_.dial.empty()) dial();
    while (!is_over_) {
      wait_for_event();
      events_.drain([this](SipEvent&& event) { handle(event); });
      if (!is_over_ && monotonic_now() >= deadline_) on_deadline();
    }
    linger();
    return finish();
  }

 private:
  static Duration seconds(double value) { return Duration(static_cast<std::int64_t>(value * 1e6)); }

  void wait_for_event() {
    pollfd waiting{events_.descriptor(), POLLIN, 0};
    const auto left = std::clamp<std::int64_t>((deadline_ - monotonic_now()).count() / 1000 + 1, 0, 200);
    poll(&waiting, 1, static_cast<int>(left));
  }

  std::string description() const {
    const auto codec = media::codec_by_name(options_.codec).value_or(media::Codec::kPcmu);
    const media::CodecInfo& info = media::info_of(codec);
    AudioDescription audio{.rtp = {local_.address, rtp_.port()}, .ptime_ms = 20};
    audio.formats = {{info.static_payload_type.value_or(media::PayloadType{0}), codec, 8000, ""},
                     {{kTelephoneEvent}, media::Codec::kTelephoneEvent, 8000, "0-15"}};
    return offer_ ? write_answer({1, 1}, *offer_, audio) : write_offer({1, 1}, audio);
  }

  void dial() {
    dialog_ = {1};
    std::vector<Header> headers;
    if (!options_.token.empty()) headers.push_back({"X-Cloudonix-Session", options_.token});
    if (!options_.domain.empty()) headers.push_back({"X-Cloudonix-Domain", options_.domain});
    stack_.send(SendInvite{dialog_, options_.dial,
                           fmt::format("<sip:{}@{}>", options_.from, to_string(local_)),
                           "<" + options_.dial + ">", description(), headers});
  }

  void handle(const SipEvent& event) {
    match(
        event, [this](const InviteReceived& each) { on_invite(each); },
        [this](const InviteFailed& each) { end("rejected", each.status); },
        [this](const InviteAnswered& each) { talk(each.sdp); },
        [this](const InviteCancelled&) { end("cancelled", 487); },
        [this](const ByeReceived&) { hung_up("them"); }, [this](const DialogLost&) { hung_up("lost"); },
        [this](const OfferReceived& each) { on_offer(each); },
        [this](const InfoReceived& each) {
          stack_.send(RespondToRequest{each.dialog, each.request, 200, ""});
        },
        ignoring<std::monostate, ProbeReceived, ProgressReceived, AckReceived, OfferAnswered, InfoResponded,
                 SessionRefreshed, DialogSaved>);
  }

  void on_invite(const InviteReceived& invite) {
    if (dialog_.value != 0) {
      stack_.send(RespondToInvite{invite.dialog, 486, "", {}});
      return;
    }
    dialog_ = invite.dialog;
    if (options_.reject != 0) {
      stack_.send(RespondToInvite{dialog_, options_.reject, "", {}});
      return end("rejected", options_.reject);
    }
    if (invite.sdp) offer_ = SessionDescription::parse(*invite.sdp);
    stack_.send(RespondToInvite{dialog_, 180, "", {}});
    stack_.send(RespondToInvite{dialog_, 200, description(), {}});
    talk(invite.sdp);
  }

  void on_offer(const OfferReceived& offer) {
    if (offer.sdp) offer_ = SessionDescription::parse(*offer.sdp);
    stack_.send(RespondToRequest{offer.dialog, offer.request, 200, description()});
    send_media(offer.sdp);
  }

  void talk(const std::optional<std::string>& sdp) {
    send_media(sdp);
    report_.outcome = "answered";
    report_.status = 200;
    answered_at_ = monotonic_now();
    deadline_ = options_.seconds > 0 ? answered_at_ + seconds(options_.seconds)
                                     : answered_at_ + std::chrono::hours(24);
    if (!options_.press.empty()) rtp_.press(options_.press);
  }

  void send_media(const std::optional<std::string>& sdp) {
    const auto described = sdp ? SessionDescription::parse(*sdp) : std::nullopt;
    if (!described || !described->audio_line || described->audio.formats.empty()) return;
    int event_type = kTelephoneEvent;
    for (const AudioFormat& format : described->audio.formats) {
      if (format.codec == media::Codec::kTelephoneEvent) event_type = format.payload_type.value;
    }
    rtp_.send_to(described->audio.rtp, described->audio.formats.front().codec, event_type);
  }

  void on_deadline() {
    if (report_.outcome == "answered") {
      stack_.send(SendBye{dialog_, ""});
      return hung_up("us");
    }
    if (!options_.dial.empty()) stack_.send(CancelInvite{dialog_});
    end(options_.dial.empty() ? "no-call" : "no-answer", 0);
  }

  void hung_up(const char* by) {
    report_.ended_by = by;
    report_.talked_s = static_cast<double>((monotonic_now() - answered_at_).count()) / 1e6;
    is_over_ = true;
  }

  void end(const char* outcome, int status) {
    report_.outcome = outcome;
    report_.status = status;
    is_over_ = true;
  }

  // Lets the last request or response leave, and what comes for it arrive.
  void linger() const {
    pollfd nothing{-1, 0, 0};
    poll(&nothing, 1, 300);
  }

  CallerReport finish() {
    RtpReport media = rtp_.stop();
    const HeardTone tone = find_tone(media.heard);
    report_.sent = media.sent;
    report_.received = media.received;
    report_.lost = media.lost;
    report_.jitter_max_ms = media.jitter_max_ms;
    report_.digits = media.digits;
    report_.tone_hz = tone.hertz;
    report_.tone_share = tone.share;
    report_.heard = std::move(media.heard);
    return std::move(report_);
  }

  const CallerOptions& options_;
  SipStack& stack_;
  Inbox<SipEvent>& events_;
  const Endpoint local_;
  RtpEndpoint rtp_;
  DialogId dialog_;
  std::optional<SessionDescription> offer_;
  Time deadline_{};
  Time answered_at_{};
  bool is_over_ = false;
  CallerReport report_;
};

}  // namespace

std::optional<std::string> run_caller(const CallerOptions& options, CallerReport& report) {
  Inbox<SipEvent> events(1024);
  auto gateway = Gateway::open({.transports = {.sip = {options.listen}}});
  if (!gateway) return gateway.error();
  auto stack = SipStack::open({.user_agent = "vas-caller"}, **gateway, events);
  if (!stack) return stack.error();
  (*gateway)->start((*stack)->loopbacks());
  if (options.announces)
    std::fprintf(stderr, "listening %s\n", to_string((*gateway)->listeners().all().front().local).c_str());
  report = Party(options, **gateway, **stack, events).run();
  (*stack).reset();
  (*gateway)->stop();
  return {};
}

}  // namespace vas::caller

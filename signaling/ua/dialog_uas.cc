// The dialog as it responds to an INVITE: with its ACK and CANCEL. (RFC 3261 §13.3)
#include <fmt/format.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <algorithm>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/reason_phrase.h"
#include "signaling/sip/sip_message.h"
#include "signaling/sip/user_of.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/respond.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {

namespace {

// The caller as another node saw it, where that node forwarded the INVITE.
std::optional<Flow> seen_by_forwarder(const sip_t* sip) {
  const std::string value = unknown_header(sip, kOriginHeader);
  const auto blank = value.find(' ');
  if (blank == std::string::npos) return {};
  const auto transport = transport_by_name(std::string_view(value).substr(0, blank));
  const auto peer = Endpoint::parse(std::string_view(value).substr(blank + 1));
  return transport && peer ? std::optional(Flow{*transport, *peer, 0}) : std::nullopt;
}

// What an INVITE says of itself.
InviteReceived described(const sip_t* sip) {
  return {.request_user = user_of(url_text(sip->sip_request->rq_url)),
          .request_host = text(sip->sip_request->rq_url->url_host),
          .from_uri = url_text(sip->sip_from->a_url),
          .from_user = user_of(url_text(sip->sip_from->a_url)),
          .asserted_identity = unknown_headers(sip, "P-Asserted-Identity"),
          .privacy = sip->sip_privacy != nullptr
                         ? header_text(reinterpret_cast<const sip_header_t*>(sip->sip_privacy))
                         : "",
          .call_id = sip->sip_call_id->i_id,
          .sdp = sdp_of(sip),
          .has_unknown_body = sip->sip_payload != nullptr && !sdp_of(sip),
          .unsupported_extensions = unsupported_of(sip->sip_require),
          .expires_s = sip->sip_expires != nullptr
                           ? std::optional(static_cast<std::uint32_t>(sip->sip_expires->ex_delta))
                           : std::nullopt,
          .max_forwards =
              sip->sip_max_forwards != nullptr ? static_cast<int>(sip->sip_max_forwards->mf_count) : 70,
          .session_token = unknown_header(sip, "X-Cloudonix-Session"),
          .session_domain = unknown_header(sip, "X-Cloudonix-Domain"),
          .user_agent = sip->sip_user_agent != nullptr ? text(sip->sip_user_agent->g_string) : ""};
}

}  // namespace

bool Dialog::receive_invite(nta_incoming_t* request, const sip_t* sip, const Flow& source) {
  thread_check_.check();
  invite_in_.reset(request);
  // Known before anything leaves that carries the tag, be it a refusal: its ACK comes with it.
  LiveDialogs& dialogs = context_.gateway->dialogs();
  const std::string tag = random_hex(16);
  nta_incoming_tag(request, tag.c_str());
  call_id_ = sip->sip_call_id->i_id;
  if (!live_.hold(dialogs, dialogs.key_of(call_id_, tag), &source) ||
      !live_invite_.hold(dialogs, dialogs.key_of_invite(text(sip->sip_via->v_branch)), nullptr)) {
    respond(request, 503, {{"Retry-After", "10"}});
    return false;
  }
  peer_supports_100rel_ = sip_has_feature(sip->sip_supported, "100rel") != 0;
  requires_100rel_ = sip_has_feature(sip->sip_require, "100rel") != 0;
  peer_supports_100rel_ = peer_supports_100rel_ || requires_100rel_;
  peer_allows_update_ = sip_is_allowed(sip->sip_allow, sip_method_update, nullptr) != 0;
  peer_source_ = seen_by_forwarder(sip).value_or(source);
  if (refuses_interval(request, sip)) return false;
  adopt_session_timer(sip);

  Scratch scratch;
  local_ = with_tag(header_text(reinterpret_cast<const sip_header_t*>(sip->sip_to)), tag);
  remote_ = header_text(reinterpret_cast<const sip_header_t*>(sip->sip_from));
  leg_ = make_leg(local_, remote_, call_id_, 0, sip->sip_cseq->cs_seq);
  if (!leg_) {
    respond(request, 500);
    return false;
  }
  is_of_token_ = !unknown_header(sip, "X-Cloudonix-Session").empty();
  set_route(leg_.get(), way_by(sip, true));
  nta_incoming_bind(request, on_ack_or_cancel, reinterpret_cast<nta_incoming_magic_t*>(this));
  contact_ = contact_text(*context_.gateway, source, sip->sip_request->rq_url->url_type == url_sips);
  respond(request, 100);

  const auto ours = context_.callers.find(call_id_);
  InviteReceived event = described(sip);
  event.dialog = id_;
  event.source = *peer_source_;
  event.returned_from = ours == context_.callers.end() ? DialogId{} : ours->second->id();
  remote_sdp_ = event.sdp.value_or("");
  context_.publish(std::move(event));
  return true;
}

// Of a request that another node forwarded: as that node saw it.
std::optional<Flow> Dialog::source_of_party(const sip_t* sip) const {
  const auto seen = seen_by_forwarder(sip);
  return seen ? seen : source_of(*context_.gateway, sip);
}

// An interval below the least is refused (RFC 4028 §9), and that which its way cannot do with is remembered.
bool Dialog::refuses_interval(nta_incoming_t* request, const sip_t* sip) {
  (void)accepts_longer_session(sip);
  if (sip->sip_session_expires == nullptr || sip->sip_session_expires->x_delta >= kMinSessionExpires)
    return false;
  respond(request, 422, {{"Min-SE", std::to_string(kMinSessionExpires)}});
  return true;
}

// What a request asks of the session's timer. Who refreshes goes on doing so where it does not say otherwise.
void Dialog::adopt_session_timer(const sip_t* sip) {
  if (sip_has_feature(sip->sip_supported, "timer") != 0) peer_supports_timer_ = true;
  const sip_session_expires_t* expires = sip->sip_session_expires;
  if (expires != nullptr) {
    asked_interval_s_ = static_cast<std::uint32_t>(expires->x_delta);
  } else if (timer_.interval_s() != 0) {
    asked_interval_s_ = timer_.interval_s();
  }
  const bool is_said = expires != nullptr && expires->x_refresher != nullptr;
  peer_refreshes_ = is_said ? !equals_ignoring_case(expires->x_refresher, "uas") : !timer_.we_refresh();
}

// The Session-Expires of our 2xx (RFC 4028 §9), and the timer with it.
std::string Dialog::session_timer_headers() {
  if (!peer_supports_timer_ && asked_interval_s_ == 0) return {};
  const std::uint32_t interval =
      asked_interval_s_ != 0 ? asked_interval_s_ : std::max(min_se_s_, context_.config->session_expires_s);
  const bool peer_refreshes = peer_refreshes_ && peer_supports_timer_;
  timer_.restart(monotonic_now(), interval, !peer_refreshes);
  return fmt::format("{}Session-Expires: {};refresher={}\r\n", peer_refreshes ? "Require: timer\r\n" : "",
                     interval, peer_refreshes ? "uac" : "uas");
}

void Dialog::respond_to_invite(const RespondToInvite& command) {
  thread_check_.check();
  if (!invite_in_ || nta_incoming_status(invite_in_.get()) >= 200) return;  // a CANCEL was faster
  std::string headers = header_lines(command.headers);
  const bool is_success = command.status / 100 == 2;
  if (is_success) headers += session_timer_headers();
  const bool has_body = !command.sdp.empty();
  const bool has_contact = command.status < 300;
  const bool is_reliable =
      command.status > 100 && command.status < 200 && peer_supports_100rel_ && (requires_100rel_ || has_body);

  const auto respond_with = [&](auto&& send) {
    send(SIPTAG_CONTACT_STR(has_contact ? contact_.c_str() : nullptr),
         SIPTAG_ALLOW_STR(has_contact ? kAllow : nullptr),
         SIPTAG_SUPPORTED_STR(is_success ? kSupported : nullptr),
         SIPTAG_CONTENT_TYPE_STR(has_body ? "application/sdp" : nullptr),
         SIPTAG_PAYLOAD_STR(has_body ? command.sdp.c_str() : nullptr),
         SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()));
  };
  if (is_reliable) {
    respond_with([&](auto... tags) {
      nta_reliable_treply(invite_in_.get(), on_prack, nullptr, command.status, reason_phrase(command.status),
                          tags..., TAG_END());
    });
  } else {
    respond_with([&](auto... tags) {
      nta_incoming_treply(invite_in_.get(), command.status, reason_phrase(command.status), tags...,
                          TAG_END());
    });
  }
  if (has_body) remember_local_sdp(command.sdp);
  if (command.status >= 200) live_invite_.reset();
  if (is_success) phase_ = Phase::kEstablished;
  if (command.status >= 300) finish();
}

int Dialog::on_prack(nta_reliable_magic_t*, nta_reliable_t* reliable, nta_incoming_t* prack,
                     const sip_t* sip) {
  nta_reliable_destroy(reliable);
  return prack != nullptr && sip != nullptr ? 200 : 0;
}

int Dialog::on_ack_or_cancel(nta_incoming_magic_t* magic, nta_incoming_t* request, const sip_t* sip) {
  auto& dialog = *reinterpret_cast<Dialog*>(magic);
  const bool is_cancel =
      sip != nullptr && sip->sip_request != nullptr && sip->sip_request->rq_method == sip_method_cancel;
  if (sip == nullptr) {
    dialog.give_up_waiting(request);
  } else if (!is_cancel) {
    dialog.receive_ack(request, sip);
  } else if (request == dialog.invite_in_.get()) {
    dialog.receive_cancel(sip);
  }
  return 0;
}

// Whether a 2xx to its INVITE has gone: nta keeps ours back until the PRACK of an 18x with SDP has come (RFC
// 3262 §5).
bool Dialog::has_answered() const {
  return phase_ == Phase::kEstablished && !(invite_in_ && nta_incoming_status(invite_in_.get()) < 200);
}

void Dialog::receive_cancel(const sip_t* sip) {
  if (phase_ == Phase::kClosing || has_answered()) return;
  context_.publish(InviteCancelled{id_, reasons_of(sip)});
  finish();
}

// Nothing came for 64 T1: no PRACK of our 18x (RFC 3262 §3), whose INVITE nta then refuses with 503, or no
// ACK of our 2xx (RFC 3261 §13.3.1.4).
void Dialog::give_up_waiting(const nta_incoming_t* request) {
  if (phase_ == Phase::kClosing) return;
  if (request == invite_in_.get() && !has_answered()) {
    context_.publish(DialogLost{id_, "no PRACK", false});
    return finish();
  }
  if (phase_ != Phase::kEstablished) return;
  is_acked_ = true;
  lose("no ACK");
}

// One with another number acknowledges nothing (RFC 3261 §13.2.2.4).
bool Dialog::is_of_invite(const sip_t* ack) const {
  return invite_in_ && ack->sip_cseq->cs_seq == nta_incoming_cseq(invite_in_.get());
}

void Dialog::receive_ack(nta_incoming_t* request, const sip_t* sip) {
  if (request == invite_in_.get()) {
    if (phase_ == Phase::kInviting) return;  // the ACK of a refusal
    if (!is_acked_) {
      is_acked_ = true;
      const auto sdp = sdp_of(sip);
      if (sdp) remote_sdp_ = *sdp;
      context_.publish(AckReceived{id_, sdp});
    }
    invite_in_.reset();
    return send_pending_bye();
  }
  const auto unacked = unacked_.find(request);
  if (unacked == unacked_.end()) return;
  const auto sdp = sdp_of(sip);
  if (sdp) {
    remote_sdp_ = *sdp;
    context_.publish(AckReceived{id_, sdp});
  }
  unacked_.erase(unacked);
}

void Dialog::send_pending_bye() {
  if (!bye_after_ack_) return;
  const std::string reason = std::move(*bye_after_ack_);
  bye_after_ack_.reset();
  send_bye(reason);
}

}  // namespace vas::signaling

// What comes inside the dialog: BYE, offers, INFO, OPTIONS; and the responses. (RFC 3261 §14.2, §15.1.2)
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>

#include <algorithm>

#include "base/random.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/reason_phrase.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/respond.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {
namespace {

// Another offer is on its way already (RFC 3261 §14.2, RFC 3311 §5.2): the next try is a random time away.
int respond_to_overlapping(nta_incoming_t* request) {
  // RFC 3261 §14.2.
  constexpr std::uint32_t kLongestWaitS = 10;
  return respond_and_release(request, 500,
                             {{"Retry-After", std::to_string(random_u32() % (kLongestWaitS + 1))}});
}

}  // namespace

int Dialog::on_leg_request(nta_leg_magic_t* magic, nta_leg_t*, nta_incoming_t* request, const sip_t* sip) {
  return reinterpret_cast<Dialog*>(magic)->receive_request(request, sip);
}

// Returns the status that nta is to respond with, or 0 when that is done or the request is kept.
int Dialog::receive_request(nta_incoming_t* request, const sip_t* sip) {
  const bool is_ack = sip->sip_request->rq_method == sip_method_ack;
  if ((!is_of_this_dialog(sip) || is_finished_) && !is_ack) return 481;
  // A BYE ends the call whatever it asks for: who sent it is gone (RFC 3261 §15.1.1).
  const bool may_be_refused = !is_ack && sip->sip_request->rq_method != sip_method_bye;
  const std::string unknown = may_be_refused ? unsupported_of(sip->sip_require) : "";
  if (!unknown.empty()) return respond_and_release(request, 420, {{"Unsupported", unknown}});
  switch (sip->sip_request->rq_method) {
    case sip_method_ack:  // that nta takes for none of our 2xx
      if (is_of_this_dialog(sip) && is_of_invite(sip) && phase_ == Phase::kEstablished)
        receive_ack(invite_in_.get(), sip);
      nta_incoming_destroy(request);
      return 0;
    case sip_method_bye: return receive_bye(request, sip);
    case sip_method_invite:
    case sip_method_update: return receive_offer(request, sip);
    case sip_method_info: return receive_info(request, sip);
    case sip_method_options:
      return respond_and_release(
          request, 200, {{"Allow", kAllow}, {"Supported", kSupported}, {"Accept", "application/sdp"}});
    case sip_method_prack: return 481;  // PRACKs of ours go to on_prack
    default: return respond_and_release(request, 405, {{"Allow", kAllow}});
  }
}

int Dialog::receive_bye(nta_incoming_t* request, const sip_t* sip) {
  const bool is_of_unanswered_callee = phase_ == Phase::kInviting && !invite_in_;
  if (is_of_unanswered_callee) return 481;  // it refuses the INVITE instead (RFC 3261 §15)
  const std::string reason = reasons_of(sip);
  respond_and_release(request, 200);
  if (phase_ == Phase::kClosing) return 0;
  const bool was_inviting = !has_answered();
  if (was_inviting && invite_in_) respond(invite_in_.get(), 487);
  context_.publish(was_inviting ? SipEvent(InviteCancelled{id_, reason})
                                : SipEvent(ByeReceived{id_, reason}));
  finish();
  return 0;
}

int Dialog::receive_offer(nta_incoming_t* request, const sip_t* sip) {
  const bool is_invite = sip->sip_request->rq_method == sip_method_invite;
  const auto sdp = sdp_of(sip);
  if (phase_ == Phase::kClosing) return 481;
  if (phase_ == Phase::kInviting)
    return is_invite ? 491 : (sdp ? 488 : 200);  // early media is not renegotiated
  const bool ours_is_pending = std::any_of(outgoing_.begin(), outgoing_.end(), [](const auto& each) {
    return each.second.request.method == sip_method_invite;
  });
  if (ours_is_pending) return 491;  // glare (RFC 3261 §14.2)
  if (refuses_interval(request, sip)) {
    nta_incoming_destroy(request);
    return 0;
  }
  if (!waiting_.empty() && std::any_of(waiting_.begin(), waiting_.end(),
                                       [](const auto& each) { return !each.second.sdp.empty(); }))
    return respond_to_overlapping(request);

  adopt_session_timer(sip);
  refresh_target(sip);
  follow_source(sip);
  if (is_invite) nta_incoming_bind(request, on_ack_or_cancel, reinterpret_cast<nta_incoming_magic_t*>(this));
  // From another address the same SDP means another thing: its media comes from another network too.
  const auto source = source_of_party(sip);
  const auto before = peer_source_;
  if (source) peer_source_ = source;
  const bool has_moved = before && source && before->peer.address != source->peer.address;
  const bool says_sdp = is_invite || sdp;
  const bool is_refresh = !local_sdp_.empty() && !(says_sdp && would_expose_keys()) &&
                          (sdp ? *sdp == remote_sdp_ && !has_moved : true);
  if (is_refresh) {
    respond_to_refresh(request, sip);
    return 0;
  }
  const RequestId id = context_.next_request();
  if (is_invite) respond(request, 100);
  waiting_.emplace(id, Waiting{IncomingHandle(request), is_invite, sdp.value_or("")});
  context_.publish(OfferReceived{id_, id, sdp, source.value_or(Flow{})});
  return 0;
}

// A re-INVITE that repeats its last SDP, or asks for ours, and an UPDATE without SDP change nothing: the
// answer, or the offer, is what was last agreed (RFC 4028 §7.4, RFC 3261 §14.2).
void Dialog::respond_to_refresh(nta_incoming_t* request, const sip_t* sip) {
  const bool is_invite = sip->sip_request->rq_method == sip_method_invite;
  const bool wants_sdp = is_invite || sdp_of(sip).has_value();
  const std::string headers = session_timer_headers();
  const Flow source = source_of_party(sip).value_or(Flow{});
  nta_incoming_treply(request, 200, reason_phrase(200), SIPTAG_CONTACT_STR(contact_.c_str()),
                      SIPTAG_ALLOW_STR(kAllow), SIPTAG_SUPPORTED_STR(kSupported),
                      SIPTAG_CONTENT_TYPE_STR(wants_sdp ? "application/sdp" : nullptr),
                      SIPTAG_PAYLOAD_STR(wants_sdp ? local_sdp_.c_str() : nullptr),
                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (is_invite) {
    unacked_.emplace(request, IncomingHandle(request));
  } else {
    nta_incoming_destroy(request);
  }
  context_.publish(SessionRefreshed{id_, source});
}

int Dialog::receive_info(nta_incoming_t* request, const sip_t* sip) {
  if (phase_ == Phase::kClosing) return 481;
  const RequestId id = context_.next_request();
  InfoReceived event{.dialog = id_, .request = id, .headers = info_headers_of(sip)};
  if (sip->sip_content_type != nullptr)
    event.content_type = header_text(reinterpret_cast<const sip_header_t*>(sip->sip_content_type));
  if (sip->sip_payload != nullptr) event.body.assign(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
  waiting_.emplace(id, Waiting{IncomingHandle(request), false, ""});
  context_.publish(std::move(event));
  return 0;
}

void Dialog::respond_to_request(const RespondToRequest& command) {
  thread_check_.check();
  const auto found = waiting_.find(command.request);
  if (found == waiting_.end()) return;
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  const bool is_success = command.status / 100 == 2;
  const bool has_body = !command.sdp.empty();
  std::string headers = header_lines(command.headers);
  if (is_success && has_body) headers += session_timer_headers();
  nta_incoming_treply(waiting.handle.get(), command.status, reason_phrase(command.status),
                      SIPTAG_CONTACT_STR(has_body ? contact_.c_str() : nullptr),
                      SIPTAG_CONTENT_TYPE_STR(has_body ? "application/sdp" : nullptr),
                      SIPTAG_PAYLOAD_STR(has_body ? command.sdp.c_str() : nullptr),
                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (is_success && has_body) {
    remember_local_sdp(command.sdp);
    remote_sdp_ = waiting.sdp;
  }
  if (waiting.is_invite && is_success) {
    nta_incoming_t* raw = waiting.handle.get();
    unacked_.emplace(raw, std::move(waiting.handle));
  }
}

}  // namespace vas::signaling

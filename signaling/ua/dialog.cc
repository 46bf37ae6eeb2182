#include "signaling/ua/dialog.h"

#include <fmt/format.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <algorithm>

#include "signaling/gateway/sip_message.h"
#include "signaling/ua/sofia_text.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"
#include "vas/base/text.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kAllow = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO";
constexpr std::string_view kSupported = "timer, 100rel";

std::string with_tag(const std::string& value, std::string_view tag) {
  return value + ";tag=" + std::string(tag);
}

}  // namespace

std::optional<Flow> source_of(const Gateway& gateway, const sip_t* sip) {
  const std::string value = unknown_header(sip, "X-VAS-Source");
  const auto blank = value.rfind(' ');
  return blank == std::string::npos ? std::nullopt
                                    : gateway.verify_flow(std::string_view(value).substr(blank + 1));
}

// ---- identity and route ----

LegHandle Dialog::make_leg(const std::string& local, const std::string& remote, const std::string& call_id,
                           std::uint32_t local_sequence, std::uint32_t remote_sequence) {
  Scratch scratch;
  return LegHandle(nta_leg_tcreate(
      context_.agent, on_leg_request, reinterpret_cast<nta_leg_magic_t*>(this),
      SIPTAG_FROM_STR(local.c_str()), SIPTAG_TO_STR(remote.c_str()),
      TAG_IF(!call_id.empty(), SIPTAG_CALL_ID_STR(call_id.c_str())),
      TAG_IF(local_sequence != 0,
             SIPTAG_CSEQ(sip_cseq_create(scratch.get(), local_sequence, sip_method_unknown, "X"))),
      TAG_IF(remote_sequence != 0, NTATAG_REMOTE_CSEQ(remote_sequence)), TAG_END()));
}

void Dialog::set_route(nta_leg_t* leg, const sip_t* sip, bool is_server) {
  routes_ = uris_of(sip->sip_record_route);
  if (!is_server) std::reverse(routes_.begin(), routes_.end());  // RFC 3261 §12.1.2
  if (sip->sip_contact != nullptr) remote_target_ = url_text(sip->sip_contact->m_url);
  if (remote_target_.empty()) remote_target_ = invite_.request_uri;

  const auto source = source_of(*context_.gateway, sip);
  const std::string first_hop = routes_.empty() ? remote_target_ : std::string(uri_of(routes_.front()));
  flow_ = source && stays_on_flow(*source, first_hop, !routes_.empty()) ? source : std::nullopt;
  apply_route(leg);
}

void Dialog::apply_route(nta_leg_t* leg) {
  Scratch scratch;
  std::string list = flow_ ? context_.gateway->flow_route(*flow_) : std::string();
  for (const std::string& route : routes_) list += (list.empty() ? "" : ", ") + route;
  sip_record_route_t* route_set = list.empty() ? nullptr : sip_record_route_make(scratch.get(), list.c_str());
  sip_contact_t* target = sip_contact_make(scratch.get(), ("<" + remote_target_ + ">").c_str());
  nta_leg_server_route(leg, route_set, target);
}

void Dialog::refresh_target(const sip_t* sip) {
  if (sip->sip_contact == nullptr || !leg_) return;
  const std::string target = url_text(sip->sip_contact->m_url);
  if (target == remote_target_) return;
  remote_target_ = target;
  nta_leg_client_reroute(leg_.get(), nullptr, sip->sip_contact, 0);
}

DialogState Dialog::state() const {
  return {.call_id = call_id_,
          .local = local_,
          .remote = remote_,
          .local_sequence = leg_ ? nta_leg_get_seq(leg_.get()) : 0,
          .remote_sequence = leg_ ? nta_leg_get_rseq(leg_.get()) : 0,
          .remote_target = remote_target_,
          .routes = routes_,
          .flow = flow_,
          .contact = contact_,
          .local_sdp = local_sdp_,
          .invite_sequence = phase_ == Phase::kEstablished ? invite_sequence_ : 0};
}

void Dialog::restore(const DialogState& state) {
  local_ = state.local;
  remote_ = state.remote;
  call_id_ = state.call_id;
  remote_target_ = state.remote_target;
  routes_ = state.routes;
  flow_ = state.flow;
  contact_ = state.contact;
  local_sdp_ = state.local_sdp;
  leg_ = make_leg(local_, remote_, call_id_, state.local_sequence, state.remote_sequence);
  if (!leg_) return finish();
  apply_route(leg_.get());
  invite_sequence_ = state.invite_sequence;
  answered_tag_ = nta_leg_get_rtag(leg_.get()) == nullptr ? "" : nta_leg_get_rtag(leg_.get());
  if (invite_sequence_ != 0)
    acknowledge(leg_.get(), invite_sequence_);  // the process before may not have come to it
  phase_ = Phase::kEstablished;
  is_acked_ = true;
}

void Dialog::finish() {
  if (is_finished_) return;
  is_finished_ = true;
  phase_ = Phase::kClosing;
  context_.finished(id_);
}

void Dialog::lose(const std::string& why) {
  context_.publish(DialogLost{id_, why});
  send_bye("SIP;cause=408;text=\"" + why + "\"");
}

// ---- UAS ----

bool Dialog::receive_invite(nta_incoming_t* request, const sip_t* sip, const Flow& source) {
  invite_in_.reset(request);
  peer_supports_timer_ = sip_has_feature(sip->sip_supported, "timer") != 0;
  peer_supports_100rel_ = sip_has_feature(sip->sip_supported, "100rel") != 0;
  requires_100rel_ = sip_has_feature(sip->sip_require, "100rel") != 0;
  peer_supports_100rel_ = peer_supports_100rel_ || requires_100rel_;
  peer_allows_update_ = sip_is_allowed(sip->sip_allow, sip_method_update, nullptr) != 0;
  if (sip->sip_session_expires != nullptr) {
    asked_interval_s_ = static_cast<std::uint32_t>(sip->sip_session_expires->x_delta);
    peer_refreshes_ = !(sip->sip_session_expires->x_refresher != nullptr &&
                        equals_ignoring_case(sip->sip_session_expires->x_refresher, "uas"));
    if (asked_interval_s_ < kMinSessionExpires) {
      nta_incoming_treply(request, 422, "Session Interval Too Small", SIPTAG_MIN_SE_STR("90"), TAG_END());
      return false;
    }
  }

  Scratch scratch;
  local_ = header_text(scratch, reinterpret_cast<const sip_header_t*>(sip->sip_to));
  remote_ = header_text(scratch, reinterpret_cast<const sip_header_t*>(sip->sip_from));
  call_id_ = sip->sip_call_id->i_id;
  leg_ = make_leg(local_, remote_, call_id_, 0, sip->sip_cseq->cs_seq);
  if (!leg_) {
    nta_incoming_treply(request, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
    return false;
  }
  set_route(leg_.get(), sip, true);
  const char* tag = nta_leg_tag(leg_.get(), nullptr);
  nta_incoming_tag(request, tag);
  nta_incoming_bind(request, on_ack_or_cancel, reinterpret_cast<nta_incoming_magic_t*>(this));
  local_ = with_tag(local_, tag);
  contact_ = contact_text(*context_.gateway, source);
  nta_incoming_treply(request, SIP_100_TRYING, TAG_END());

  InviteReceived event{
      .dialog = id_,
      .source = source,
      .request_user = text(sip->sip_request->rq_url->url_user),
      .from_uri = url_text(sip->sip_from->a_url),
      .from_user = text(sip->sip_from->a_url->url_user),
      .to_uri = url_text(sip->sip_to->a_url),
      .call_id = call_id_,
      .sdp = sdp_of(sip),
      .has_unknown_body = sip->sip_payload != nullptr && !sdp_of(sip),
      .unsupported_extensions = unsupported_of(sip->sip_require),
      .session_token = unknown_header(sip, "X-Cloudonix-Session"),
      .session_domain = unknown_header(sip, "X-Cloudonix-Domain"),
      .user_agent = sip->sip_user_agent != nullptr ? text(sip->sip_user_agent->g_string) : "",
      .supports_100rel = peer_supports_100rel_};
  remote_sdp_ = event.sdp.value_or("");
  context_.publish(std::move(event));
  return true;
}

// The Session-Expires of our 2xx (RFC 4028 §9), and the timer with it.
std::string Dialog::session_timer_headers(const sip_t* sip) {
  if (sip != nullptr && sip->sip_session_expires != nullptr) {
    asked_interval_s_ = std::max<std::uint32_t>(
        kMinSessionExpires, static_cast<std::uint32_t>(sip->sip_session_expires->x_delta));
    peer_refreshes_ = !(sip->sip_session_expires->x_refresher != nullptr &&
                        equals_ignoring_case(sip->sip_session_expires->x_refresher, "uas"));
  }
  if (!peer_supports_timer_ && asked_interval_s_ == 0) return {};
  const std::uint32_t interval =
      asked_interval_s_ != 0 ? asked_interval_s_ : context_.config->session_expires_s;
  const bool peer_refreshes = peer_refreshes_ && peer_supports_timer_;
  timer_.restart(monotonic_now(), interval, !peer_refreshes);
  return fmt::format("{}Session-Expires: {};refresher={}\r\n", peer_refreshes ? "Require: timer\r\n" : "",
                     interval, peer_refreshes ? "uac" : "uas");
}

void Dialog::answer_invite(const AnswerInvite& command) {
  if (!invite_in_ || nta_incoming_status(invite_in_.get()) >= 200) return;  // a CANCEL was faster
  std::string headers = header_lines(command.headers);
  const bool is_success = command.status / 100 == 2;
  if (is_success) headers += session_timer_headers(nullptr);
  const bool has_body = !command.sdp.empty();
  const bool has_contact = command.status < 300;
  const bool is_reliable =
      command.status > 100 && command.status < 200 && peer_supports_100rel_ && (requires_100rel_ || has_body);

  const auto reply = [&](auto&& send) {
    send(SIPTAG_CONTACT_STR(has_contact ? contact_.c_str() : nullptr),
         SIPTAG_ALLOW_STR(has_contact ? kAllow.data() : nullptr),
         SIPTAG_SUPPORTED_STR(is_success ? kSupported.data() : nullptr),
         SIPTAG_CONTENT_TYPE_STR(has_body ? "application/sdp" : nullptr),
         SIPTAG_PAYLOAD_STR(has_body ? command.sdp.c_str() : nullptr),
         SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()));
  };
  if (is_reliable) {
    reply([&](auto... tags) {
      nta_reliable_treply(invite_in_.get(), on_prack, nullptr, command.status, command.reason.c_str(),
                          tags..., TAG_END());
    });
  } else {
    reply([&](auto... tags) {
      nta_incoming_treply(invite_in_.get(), command.status, command.reason.c_str(), tags..., TAG_END());
    });
  }
  if (has_body) local_sdp_ = command.sdp;
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
  if (sip == nullptr) {  // no ACK for our 2xx within 64 T1 (RFC 3261 §13.3.1.4)
    if (dialog.phase_ == Phase::kEstablished) {
      dialog.is_acked_ = true;
      dialog.lose("no ACK");
    }
    return 0;
  }
  const bool is_cancel = sip->sip_request != nullptr && sip->sip_request->rq_method == sip_method_cancel;
  if (is_cancel) {
    if (dialog.phase_ == Phase::kInviting && request == dialog.invite_in_.get()) {
      dialog.context_.publish(InviteCancelled{dialog.id_});
      dialog.finish();
    }
    return 0;
  }
  dialog.receive_ack(request, sip);
  return 0;
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

int Dialog::on_leg_request(nta_leg_magic_t* magic, nta_leg_t*, nta_incoming_t* request, const sip_t* sip) {
  return reinterpret_cast<Dialog*>(magic)->receive_request(request, sip);
}

// Returns the status that nta is to answer with, or 0 when the request was answered or is kept.
int Dialog::receive_request(nta_incoming_t* request, const sip_t* sip) {
  switch (sip->sip_request->rq_method) {
    case sip_method_ack:  // of a 2xx whose transaction is gone
      if (!is_acked_ && phase_ == Phase::kEstablished) receive_ack(invite_in_.get(), sip);
      nta_incoming_destroy(request);
      return 0;
    case sip_method_bye: return receive_bye(request, sip);
    case sip_method_invite:
    case sip_method_update: return receive_offer(request, sip);
    case sip_method_info: return receive_info(request, sip);
    case sip_method_options: return 200;
    case sip_method_prack: return 481;  // PRACKs of ours go to on_prack
    default: return 501;
  }
}

int Dialog::receive_bye(nta_incoming_t* request, const sip_t* sip) {
  nta_incoming_treply(request, SIP_200_OK, TAG_END());
  nta_incoming_destroy(request);
  if (phase_ == Phase::kClosing) return 0;
  Scratch scratch;
  const std::string reason =
      sip->sip_reason != nullptr
          ? header_text(scratch, reinterpret_cast<const sip_header_t*>(sip->sip_reason))
          : "";
  const bool was_inviting = phase_ == Phase::kInviting;
  if (was_inviting && invite_in_) nta_incoming_treply(invite_in_.get(), SIP_487_REQUEST_CANCELLED, TAG_END());
  context_.publish(was_inviting ? SipEvent(InviteCancelled{id_}) : SipEvent(ByeReceived{id_, reason}));
  finish();
  return 0;
}

int Dialog::receive_offer(nta_incoming_t* request, const sip_t* sip) {
  const bool is_invite = sip->sip_request->rq_method == sip_method_invite;
  const auto sdp = sdp_of(sip);
  if (phase_ == Phase::kClosing) return 481;
  if (phase_ == Phase::kInviting)
    return is_invite ? 491 : (sdp ? 488 : 200);  // early media is not renegotiated
  const bool ours_is_pending = std::any_of(outgoing_.begin(), outgoing_.end(),
                                           [](const auto& each) { return each.second.kind == Sent::kOffer; });
  if (ours_is_pending) return 491;  // glare (RFC 3261 §14.2)
  if (!waiting_.empty() && std::any_of(waiting_.begin(), waiting_.end(),
                                       [](const auto& each) { return !each.second.sdp.empty(); }))
    return 500;

  refresh_target(sip);
  if (is_invite) nta_incoming_bind(request, on_ack_or_cancel, reinterpret_cast<nta_incoming_magic_t*>(this));
  const bool is_refresh = !local_sdp_.empty() && (sdp ? *sdp == remote_sdp_ : true);
  if (is_refresh) {
    answer_refresh(request, sip);
    return 0;
  }
  const RequestId id = context_.next_request();
  if (is_invite) nta_incoming_treply(request, SIP_100_TRYING, TAG_END());
  waiting_.emplace(id, Waiting{IncomingHandle(request), is_invite, sdp.value_or("")});
  context_.publish(OfferReceived{id_, id, sdp});
  return 0;
}

// A re-INVITE that repeats its last SDP, or asks for ours, and an UPDATE without SDP change nothing: the
// answer, or the offer, is what was last agreed (RFC 4028 §7.4, RFC 3261 §14.2).
void Dialog::answer_refresh(nta_incoming_t* request, const sip_t* sip) {
  const bool is_invite = sip->sip_request->rq_method == sip_method_invite;
  const bool wants_sdp = is_invite || sdp_of(sip).has_value();
  const std::string headers = session_timer_headers(sip);
  nta_incoming_treply(request, SIP_200_OK, SIPTAG_CONTACT_STR(contact_.c_str()),
                      SIPTAG_ALLOW_STR(kAllow.data()), SIPTAG_SUPPORTED_STR(kSupported.data()),
                      SIPTAG_CONTENT_TYPE_STR(wants_sdp ? "application/sdp" : nullptr),
                      SIPTAG_PAYLOAD_STR(wants_sdp ? local_sdp_.c_str() : nullptr),
                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (is_invite) {
    unacked_.emplace(request, IncomingHandle(request));
  } else {
    nta_incoming_destroy(request);
  }
}

int Dialog::receive_info(nta_incoming_t* request, const sip_t* sip) {
  if (phase_ == Phase::kClosing) return 481;
  const RequestId id = context_.next_request();
  InfoReceived event{
      id_, id, sip->sip_content_type != nullptr ? text(sip->sip_content_type->c_type) : "",
      sip->sip_payload != nullptr ? std::string(sip->sip_payload->pl_data, sip->sip_payload->pl_len) : ""};
  waiting_.emplace(id, Waiting{IncomingHandle(request), false, ""});
  context_.publish(std::move(event));
  return 0;
}

void Dialog::answer_request(const AnswerRequest& command) {
  const auto found = waiting_.find(command.request);
  if (found == waiting_.end()) return;
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  const bool is_success = command.status / 100 == 2;
  const bool has_body = !command.sdp.empty();
  const std::string headers = is_success && has_body ? session_timer_headers(nullptr) : std::string();
  nta_incoming_treply(waiting.handle.get(), command.status, command.reason.c_str(),
                      SIPTAG_CONTACT_STR(has_body ? contact_.c_str() : nullptr),
                      SIPTAG_CONTENT_TYPE_STR(has_body ? "application/sdp" : nullptr),
                      SIPTAG_PAYLOAD_STR(has_body ? command.sdp.c_str() : nullptr),
                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (is_success && has_body) {
    local_sdp_ = command.sdp;
    remote_sdp_ = waiting.sdp;
  }
  if (waiting.is_invite && is_success) {
    nta_incoming_t* raw = waiting.handle.get();
    unacked_.emplace(raw, std::move(waiting.handle));
  }
}

// ---- UAC ----

Dialog::Outgoing* Dialog::add(nta_outgoing_t* handle, Sent kind, RequestId request) {
  if (handle == nullptr) return nullptr;
  return &outgoing_.insert_or_assign(handle, Outgoing{OutgoingHandle(handle), kind, request}).first->second;
}

void Dialog::send_invite(const SendInvite& command) {
  invite_ = command;
  local_ = command.from;
  remote_ = command.to;
  leg_ = make_leg(local_, remote_, "", 0, 0);
  if (!leg_) {
    context_.publish(InviteFailed{id_, 0, "bad From or To"});
    return finish();
  }
  local_ = with_tag(local_, nta_leg_tag(leg_.get(), nullptr));
  create_invite();
}

void Dialog::create_invite() {
  Scratch scratch;
  const auto uri = SipUri::parse(invite_.request_uri);
  const auto address = uri ? IpAddress::parse(uri->host) : std::nullopt;
  const auto transport =
      uri && !uri->transport().empty() ? transport_by_name(uri->transport()) : Transport::kUdp;
  if (!address || !transport) {
    context_.publish(InviteFailed{id_, 0, "the route is not a numeric address"});
    return finish();
  }
  contact_ = contact_text(*context_.gateway, {*transport, {*address, uri->port}, 0});
  const std::string headers = header_lines(invite_.headers);
  const std::string expires = std::to_string(std::max(min_se_s_, context_.config->session_expires_s));
  const std::string min_se = std::to_string(min_se_s_);
  const bool has_body = !invite_.sdp.empty();
  nta_outgoing_t* request =
      nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                           URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE,
                           URL_STRING_MAKE(invite_.request_uri.c_str()), SIPTAG_CONTACT_STR(contact_.c_str()),
                           SIPTAG_ALLOW_STR(kAllow.data()), SIPTAG_SUPPORTED_STR(kSupported.data()),
                           SIPTAG_SESSION_EXPIRES_STR(expires.c_str()), SIPTAG_MIN_SE_STR(min_se.c_str()),
                           SIPTAG_USER_AGENT_STR(context_.config->user_agent.c_str()),
                           SIPTAG_CONTENT_TYPE_STR(has_body ? "application/sdp" : nullptr),
                           SIPTAG_PAYLOAD_STR(has_body ? invite_.sdp.c_str() : nullptr),
                           SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (add(request, Sent::kInvite) == nullptr) {
    context_.publish(InviteFailed{id_, 0, "the INVITE could not be made"});
    return finish();
  }
  invite_sequence_ = nta_outgoing_cseq(request);
  offered_sdp_ = invite_.sdp;
}

int Dialog::on_response(nta_outgoing_magic_t* magic, nta_outgoing_t* request, const sip_t* sip) {
  if (sip != nullptr && sip->sip_status != nullptr)
    reinterpret_cast<Dialog*>(magic)->receive_response(request, sip);
  return 0;
}

void Dialog::receive_response(nta_outgoing_t* request, const sip_t* sip) {
  const auto found = outgoing_.find(request);
  if (found == outgoing_.end()) return;
  const Sent kind = found->second.kind;
  const RequestId id = found->second.request;
  const int status = sip->sip_status->st_status;
  switch (kind) {
    case Sent::kInvite:
      receive_invite_response(sip);
      // Repeats of a 2xx then come as strays, for as long as the far side makes them (receive_stray_success).
      if (status / 100 == 2) outgoing_.erase(request);
      return;
    case Sent::kOffer:
    case Sent::kRefresh: return receive_offer_response(kind, request, sip);
    case Sent::kInfo:
      if (status >= 200) context_.publish(InfoAnswered{id_, id, nta_sip_is_internal(sip) ? 408 : status});
      break;
    case Sent::kBye:
      if (status >= 200) finish();
      return;  // the handle goes with the dialog
    case Sent::kPrack: break;
  }
  if (status >= 200) outgoing_.erase(request);
}

void Dialog::receive_invite_response(const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (status / 100 == 2) return receive_invite_success(sip);
  if (status >= 300) {
    if (status == 422 && !is_abandoned_ && retry_longer_session(sip)) return;
    if (!is_abandoned_) {
      const bool is_local = nta_sip_is_internal(sip) != 0;
      context_.publish(InviteFailed{id_, is_local ? 0 : status, text(sip->sip_status->st_phrase)});
    }
    return finish();
  }
  if (is_abandoned_) return;
  has_progress_ = true;
  const bool is_reliable =
      status > 100 && sip->sip_rseq != nullptr && sip_has_feature(sip->sip_require, "100rel");
  if (is_reliable && sip->sip_to->a_tag != nullptr) {
    if (remote_tag_.empty()) {
      remote_tag_ = sip->sip_to->a_tag;
      nta_leg_rtag(leg_.get(), sip->sip_to->a_tag);
      set_route(leg_.get(), sip, false);
    }
    if (remote_tag_ == sip->sip_to->a_tag) {
      const std::string rack = fmt::format("{} {} INVITE", sip->sip_rseq->rs_response, sip->sip_cseq->cs_seq);
      add(nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                               URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_PRACK, nullptr,
                               SIPTAG_RACK_STR(rack.c_str()), TAG_END()),
          Sent::kPrack);
    }
  }
  context_.publish(ProgressReceived{id_, status, sdp_of(sip)});
}

bool Dialog::retry_longer_session(const sip_t* sip) {
  if (sip->sip_min_se == nullptr || sip->sip_min_se->min_delta <= min_se_s_ ||
      sip->sip_min_se->min_delta > 86400)
    return false;
  min_se_s_ = static_cast<std::uint32_t>(sip->sip_min_se->min_delta);
  outgoing_.clear();
  create_invite();
  return true;
}

bool Dialog::receive_stray_success(nta_leg_t* leg, const sip_t* sip) {
  auto* dialog = reinterpret_cast<Dialog*>(nta_leg_magic(leg, on_leg_request));
  const bool is_its_invite = dialog != nullptr && !dialog->answered_tag_.empty() &&
                             sip->sip_cseq->cs_seq == dialog->invite_sequence_;
  if (is_its_invite) dialog->receive_invite_success(sip);
  return is_its_invite;
}

void Dialog::receive_invite_success(const sip_t* sip) {
  const std::string tag = text(sip->sip_to->a_tag);
  if (!answered_tag_.empty()) {  // a repeated 2xx, or one from another branch of a fork (RFC 3261 §13.2.2.4)
    if (tag == answered_tag_) return acknowledge(leg_.get(), invite_sequence_);
    return hang_up_fork(sip);
  }
  answered_tag_ = tag;
  Scratch scratch;
  call_id_ = sip->sip_call_id->i_id;
  remote_ = header_text(scratch, reinterpret_cast<const sip_header_t*>(sip->sip_to));
  if (!remote_tag_.empty() && remote_tag_ != tag) {  // early media came from another branch than the answer
    leg_ = make_leg(local_, remote_, call_id_, invite_sequence_, 0);
  } else {
    nta_leg_rtag(leg_.get(), tag.c_str());
  }
  remote_tag_ = tag;
  set_route(leg_.get(), sip, false);
  acknowledge(leg_.get(), invite_sequence_);
  phase_ = Phase::kEstablished;
  is_acked_ = true;
  if (is_abandoned_) return send_bye("");

  peer_allows_update_ = sip_is_allowed(sip->sip_allow, sip_method_update, nullptr) != 0;
  adopt_timer_of_response(sip);
  local_sdp_ = offered_sdp_;
  const auto sdp = sdp_of(sip);
  remote_sdp_ = sdp.value_or("");
  context_.publish(InviteAnswered{id_, call_id_,
                                  sip->sip_user_agent != nullptr ? text(sip->sip_user_agent->g_string) : "",
                                  source_of(*context_.gateway, sip).value_or(Flow{}), sdp});
}

void Dialog::hang_up_fork(const sip_t* sip) {
  Scratch scratch;
  const std::string remote = header_text(scratch, reinterpret_cast<const sip_header_t*>(sip->sip_to));
  const LegHandle fork = make_leg(local_, remote, call_id_, invite_sequence_, 0);
  if (!fork || sip->sip_contact == nullptr) return;
  nta_leg_server_route(fork.get(), nullptr, sip->sip_contact);
  acknowledge(fork.get(), invite_sequence_);
  OutgoingHandle(nta_outgoing_tcreate(fork.get(), nullptr, nullptr,
                                      URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_BYE, nullptr,
                                      TAG_END()));
}

// Always with a branch of its own: nta looks for the INVITE's transaction otherwise, and aborts when it is
// gone.
void Dialog::acknowledge(nta_leg_t* leg, std::uint32_t sequence) {
  Scratch scratch;
  const std::string branch = "z9hG4bK" + random_hex(8);
  OutgoingHandle(nta_outgoing_tcreate(leg, nullptr, nullptr, URL_STRING_MAKE(context_.gateway_url.c_str()),
                                      SIP_METHOD_ACK, nullptr,
                                      SIPTAG_CSEQ(sip_cseq_create(scratch.get(), sequence, SIP_METHOD_ACK)),
                                      NTATAG_ACK_BRANCH(branch.c_str()), TAG_END()));
}

void Dialog::adopt_timer_of_response(const sip_t* sip) {
  const sip_session_expires_t* expires = sip->sip_session_expires;
  if (expires == nullptr) return timer_.restart(monotonic_now(), 0, false);
  const bool peer_refreshes =
      expires->x_refresher != nullptr && equals_ignoring_case(expires->x_refresher, "uas");
  timer_.restart(monotonic_now(),
                 std::max<std::uint32_t>(kMinSessionExpires, static_cast<std::uint32_t>(expires->x_delta)),
                 !peer_refreshes);
  peer_supports_timer_ = true;
}

void Dialog::cancel() {
  if (phase_ != Phase::kInviting || is_abandoned_) return;
  is_abandoned_ = true;
  for (auto& [handle, outgoing] : outgoing_) {
    // nta holds the CANCEL back until a provisional answer has come (RFC 3261 §9.1).
    if (outgoing.kind == Sent::kInvite) nta_outgoing_cancel(handle);
  }
}

void Dialog::send_bye(const std::string& reason) {
  if (phase_ != Phase::kEstablished) return;
  if (!is_acked_) {  // a UAS waits for the ACK before it says BYE (RFC 3261 §15)
    bye_after_ack_ = reason;
    return;
  }
  phase_ = Phase::kClosing;
  timer_.restart(monotonic_now(), 0, false);
  nta_outgoing_t* bye =
      nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                           URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_BYE, nullptr,
                           SIPTAG_REASON_STR(reason.empty() ? nullptr : reason.c_str()), TAG_END());
  if (add(bye, Sent::kBye) == nullptr) finish();
}

void Dialog::send_offer(const std::string& sdp) {
  if (phase_ != Phase::kEstablished) {
    context_.publish(OfferAnswered{id_, 481, {}});
    return;
  }
  offered_sdp_ = sdp;
  const std::string headers = timer_.interval_s() == 0
                                  ? ""
                                  : fmt::format("Session-Expires: {};refresher={}\r\n", timer_.interval_s(),
                                                timer_.we_refresh() ? "uac" : "uas");
  nta_outgoing_t* request =
      nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                           URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE, nullptr,
                           SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_ALLOW_STR(kAllow.data()),
                           SIPTAG_SUPPORTED_STR(kSupported.data()),
                           SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(sdp.c_str()),
                           SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (add(request, Sent::kOffer) == nullptr) context_.publish(OfferAnswered{id_, 500, {}});
}

void Dialog::refresh() {
  const std::string headers = fmt::format("Session-Expires: {};refresher=uac\r\n", timer_.interval_s());
  const bool uses_update = peer_allows_update_ || local_sdp_.empty();
  nta_outgoing_t* request =
      uses_update ? nta_outgoing_tcreate(
                        leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                        URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_UPDATE, nullptr,
                        SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_SUPPORTED_STR(kSupported.data()),
                        SIPTAG_HEADER_STR(headers.c_str()), TAG_END())
                  : nta_outgoing_tcreate(
                        leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                        URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE, nullptr,
                        SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_SUPPORTED_STR(kSupported.data()),
                        SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(local_sdp_.c_str()),
                        SIPTAG_HEADER_STR(headers.c_str()), TAG_END());
  if (add(request, Sent::kRefresh) == nullptr) lose("the session could not be refreshed");
}

void Dialog::receive_offer_response(Sent kind, nta_outgoing_t* request, const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (status < 200) return;
  const bool is_invite = nta_outgoing_method(request) == sip_method_invite;
  const std::uint32_t sequence = nta_outgoing_cseq(request);
  outgoing_.erase(request);
  if (is_invite && status / 100 == 2) acknowledge(leg_.get(), sequence);
  if (phase_ != Phase::kEstablished) return;

  // The peer does not know the dialog, or does not answer at all (RFC 3261 §12.2.1.2).
  if (status == 481 || status == 408) {
    if (kind == Sent::kOffer) context_.publish(OfferAnswered{id_, status, {}});
    return lose("the peer has lost the dialog");
  }
  if (status / 100 == 2) {
    refresh_target(sip);
    if (sip->sip_session_expires != nullptr) adopt_timer_of_response(sip);
  }
  if (kind == Sent::kRefresh) {
    if (status / 100 != 2)
      timer_.restart(monotonic_now(), timer_.interval_s(), true);  // refused, but alive: try again
    return;
  }
  const auto sdp = sdp_of(sip);
  if (status / 100 == 2) {
    local_sdp_ = offered_sdp_;
    if (sdp) remote_sdp_ = *sdp;
  }
  context_.publish(OfferAnswered{id_, status, sdp});
}

void Dialog::send_info(const SendInfo& command) {
  nta_outgoing_t* request =
      phase_ != Phase::kEstablished
          ? nullptr
          : nta_outgoing_tcreate(
                leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INFO, nullptr,
                SIPTAG_CONTENT_TYPE_STR(command.content_type.empty() ? nullptr
                                                                     : command.content_type.c_str()),
                SIPTAG_PAYLOAD_STR(command.body.empty() ? nullptr : command.body.c_str()), TAG_END());
  if (add(request, Sent::kInfo, command.request) == nullptr)
    context_.publish(InfoAnswered{id_, command.request, 481});
}

void Dialog::tick(Time now) {
  if (phase_ != Phase::kEstablished) return;
  if (timer_.takes_refresh(now)) refresh();
  if (timer_.is_expired(now)) {
    timer_.restart(now, 0, false);
    lose("session timer expired");
  }
}

}  // namespace vas::signaling

// The dialog as it asks: INVITE, PRACK, ACK, CANCEL, BYE, offers, refreshes. (RFC 3261 §13.2, §14.1, §15.1.1)
#include <fmt/format.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <algorithm>

#include "signaling/gateway/sip_message.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/sofia_text.h"
#include "vas/base/clock.h"
#include "vas/base/random.h"
#include "vas/base/text.h"

namespace vas::signaling {

Dialog::Outgoing* Dialog::add(nta_outgoing_t* handle, Sent kind, RequestId request) {
  if (handle == nullptr) return nullptr;
  return &outgoing_
              .insert_or_assign(handle,
                                Outgoing{OutgoingHandle(handle), kind, request, authorization_.has_value()})
              .first->second;
}

void Dialog::send_invite(const SendInvite& command) {
  invite_ = command;
  const std::string tag = random_hex(16);
  const std::string call_id = draw_call_id();
  local_ = with_tag(command.from, tag);
  remote_ = command.to;
  LiveDialogs& dialogs = context_.gateway->dialogs();
  if (!live_.hold(dialogs, dialogs.key_of(call_id, tag), nullptr)) {
    context_.publish(InviteFailed{id_, 0, "there are too many dialogs"});
    return finish();
  }
  leg_ = make_leg(local_, remote_, call_id, 0, 0);
  if (!leg_) {
    context_.publish(InviteFailed{id_, 0, "bad From or To"});
    return finish();
  }
  create_invite();
}

// As much of the way as the URI shows: enough to choose our own address for Contact.
Flow Dialog::way_to(const SipUri& uri) {
  const bool is_sips = equals_ignoring_case(uri.scheme, "sips");
  const auto named = transport_by_name(uri.transport());
  const Endpoint peer{IpAddress::parse(uri.host).value_or(IpAddress{}), uri.port};
  return {is_sips ? Transport::kTls : named.value_or(Transport::kUdp), peer, 0};
}

void Dialog::create_invite() {
  Scratch scratch;
  const auto uri = SipUri::parse(invite_.request_uri);
  if (!uri) {
    context_.publish(InviteFailed{id_, 0, "the route is no SIP URI"});
    return finish();
  }
  contact_ = contact_text(*context_.gateway, way_to(*uri), false);
  const std::string headers = header_lines(invite_.headers) + authorization("INVITE", invite_.request_uri);
  const std::string expires = std::to_string(std::max(min_se_s_, context_.config->session_expires_s));
  const std::string min_se = std::to_string(min_se_s_);
  const bool has_body = !invite_.sdp.empty();
  if (invite_.reaches_private) ranges_ = AddressPolicy::PrivateRanges::kOpen;
  const std::string route = invite_.reaches_private ? context_.gateway->private_route() : "";
  nta_outgoing_t* request = nta_outgoing_tcreate(
      leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
      URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE,
      URL_STRING_MAKE(invite_.request_uri.c_str()), SIPTAG_ROUTE_STR(route.empty() ? nullptr : route.c_str()),
      SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_ALLOW_STR(kAllow), SIPTAG_SUPPORTED_STR(kSupported),
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
  if (retry_authorized(found->second, sip)) return;
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

// A challenge is taken up once: a second one to the same request means that the password is wrong, unless
// only its nonce had grown old.
bool Dialog::takes_challenge(const Outgoing& challenged, const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if ((status != 401 && status != 407) || invite_.credentials.user.empty()) return false;
  std::vector<std::string> values;
  const sip_www_authenticate_t* each =
      status == 401 ? sip->sip_www_authenticate : sip->sip_proxy_authenticate;
  for (; each != nullptr; each = each->au_next) {
    std::string value = text(each->au_scheme);
    for (const msg_param_t* item = each->au_params; item != nullptr && *item != nullptr; ++item)
      value += (value.find('=') == std::string::npos ? " " : ", ") + text(*item);
    values.push_back(std::move(value));
  }
  const auto challenge = choose_challenge(values);
  if (!challenge || (challenged.is_authorized && !challenge->is_stale)) return false;
  const std::string& realm = invite_.credentials.realm;
  if (!realm.empty() && realm != challenge->realm) return false;
  authorization_ = Authorization{*challenge, status == 407, 0};
  return true;
}

bool Dialog::retry_authorized(const Outgoing& challenged, const sip_t* sip) {
  const Sent kind = challenged.kind;
  if (kind == Sent::kInfo || kind == Sent::kPrack || (kind == Sent::kInvite && is_abandoned_)) return false;
  if (!takes_challenge(challenged, sip)) return false;
  outgoing_.erase(challenged.handle.get());
  switch (kind) {
    case Sent::kInvite: create_invite(); break;
    case Sent::kOffer: send_offer(offered_sdp_); break;
    case Sent::kRefresh: refresh(); break;
    case Sent::kBye: send_bye_request(); break;
    case Sent::kInfo:
    case Sent::kPrack: break;
  }
  return true;
}

// A header line, or nothing where nobody asked for it.
std::string Dialog::authorization(const char* method, const std::string& uri) {
  if (!authorization_) return {};
  const std::string value = digest_answer(authorization_->challenge, invite_.credentials, method, uri,
                                          random_hex(8), ++authorization_->uses);
  return header_lines({{authorization_->is_proxy ? "Proxy-Authorization" : "Authorization", value}});
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
  context_.publish(
      ProgressReceived{id_, status, sdp_of(sip), source_of(*context_.gateway, sip).value_or(Flow{})});
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
  remote_ = header_text(reinterpret_cast<const sip_header_t*>(sip->sip_to));
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
  const auto source = source_of(*context_.gateway, sip);
  if (source) peer_address_ = source->peer.address;
  context_.publish(InviteAnswered{id_, call_id_,
                                  sip->sip_user_agent != nullptr ? text(sip->sip_user_agent->g_string) : "",
                                  source.value_or(Flow{}), sdp});
}

void Dialog::hang_up_fork(const sip_t* sip) {
  Scratch scratch;
  const std::string remote = header_text(reinterpret_cast<const sip_header_t*>(sip->sip_to));
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
  const std::string headers = authorization("ACK", remote_target_);  // as its INVITE's: RFC 3261 §22.1
  OutgoingHandle(nta_outgoing_tcreate(leg, nullptr, nullptr, URL_STRING_MAKE(context_.gateway_url.c_str()),
                                      SIP_METHOD_ACK, nullptr,
                                      SIPTAG_CSEQ(sip_cseq_create(scratch.get(), sequence, SIP_METHOD_ACK)),
                                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()),
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
  bye_reason_ = reason;
  send_bye_request();
}

void Dialog::send_bye_request() {
  const std::string headers = authorization("BYE", remote_target_);
  nta_outgoing_t* bye =
      nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                           URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_BYE, nullptr,
                           SIPTAG_REASON_STR(bye_reason_.empty() ? nullptr : bye_reason_.c_str()),
                           SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (add(bye, Sent::kBye) == nullptr) finish();
}

void Dialog::send_offer(const std::string& sdp) {
  if (phase_ != Phase::kEstablished) {
    context_.publish(OfferAnswered{id_, 481, {}});
    return;
  }
  offered_sdp_ = sdp;
  std::string headers = authorization("INVITE", remote_target_);
  if (timer_.interval_s() != 0) {
    headers += fmt::format("Session-Expires: {};refresher={}\r\n", timer_.interval_s(),
                           timer_.we_refresh() ? "uac" : "uas");
  }
  nta_outgoing_t* request = nta_outgoing_tcreate(
      leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
      URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE, nullptr,
      SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_ALLOW_STR(kAllow), SIPTAG_SUPPORTED_STR(kSupported),
      SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(sdp.c_str()),
      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  if (add(request, Sent::kOffer) == nullptr) context_.publish(OfferAnswered{id_, 500, {}});
}

void Dialog::refresh() {
  const bool uses_update = peer_allows_update_ || local_sdp_.empty();
  const std::string headers = fmt::format("Session-Expires: {};refresher=uac\r\n", timer_.interval_s()) +
                              authorization(uses_update ? "UPDATE" : "INVITE", remote_target_);
  nta_outgoing_t* request =
      uses_update
          ? nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                                 URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_UPDATE, nullptr,
                                 SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_SUPPORTED_STR(kSupported),
                                 SIPTAG_HEADER_STR(headers.c_str()), TAG_END())
          : nta_outgoing_tcreate(leg_.get(), on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                                 URL_STRING_MAKE(context_.gateway_url.c_str()), SIP_METHOD_INVITE, nullptr,
                                 SIPTAG_CONTACT_STR(contact_.c_str()), SIPTAG_SUPPORTED_STR(kSupported),
                                 SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                                 SIPTAG_PAYLOAD_STR(local_sdp_.c_str()), SIPTAG_HEADER_STR(headers.c_str()),
                                 TAG_END());
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

}  // namespace vas::signaling

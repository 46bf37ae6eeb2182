// The dialog as it calls: INVITE, its branches, PRACK, ACK, CANCEL, BYE. (RFC 3261 §13.2, §15.1.1, RFC 3262)
#include <fmt/format.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "signaling/sip/sip_message.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {

namespace {

// Early dialogs of one INVITE, and dialogs that a fork made beside the one that we took. Others are left to
// themselves: what nobody acknowledges its server gives up.
constexpr std::size_t kMaxBranches = 16;

// After the first 2xx the other branches of a fork have so long (RFC 3261 §13.2.2.4).
constexpr Duration kLatestResponse = std::chrono::seconds(32);  // 64 T1

}  // namespace

void Dialog::send_invite(const SendInvite& command) {
  thread_check_.check();
  invite_ = command;
  authentication_.use(command.credentials);
  const std::string tag = random_hex(16);
  call_id_ = draw_call_id();
  local_ = with_tag(command.from, tag);
  remote_ = command.to;
  LiveDialogs& dialogs = context_.gateway->dialogs();
  if (!live_.hold(dialogs, dialogs.key_of(call_id_, tag), nullptr)) {
    context_.publish(InviteFailed{id_, 0});
    return finish();
  }
  context_.callers.insert_or_assign(call_id_, this);
  leg_ = make_leg(local_, remote_, call_id_, 0, 0);
  if (!leg_) {
    context_.publish(InviteFailed{id_, 0});
    return finish();
  }
  send_invite_request();
}

// As much of the way as the URI shows: enough to choose our own address for Contact.
Flow Dialog::way_to(const SipUri& uri) {
  const bool is_sips = equals_ignoring_case(uri.scheme, "sips");
  const auto named = transport_by_name(uri.transport());
  const Endpoint peer{IpAddress::parse(uri.host).value_or(IpAddress{}), uri.port};
  return {is_sips ? Transport::kTls : named.value_or(Transport::kUdp), peer, 0};
}

void Dialog::send_invite_request(int repeats) {
  const auto uri = SipUri::parse(invite_.request_uri);
  if (!uri) {
    context_.publish(InviteFailed{id_, 0});
    return finish();
  }
  contact_ = contact_text(*context_.gateway, way_to(*uri), false);
  if (invite_.reaches_private) ranges_ = AddressPolicy::PrivateRanges::kOpen;
  send_request({.kind = Sent::kInvite,
                .method = sip_method_invite,
                .name = "INVITE",
                .headers = header_lines(invite_.headers) +
                           fmt::format("Session-Expires: {}\r\nMin-SE: {}\r\nUser-Agent: {}\r\n",
                                       std::max(min_se_s_, context_.config->session_expires_s), min_se_s_,
                                       context_.config->user_agent),
                .content_type = invite_.sdp.empty() ? "" : "application/sdp",
                .body = invite_.sdp,
                .repeats = repeats});
}

void Dialog::receive_invite_response(const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (status / 100 == 2) return receive_invite_success(sip);
  if (status >= 300) {
    if (!is_abandoned_) {
      const bool is_local = nta_sip_is_internal(sip) != 0;
      context_.publish(InviteFailed{id_, is_local ? 0 : status, reasons_of(sip), retry_after_of(sip)});
    }
    return finish();
  }
  if (is_abandoned_ || !acknowledge_progress(sip)) return;
  if (status > 100 && sip->sip_to->a_tag != nullptr && branches_.empty())
    early_ = Early{sip->sip_to->a_tag, way_by(sip, false)};
  context_.publish(
      ProgressReceived{id_, status, sdp_of(sip), source_of(*context_.gateway, sip).value_or(Flow{})});
}

// The PRACK of a reliable response, in its own early dialog. False when it was repeated, or came before its
// time: then it means nothing (RFC 3262 §4).
bool Dialog::acknowledge_progress(const sip_t* sip) {
  const bool is_reliable = sip->sip_status->st_status > 100 && sip->sip_rseq != nullptr &&
                           sip_has_feature(sip->sip_require, "100rel");
  Branch* branch = is_reliable ? branch_of(sip) : nullptr;
  if (branch == nullptr) return true;
  const auto number = static_cast<std::uint32_t>(sip->sip_rseq->rs_response);
  if (branch->reliable != 0 && number != branch->reliable + 1) return false;
  branch->reliable = number;
  send_request({.kind = Sent::kPrack,
                .method = sip_method_prack,
                .name = "PRACK",
                .headers = fmt::format("RAck: {} {} INVITE\r\n", number, sip->sip_cseq->cs_seq),
                .branch = sip->sip_to->a_tag});
  return true;
}

// Nothing where its response has no tag, or there are too many.
Dialog::Branch* Dialog::branch_of(const sip_t* sip) {
  const std::string tag = text(sip->sip_to->a_tag);
  if (const auto found = branches_.find(tag); found != branches_.end()) return &found->second;
  if (tag.empty() || branches_.size() >= kMaxBranches) return nullptr;
  Branch branch;
  Way way = way_by(sip, false);
  branch.target = way.target;
  if (branches_.empty() && answered_tag_.empty()) {
    nta_leg_rtag(leg_.get(), tag.c_str());
    set_route(leg_.get(), std::move(way));
  } else {
    branch.leg = make_leg(local_, header_text(reinterpret_cast<const sip_header_t*>(sip->sip_to)), call_id_,
                          invite_sequence_, 0);
    if (!branch.leg) return nullptr;
    apply_route(branch.leg.get(), way);
  }
  return &branches_.emplace(tag, std::move(branch)).first->second;
}

// The early dialog of an 18x that asked for no PRACK: it is begun when something is to be said in it, for an
// INVITE that has one is not said again. Empty: there is none.
std::string Dialog::begin_early_dialog() {
  if (branches_.empty() && early_) {
    nta_leg_rtag(leg_.get(), early_->tag.c_str());
    branches_[early_->tag].target = early_->way.target;
    set_route(leg_.get(), std::move(early_->way));
    early_.reset();
  }
  const auto own = std::find_if(branches_.begin(), branches_.end(),
                                [](const auto& each) { return each.second.leg == nullptr; });
  return own == branches_.end() ? "" : own->first;
}

void Dialog::receive_stray_success(const sip_t* sip) {
  thread_check_.check();
  if (!answered_tag_.empty() && sip->sip_cseq->cs_seq == invite_sequence_) receive_invite_success(sip);
}

void Dialog::receive_invite_success(const sip_t* sip) {
  const std::string tag = text(sip->sip_to->a_tag);
  if (!answered_tag_.empty()) {  // a repeated 2xx, or one from another branch of a fork (RFC 3261 §13.2.2.4)
    if (tag == answered_tag_) return acknowledge(leg_.get(), invite_sequence_, remote_target_);
    return hang_up_fork(sip);
  }
  answered_tag_ = tag;
  late_responses_until_ = monotonic_now() + kLatestResponse;
  remote_ = header_text(reinterpret_cast<const sip_header_t*>(sip->sip_to));
  adopt_leg_of(tag);
  set_route(leg_.get(), way_by(sip, false));
  acknowledge(leg_.get(), invite_sequence_, remote_target_);
  phase_ = Phase::kEstablished;
  is_acked_ = true;
  if (is_abandoned_) return send_bye(abandoned_because_);

  peer_allows_update_ = sip_is_allowed(sip->sip_allow, sip_method_update, nullptr) != 0;
  adopt_timer_of_response(sip);
  const auto sdp = sdp_of(sip);
  remote_sdp_ = sdp.value_or("");
  const auto source = source_of(*context_.gateway, sip);
  peer_source_ = source;
  remember_local_sdp(invite_.sdp);
  context_.publish(InviteAnswered{id_, call_id_,
                                  sip->sip_user_agent != nullptr ? text(sip->sip_user_agent->g_string) : "",
                                  source.value_or(Flow{}), sdp});
}

// The branch that sent a 2xx is the dialog; it goes on with its own numbers. The others keep theirs, in case
// that they send one too.
void Dialog::adopt_leg_of(const std::string& tag) {
  const auto winner = branches_.find(tag);
  const auto first = std::find_if(branches_.begin(), branches_.end(),
                                  [](const auto& each) { return each.second.leg == nullptr; });
  if (first == branches_.end()) {
    nta_leg_rtag(leg_.get(), tag.c_str());
    return;
  }
  if (winner != first) {
    LegHandle own = winner != branches_.end() ? std::move(winner->second.leg)
                                              : make_leg(local_, remote_, call_id_, invite_sequence_, 0);
    first->second.leg = std::exchange(leg_, std::move(own));
  }
  if (winner != branches_.end()) branches_.erase(winner);
}

void Dialog::hang_up_fork(const sip_t* sip) {
  Branch* branch = branch_of(sip);
  if (branch == nullptr) return;
  acknowledge(branch->leg.get(), invite_sequence_, branch->target);
  if (std::exchange(branch->is_hung_up, true)) return;  // its 2xx was repeated
  send_request(
      {.kind = Sent::kForkBye, .method = sip_method_bye, .name = "BYE", .branch = sip->sip_to->a_tag});
}

// Always with a branch of its own: nta looks for the INVITE's transaction otherwise,
// and aborts when it is gone.
void Dialog::acknowledge(nta_leg_t* leg, std::uint32_t sequence, const std::string& target) {
  Scratch scratch;
  const std::string branch = "z9hG4bK" + random_hex(8);
  std::vector<CarriedCredentials> carried;  // as by its INVITE (RFC 3261 §22.1); no challenge can follow
  const std::string headers = header_lines(authentication_.answers("ACK", target, carried));
  OutgoingHandle(nta_outgoing_tcreate(leg, nullptr, nullptr, URL_STRING_MAKE(context_.gateway_url.c_str()),
                                      SIP_METHOD_ACK, nullptr,
                                      SIPTAG_CSEQ(sip_cseq_create(scratch.get(), sequence, SIP_METHOD_ACK)),
                                      SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()),
                                      NTATAG_ACK_BRANCH(branch.c_str()), TAG_END()));
}

void Dialog::cancel(const std::string& reason) {
  thread_check_.check();
  if (phase_ != Phase::kInviting || is_abandoned_) return;
  is_abandoned_ = true;
  abandoned_because_ = reason;
  for (auto& [handle, outgoing] : outgoing_) {
    // nta holds the CANCEL back until a provisional response has come (RFC 3261 §9.1).
    if (outgoing.request.kind == Sent::kInvite)
      nta_outgoing_tcancel(handle, nullptr, nullptr,
                           SIPTAG_REASON_STR(reason.empty() ? nullptr : reason.c_str()), TAG_END());
  }
}

void Dialog::send_bye(const std::string& reason) {
  thread_check_.check();
  if (phase_ != Phase::kEstablished) return;
  if (!is_acked_) {  // a UAS waits for the ACK before it says BYE (RFC 3261 §15)
    bye_after_ack_ = reason;
    return;
  }
  phase_ = Phase::kClosing;
  timer_.restart(monotonic_now(), 0, false);
  send_request({.kind = Sent::kBye,
                .method = sip_method_bye,
                .name = "BYE",
                .headers = reason.empty() ? "" : header_lines({{"Reason", reason}})});
}

}  // namespace vas::signaling

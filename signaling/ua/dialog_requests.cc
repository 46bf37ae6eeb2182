// Requests of ours, whatever their kind: sent, authenticated, said again; and those that keep a session alive
// or change it. (RFC 3261 §14.1, §22, RFC 4028)
#include <fmt/format.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/sip_message.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {

namespace {

// How often one request is said again, with an answer to a challenge or a longer interval: a proxy and a
// server ask once each, and their nonces grow old. Who asks on would be sent answers without end.
constexpr int kMostRepeats = 5;

// Before a re-INVITE that met the other's is said again (RFC 3261 §14.1): whose Call-ID it is waits longer.
Duration wait_after_glare(bool owns_call_id) {
  const auto steps = static_cast<std::int64_t>(random_u32() % (owns_call_id ? 191U : 201U));
  return std::chrono::milliseconds(10 * steps + (owns_call_id ? 2100 : 0));
}

std::vector<ChallengeField> challenges_of(const sip_t* sip) {
  std::vector<ChallengeField> fields;
  const auto add = [&](bool is_proxy, const sip_www_authenticate_t* each) {
    for (; each != nullptr; each = each->au_next) {
      std::string value = text(each->au_scheme);
      for (const msg_param_t* item = each->au_params; item != nullptr && *item != nullptr; ++item)
        value += (item == each->au_params ? " " : ", ") + text(*item);
      fields.push_back({is_proxy, std::move(value)});
    }
  };
  // Both, whatever the status: a proxy that forks gathers them (RFC 3261 §16.7).
  add(false, sip->sip_www_authenticate);
  add(true, sip->sip_proxy_authenticate);
  return fields;
}

// What control is told. A challenge that could not be answered is ours to explain, not its party's to meet.
int told_status(const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (nta_sip_is_internal(sip) != 0) return 408;
  return status == 401 || status == 407 ? 500 : status;
}

// While an INVITE that may fork is made nta is a proxy to itself. A user agent's it would not leave to us: of
// a second branch's 2xx it would say ACK and BYE on its own, without a password, and straight to whatever
// address the Contact names.
class LeavesForksToUs {
 public:
  explicit LeavesForksToUs(nta_agent_t* agent) : agent_(agent) {
    nta_agent_set_params(agent_, NTATAG_UA(0), TAG_END());
  }
  ~LeavesForksToUs() { nta_agent_set_params(agent_, NTATAG_UA(1), TAG_END()); }
  LeavesForksToUs(const LeavesForksToUs&) = delete;
  LeavesForksToUs& operator=(const LeavesForksToUs&) = delete;

 private:
  nta_agent_t* agent_;
};

}  // namespace

void Dialog::send_request(Request request) {
  nta_leg_t* leg = leg_of(request);
  const url_string_t* uri = nullptr;  // none: the leg's target
  const bool is_first = request.kind == Sent::kInvite;
  if (is_first) uri = URL_STRING_MAKE(invite_.request_uri.c_str());
  const bool moves_target = request.method == sip_method_invite || request.method == sip_method_update;
  Outgoing sent;
  const std::string headers =
      request.headers + header_lines(authentication_.answers(request.name, target_of(request), sent.carried));
  const std::string route = is_first && invite_.reaches_private ? context_.gateway->private_route() : "";
  const std::string hops = std::to_string(invite_.max_forwards);
  std::optional<LeavesForksToUs> forks;
  if (is_first) forks.emplace(context_.agent);
  nta_outgoing_t* handle =
      leg == nullptr
          ? nullptr
          : nta_outgoing_tcreate(leg, on_response, reinterpret_cast<nta_outgoing_magic_t*>(this),
                                 URL_STRING_MAKE(context_.gateway_url.c_str()), request.method, request.name,
                                 uri, SIPTAG_ROUTE_STR(route.empty() ? nullptr : route.c_str()),
                                 SIPTAG_MAX_FORWARDS_STR(is_first ? hops.c_str() : nullptr),
                                 SIPTAG_CONTACT_STR(moves_target ? contact_.c_str() : nullptr),
                                 SIPTAG_ALLOW_STR(moves_target ? kAllow : nullptr),
                                 SIPTAG_SUPPORTED_STR(moves_target ? kSupported : nullptr),
                                 SIPTAG_CONTENT_TYPE_STR(
                                     request.content_type.empty() ? nullptr : request.content_type.c_str()),
                                 SIPTAG_PAYLOAD_STR(request.body.empty() ? nullptr : request.body.c_str()),
                                 SIPTAG_HEADER_STR(headers.empty() ? nullptr : headers.c_str()), TAG_END());
  forks.reset();
  if (handle == nullptr) return fail(request, 500);
  if (is_first) invite_sequence_ = nta_outgoing_cseq(handle);
  sent.handle.reset(handle);
  sent.request = std::move(request);
  outgoing_.insert_or_assign(handle, std::move(sent));
}

nta_leg_t* Dialog::leg_of(const Request& request) const {
  if (request.branch.empty() || request.branch == answered_tag_) return leg_.get();
  const auto branch = branches_.find(request.branch);
  if (branch == branches_.end()) return nullptr;
  return branch->second.leg ? branch->second.leg.get() : leg_.get();
}

std::string Dialog::target_of(const Request& request) const {
  if (request.kind == Sent::kInvite) return invite_.request_uri;
  const auto branch = branches_.find(request.branch);
  return branch == branches_.end() ? remote_target_ : branch->second.target;
}

// It could not be sent.
void Dialog::fail(const Request& request, int status) {
  switch (request.kind) {
    case Sent::kInvite: context_.publish(InviteFailed{id_, 0}); return finish();
    case Sent::kOffer: return context_.publish(OfferAnswered{id_, status, {}});
    case Sent::kRefresh: return lose("the session could not be refreshed");
    case Sent::kInfo: return context_.publish(InfoResponded{id_, request.id});
    case Sent::kBye: return finish();
    case Sent::kForkBye:
    case Sent::kPrack: return;
  }
}

int Dialog::on_response(nta_outgoing_magic_t* magic, nta_outgoing_t* request, const sip_t* sip) {
  if (sip != nullptr && sip->sip_status != nullptr)
    reinterpret_cast<Dialog*>(magic)->receive_response(request, sip);
  return 0;
}

void Dialog::receive_response(nta_outgoing_t* handle, const sip_t* sip) {
  const auto found = outgoing_.find(handle);
  if (found == outgoing_.end()) return;
  if (retry_authorized(handle, sip) || retry_longer_session(handle, sip)) return;
  const int status = sip->sip_status->st_status;
  switch (found->second.request.kind) {
    case Sent::kInvite:
      receive_invite_response(sip);
      // Repeats of a 2xx then come as strays, for as long as the far side makes them (receive_stray_success).
      if (status / 100 == 2) outgoing_.erase(handle);
      return;
    case Sent::kOffer:
    case Sent::kRefresh: return receive_offer_response(handle, sip);
    case Sent::kInfo:
      if (status >= 200)
        context_.publish(InfoResponded{id_, found->second.request.id, told_status(sip), acceptance_of(sip)});
      break;
    case Sent::kBye:
      if (status >= 200) finish();
      return;  // the handle goes with the dialog
    case Sent::kForkBye:
    case Sent::kPrack: break;
  }
  if (status >= 200) outgoing_.erase(handle);
}

bool Dialog::retry_authorized(nta_outgoing_t* handle, const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (status != 401 && status != 407) return false;
  const auto found = outgoing_.find(handle);
  Request& challenged = found->second.request;
  const bool is_bye = challenged.kind == Sent::kBye || challenged.kind == Sent::kForkBye;
  if (challenged.repeats >= kMostRepeats || (phase_ == Phase::kClosing && !is_bye)) return false;
  // An INVITE that has early dialogs has no other to follow it.
  if (challenged.kind == Sent::kInvite && (is_abandoned_ || !branches_.empty())) return false;
  if (!authentication_.apply(challenges_of(sip), found->second.carried)) return false;
  Request again = std::move(challenged);
  outgoing_.erase(found);
  ++again.repeats;
  send_request(std::move(again));
  return true;
}

// RFC 4028 §7.4. A way that asks for ever longer ones is refused in the end.
bool Dialog::retry_longer_session(nta_outgoing_t* handle, const sip_t* sip) {
  if (sip->sip_status->st_status != 422) return false;
  const auto found = outgoing_.find(handle);
  const Request refused = found->second.request;
  const bool is_invite = refused.kind == Sent::kInvite;
  const bool is_up =
      phase_ == Phase::kEstablished && (refused.kind == Sent::kOffer || refused.kind == Sent::kRefresh);
  if (refused.repeats >= kMostRepeats || (is_invite && is_abandoned_) || !(is_invite || is_up) ||
      !accepts_longer_session(sip))
    return false;
  outgoing_.erase(found);
  if (is_invite) {
    send_invite_request(refused.repeats + 1);
  } else {
    Request again =
        refused.method == sip_method_update ? update_request() : offer_request(refused.kind, refused.body);
    again.repeats = refused.repeats + 1;
    send_request(std::move(again));
  }
  return true;
}

bool Dialog::accepts_longer_session(const sip_t* sip) {
  // A day: a Min-SE beyond it is no session timer, and the longest that `session-expires` can be.
  constexpr unsigned long kLongest = 86400;
  const sip_min_se_t* least = sip->sip_min_se;
  if (least == nullptr || least->min_delta <= min_se_s_ || least->min_delta > kLongest) return false;
  min_se_s_ = static_cast<std::uint32_t>(least->min_delta);
  return true;
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

// Who refreshes goes on doing so (RFC 4028 §7.4).
std::string Dialog::session_headers(bool we_refresh) const {
  if (timer_.interval_s() == 0) return {};
  std::string headers = fmt::format("Session-Expires: {};refresher={}\r\n",
                                    std::max(timer_.interval_s(), min_se_s_), we_refresh ? "uac" : "uas");
  if (min_se_s_ > kMinSessionExpires) headers += fmt::format("Min-SE: {}\r\n", min_se_s_);
  return headers;
}

Dialog::Request Dialog::offer_request(Sent kind, const std::string& sdp) const {
  return {.kind = kind,
          .method = sip_method_invite,
          .name = "INVITE",
          .headers = session_headers(kind == Sent::kRefresh || timer_.we_refresh()),
          .content_type = "application/sdp",
          .body = sdp};
}

Dialog::Request Dialog::update_request() const {
  return {.kind = Sent::kRefresh,
          .method = sip_method_update,
          .name = "UPDATE",
          .headers = session_headers(true)};
}

// One INVITE at a time, whoever sent it (RFC 3261 §14.1).
bool Dialog::is_inviting() const {
  return std::any_of(outgoing_.begin(), outgoing_.end(),
                     [](const auto& each) { return each.second.request.method == sip_method_invite; }) ||
         std::any_of(waiting_.begin(), waiting_.end(),
                     [](const auto& each) { return each.second.is_invite; });
}

void Dialog::send_offer(const std::string& sdp) {
  thread_check_.check();
  if (phase_ != Phase::kEstablished) return context_.publish(OfferAnswered{id_, 481, {}});
  const bool is_refreshing = std::any_of(outgoing_.begin(), outgoing_.end(), [](const auto& each) {
    return each.second.request.kind == Sent::kRefresh && each.second.request.method == sip_method_invite;
  });
  if (is_refreshing) {
    waiting_offer_ = sdp;
    return;
  }
  send_request(offer_request(Sent::kOffer, sdp));
}

void Dialog::refresh() {
  const bool uses_update = peer_allows_update_ || local_sdp_.empty() || would_expose_keys();
  if (!uses_update && is_inviting()) return timer_.retry(monotonic_now(), Duration::zero());
  send_request(uses_update ? update_request() : offer_request(Sent::kRefresh, local_sdp_));
}

void Dialog::receive_offer_response(nta_outgoing_t* handle, const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  if (status < 200) return;
  const Request request = std::move(outgoing_.at(handle).request);
  const std::uint32_t sequence = nta_outgoing_cseq(handle);
  outgoing_.erase(handle);
  const bool is_success = status / 100 == 2;
  if (is_success) refresh_target(sip);
  if (is_success && request.method == sip_method_invite) acknowledge(leg_.get(), sequence, remote_target_);
  if (phase_ != Phase::kEstablished) return;

  // The peer does not know the dialog, or does not respond at all (RFC 3261 §12.2.1.2).
  if (status == 481 || status == 408) {
    if (request.kind == Sent::kOffer) context_.publish(OfferAnswered{id_, status, {}});
    return lose("the peer has lost the dialog");
  }
  if (is_success && sip->sip_session_expires != nullptr) {
    adopt_timer_of_response(sip);
  } else if (is_success) {  // it keeps no time; where we do, we go on
    timer_.restart(monotonic_now(), timer_.we_refresh() ? timer_.interval_s() : 0, timer_.we_refresh());
  }
  if (request.kind == Sent::kRefresh) {
    if (is_success) {
      context_.publish(SessionRefreshed{id_});
    } else {
      receive_refresh_refusal(request, sip);
    }
  } else {
    const auto sdp = sdp_of(sip);
    if (is_success) {
      remember_local_sdp(request.body);
      if (sdp) remote_sdp_ = *sdp;
    }
    context_.publish(OfferAnswered{id_, told_status(sip), sdp});
  }
  if (waiting_offer_ && !is_inviting()) send_offer(*std::exchange(waiting_offer_, std::nullopt));
}

// Refused, but alive: it is tried again before the peer gives up (RFC 4028 §10).
void Dialog::receive_refresh_refusal(const Request& request, const sip_t* sip) {
  const int status = sip->sip_status->st_status;
  const bool is_unknown = request.method == sip_method_update && (status == 405 || status == 501);
  if (is_unknown && !local_sdp_.empty() && !would_expose_keys()) {
    peer_allows_update_ = false;
    return refresh();
  }
  Duration at_least = Duration::zero();
  if (status == 491) at_least = wait_after_glare(invite_sequence_ != 0);
  if (const auto wait = retry_after_of(sip)) at_least = std::chrono::seconds(*wait);
  timer_.retry(monotonic_now(), at_least);
}

void Dialog::send_info(const SendInfo& command) {
  thread_check_.check();
  const bool is_inviter = phase_ == Phase::kInviting && !invite_in_;
  const std::string branch = is_inviter && !is_abandoned_ ? begin_early_dialog() : "";
  if (phase_ == Phase::kClosing || (is_inviter && branch.empty()))
    return context_.publish(InfoResponded{id_, command.request});
  send_request({.kind = Sent::kInfo,
                .method = sip_method_info,
                .name = "INFO",
                .headers = header_lines(command.headers),
                .content_type = command.content_type,
                .body = command.body,
                .id = command.request,
                .branch = branch});
}

}  // namespace vas::signaling

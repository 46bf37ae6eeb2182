// What both roles share: identity, route, writing down and restoring.
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
#include "signaling/sip/sip_message.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {
namespace {

bool is_loose(const std::string& route) {
  const auto uri = SipUri::parse(uri_of(route));
  return uri && parameter(uri->parameters, "lr");
}

}  // namespace

std::optional<Flow> source_of(const Gateway& gateway, const sip_t* sip) {
  const std::string value = unknown_header(sip, "X-VAS-Source");
  const auto blank = value.rfind(' ');
  return blank == std::string::npos ? std::nullopt
                                    : gateway.verify_flow(std::string_view(value).substr(blank + 1));
}

Dialog::~Dialog() {
  const auto own = context_.callers.find(call_id_);
  if (own != context_.callers.end() && own->second == this) context_.callers.erase(own);
}

// The gateway finds a dialog's stack by its Call-ID: ours is drawn until it names this one.
std::string Dialog::draw_call_id() const {
  for (;;) {
    std::string call_id = random_hex(16);
    if (stack_of_call(call_id, context_.stacks) == context_.number) return call_id;
  }
}

LegHandle Dialog::make_leg(const std::string& local, const std::string& remote, const std::string& call_id,
                           std::uint32_t local_sequence, std::uint32_t remote_sequence) {
  Scratch scratch;
  return LegHandle(nta_leg_tcreate(
      context_.agent, on_leg_request, reinterpret_cast<nta_leg_magic_t*>(this),
      SIPTAG_FROM_STR(local.c_str()), SIPTAG_TO_STR(remote.c_str()), SIPTAG_CALL_ID_STR(call_id.c_str()),
      TAG_IF(local_sequence != 0,
             SIPTAG_CSEQ(sip_cseq_create(scratch.get(), local_sequence, sip_method_unknown, "X"))),
      TAG_IF(remote_sequence != 0, NTATAG_REMOTE_CSEQ(remote_sequence)), TAG_END()));
}

// Both tags, whole (RFC 3261 §12.2.2): nta also takes an empty one for any, and none for ours. Of a dialog
// whose far side is not known yet any is its.
bool Dialog::is_of_this_dialog(const sip_t* sip) const {
  const char* own = nta_leg_get_tag(leg_.get());
  const char* far = nta_leg_get_rtag(leg_.get());
  return own != nullptr && equals_ignoring_case(text(sip->sip_to->a_tag), own) &&
         (far == nullptr || equals_ignoring_case(text(sip->sip_from->a_tag), far));
}

Dialog::Way Dialog::way_by(const sip_t* sip, bool is_server) {
  Way way{.routes = uris_of(sip->sip_record_route)};
  if (!is_server) std::reverse(way.routes.begin(), way.routes.end());  // RFC 3261 §12.1.2
  if (sip->sip_contact != nullptr) way.target = url_text(sip->sip_contact->m_url);
  if (way.target.empty()) way.target = remote_target_.empty() ? invite_.request_uri : remote_target_;

  const auto source = source_of(*context_.gateway, sip);
  if (source && ranges_near(source->peer.address) == AddressPolicy::PrivateRanges::kOpen)
    ranges_ = AddressPolicy::PrivateRanges::kOpen;
  if (source && stays_with(*source, way)) way.flow = source;
  return way;
}

void Dialog::set_route(nta_leg_t* leg, Way way) {
  apply_route(leg, way);
  routes_ = std::move(way.routes);
  remote_target_ = std::move(way.target);
  flow_ = way.flow;
}

std::string Dialog::Way::first_hop() const {
  return routes.empty() ? target : std::string(uri_of(routes.front()));
}

// Whoever has a token is reached over the way that it opened: its Contact and Record-Route may name anybody.
bool Dialog::is_held_to(const Flow& source, const Way& way) const {
  const std::string first_hop = way.first_hop();
  const auto uri = SipUri::parse(first_hop);
  return is_of_token_ && !(uri && IpAddress::parse(uri->host) == source.peer.address);
}

bool Dialog::stays_with(const Flow& source, const Way& way) const {
  return is_held_to(source, way) || stays_on_flow(source, way.first_hop(), !way.routes.empty()) ||
         !may_go_to(way.first_hop());
}

// Whether another connection may be made to the dialog's next hop when its flow is gone. A browser does not
// listen, and who says `ob` is reached by its flow alone (RFC 5626 §4.3).
bool Dialog::may_leave(const Way& way) const {
  const auto target = SipUri::parse(way.target);
  const bool is_outbound = target && parameter(target->parameters, "ob");
  return has_connections(way.flow->transport) && !is_websocket(way.flow->transport) && !is_outbound &&
         !is_held_to(*way.flow, way) && may_go_to(way.first_hop());
}

// Where the peer may not have us send (its Contact is of a network that we do not reach, or of our own), the
// way that it came serves.
bool Dialog::may_go_to(const std::string& first_hop) const {
  const auto uri = SipUri::parse(first_hop);
  if (!uri || !IpAddress::parse(uri->host)) return true;  // a name is judged when it is known what it means
  return context_.gateway->may_send_to(way_to(*uri), ranges_);
}

void Dialog::remember_local_sdp(const std::string& sdp) {
  local_sdp_ = sdp;
  const bool has_keys = sdp.find("\na=crypto:") != std::string::npos;
  is_sdp_secret_ = has_keys && peer_source_ && is_secure(peer_source_->transport);
}

// Whether our last SDP, said again, would tell those its keys who could not read them before: the far side
// has left TLS.
bool Dialog::would_expose_keys() const {
  return is_sdp_secret_ && !(peer_source_ && is_secure(peer_source_->transport));
}

// The routes of its requests, ours first.
std::vector<std::string> Dialog::all_routes(const Way& way) const {
  std::vector<std::string> all;
  if (way.flow) {
    all.push_back(context_.gateway->flow_route(*way.flow, may_leave(way)));
  } else if (ranges_ == AddressPolicy::PrivateRanges::kOpen) {
    all.push_back(context_.gateway->private_route());
  } else if (!way.routes.empty() && !is_loose(way.routes.front())) {
    all.push_back(context_.gateway->own_route());
  }
  all.insert(all.end(), way.routes.begin(), way.routes.end());
  return all;
}

// As a client's, from the last to the first: nta would keep the route that it has otherwise, which may be
// that of an early dialog (RFC 3261 §13.2.2.4), or of a network that the party has left.
void Dialog::apply_route(nta_leg_t* leg, const Way& way) const {
  Scratch scratch;
  const std::vector<std::string> all = all_routes(way);
  std::string list;
  for (auto each = all.rbegin(); each != all.rend(); ++each) list += (list.empty() ? "" : ", ") + *each;
  sip_record_route_t* route_set = list.empty() ? nullptr : sip_record_route_make(scratch.get(), list.c_str());
  sip_contact_t* target = sip_contact_make(scratch.get(), ("<" + way.target + ">").c_str());
  nta_leg_client_reroute(leg, route_set, target, 1);
}

// Who is held to the way that it opened stays on it whatever it names now, and so does whoever names a hop
// that it may not have us send to; whether that way may be left is another question for another target.
void Dialog::refresh_target(const sip_t* sip) {
  if (sip->sip_contact == nullptr || !leg_) return;
  std::string target = url_text(sip->sip_contact->m_url);
  if (target == remote_target_) return;
  remote_target_ = std::move(target);
  const auto source = source_of(*context_.gateway, sip);
  const Way way{routes_, remote_target_, flow_};
  const bool is_out_of_bounds = source && is_held_to(*source, way);
  if (!flow_ && (is_out_of_bounds || (routes_.empty() && !may_go_to(remote_target_)))) flow_ = source;
  apply_route(leg_.get());
}

// The gateway let it through, so the party is where this came from: what we send goes there where it would
// not reach its target (a phone that came into another network, or connected anew).
void Dialog::follow_source(const sip_t* sip) {
  const auto source = source_of(*context_.gateway, sip);
  if (!source || source == flow_) return;
  const auto flow = stays_with(*source, {routes_, remote_target_, flow_}) ? source : std::nullopt;
  if (flow == flow_) return;
  flow_ = flow;
  apply_route(leg_.get());
}

DialogState Dialog::state() const {
  thread_check_.check();
  return {.call_id = call_id_,
          .local = local_,
          .remote = remote_,
          .local_sequence = leg_ ? nta_leg_get_seq(leg_.get()) : 0,
          .remote_sequence = leg_ ? nta_leg_get_rseq(leg_.get()) : 0,
          .remote_target = remote_target_,
          .routes = routes_,
          .flow = flow_,
          .reaches_private = ranges_ == AddressPolicy::PrivateRanges::kOpen,
          .is_of_token = is_of_token_,
          .contact = contact_,
          .local_sdp = local_sdp_,
          .invite_sequence = phase_ == Phase::kEstablished ? invite_sequence_ : 0};
}

void Dialog::restore(const DialogState& state) {
  thread_check_.check();
  local_ = state.local;
  remote_ = state.remote;
  call_id_ = state.call_id;
  remote_target_ = state.remote_target;
  routes_ = state.routes;
  flow_ = state.flow;
  if (state.reaches_private) ranges_ = AddressPolicy::PrivateRanges::kOpen;
  is_of_token_ = state.is_of_token;
  contact_ = state.contact;
  peer_source_ = flow_;
  remember_local_sdp(state.local_sdp);
  LiveDialogs& dialogs = context_.gateway->dialogs();
  if (!live_.hold(dialogs, dialogs.key_of(call_id_, tag_of(local_).value_or("")), flow_ ? &*flow_ : nullptr))
    return finish();
  leg_ = make_leg(local_, remote_, call_id_, state.local_sequence, state.remote_sequence);
  if (!leg_) return finish();
  apply_route(leg_.get());
  invite_sequence_ = state.invite_sequence;
  if (invite_sequence_ != 0) context_.callers.insert_or_assign(call_id_, this);
  answered_tag_ = nta_leg_get_rtag(leg_.get()) == nullptr ? "" : nta_leg_get_rtag(leg_.get());
  if (invite_sequence_ != 0)
    acknowledge(leg_.get(), invite_sequence_, remote_target_);  // the process before may not have come to it
  phase_ = Phase::kEstablished;
  is_acked_ = true;
}

// A dialog whose INVITE has a 2xx stays for as long as another branch of it may send one too: who is not
// told that it is over talks to nobody, and bills.
void Dialog::finish() {
  if (is_finished_) return;
  is_finished_ = true;
  phase_ = Phase::kClosing;
  live_.reset();
  if (monotonic_now() >= late_responses_until_) return context_.finished(id_);
  waiting_.clear();  // nobody responds to them any more
}

void Dialog::lose(const std::string& why) {
  context_.publish(DialogLost{id_, why});
  send_bye("SIP;cause=408;text=\"" + why + "\"");
}

void Dialog::tick(Time now) {
  thread_check_.check();
  if (is_finished_ && now >= late_responses_until_) return context_.finished(id_);
  if (phase_ != Phase::kEstablished) return;
  if (timer_.claim_refresh(now)) refresh();
  if (timer_.is_expired(now)) {
    timer_.restart(now, 0, false);
    lose("session timer expired");
  }
}

}  // namespace vas::signaling

#include "signaling/gateway/policy/source_judge.h"

#include <algorithm>

#include "base/log.h"

namespace vas::signaling {
namespace {

SourceKind kind_of(const Flow& source) {
  return has_connections(source.transport) ? SourceKind::kConnection : SourceKind::kDatagram;
}

}  // namespace

bool SourceJudge::is_node(const Flow& flow) const {
  return config_.admission != nullptr && !has_connections(flow.transport) &&
         config_.admission->is_node(flow.peer);
}

bool SourceJudge::is_proved(const Flow& flow) const {
  return has_connections(flow.transport) || proved_.knows(flow.peer) || exempts(flow);
}

Welcome SourceJudge::welcome(const IpAddress& peer, Time now) const {
  thread_check_.check();
  if (exempts(peer)) return Welcome::kTrusted;
  return ledger_.is_banned(peer, SourceKind::kConnection, now) ? Welcome::kNone : Welcome::kStranger;
}

bool SourceJudge::is_banned(const Flow& source, Time now) const {
  thread_check_.check();
  return !exempts(source) && ledger_.is_banned(source.peer.address, kind_of(source), now);
}

bool SourceJudge::is_kept_out(const SipMessage& request, const std::string& branch, const Flow& source,
                              Time now) const {
  thread_check_.check();
  if (!is_banned(source, now)) return false;
  const IpAddress& address = source.peer.address;
  return ledger_.is_banned(address, SourceKind::kConnection, now) ||
         !(proved_.knows(address) || has_live_call(request, branch, now));
}

bool SourceJudge::accepts_request(const SipMessage& request, const std::string& branch, const Flow& source,
                                  Time now) {
  thread_check_.check();
  return ledger_.accepts_request(source.peer.address, purse_of(request, branch, source, now), now);
}

Purse SourceJudge::purse_of(const SipMessage& request, const std::string& branch, const Flow& source,
                            Time now) const {
  if (has_connections(source.transport)) return Purse::kConnections;
  if (has_live_call(request, branch, now)) return Purse::kTokens;
  return proved_.knows(source.peer) ? Purse::kProved : Purse::kDatagrams;
}

bool SourceJudge::is_let_in(const std::string& branch, Time now) const {
  return admitted_.contains(branch) || dialogs_.contains(dialogs_.key_of_invite(branch), now);
}

bool SourceJudge::has_live_call(const SipMessage& request, const std::string& branch, Time now) const {
  if (is_let_in(branch, now)) return true;
  const HeaderField* token = request.first(HeaderName::kSessionToken);
  return request.method() == "INVITE" && token != nullptr && config_.admission != nullptr &&
         config_.admission->find_token(token->value).where != AdmissionCheck::TokenPlace::Where::kNowhere;
}

// The line that fail2ban and operators look for: its form does not change. (docs/signaling.md)
bool SourceJudge::offend(const Flow& source, Offence offence, Time now) {
  thread_check_.check();
  const IpAddress& address = source.peer.address;
  const SourceKind kind = kind_of(source);
  const bool may_be_forged = kind == SourceKind::kDatagram;
  if (exempts(source) || is_own(address)) return false;
  if (may_be_forged && proved_.knows(address)) return false;
  const auto ban = ledger_.count_offence(address, offence, kind, now);
  if (!ban) return false;
  log::warn("", "gateway: ban {} reason={} transport={} seconds={}", to_string(ban->source),
            to_string(offence), to_string(source.transport),
            std::chrono::duration_cast<std::chrono::seconds>(ban->until - now).count());
  return !may_be_forged;
}

bool SourceJudge::is_own(const IpAddress& address) const {
  const auto& all = listeners_.all();
  const bool is_listener = std::any_of(all.begin(), all.end(), [&](const Listener& each) {
    return each.local.address == address || each.advertised.address == address;
  });
  // Nobody out there can forge loopback.
  return is_listener ||
         (!address.is_loopback() && config_.peers != nullptr && config_.peers->is_own(address));
}

}  // namespace vas::signaling

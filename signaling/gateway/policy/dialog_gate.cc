#include "signaling/gateway/policy/dialog_gate.h"

namespace vas::signaling {
namespace {

// An ACK may carry the answer to our offer.
bool moves_media_or_target(const SipMessage& request) {
  const std::string_view method = request.method();
  return method == "INVITE" || method == "UPDATE" || (method == "ACK" && !request.body.empty());
}

}  // namespace

LiveDialogs::Key DialogGate::key_of(const SipMessage& message, std::string_view our_tag) const {
  return dialogs_.key_of(value_of(message, HeaderName::kCallId), our_tag);
}

bool DialogGate::knows(const SipMessage& request, Time now) const {
  return dialogs_.contains(key_of(request, to_tag(request).value_or(std::string_view())), now);
}

DialogGate::Verdict DialogGate::judge(const SipMessage& request, const Flow& source, bool is_vouched,
                                      Time now) {
  thread_check_.check();
  const LiveDialogs::Key key = key_of(request, to_tag(request).value_or(std::string_view()));
  if (!dialogs_.contains(key, now))
    return request.method() == "ACK" ? Verdict::kNoResponse : Verdict::kNoDialog;
  if (!dialogs_.accepts_request(key, now)) return Verdict::kOverBudget;

  using Party = LiveDialogs::Party;
  const Party party = dialogs_.party(key, source, now);
  if (party == Party::kSame || party == Party::kProved) {
    if (!is_vouched) proved_.remember(source.peer, now);
    if (party == Party::kSame) dialogs_.set_party(key, source, true, now);
    return Verdict::kPasses;
  }
  if (!moves_media_or_target(request)) return Verdict::kPasses;
  const bool is_proved = is_vouched || proved_.knows(source.peer);
  if (party == Party::kOther && !is_proved) return Verdict::kMustProve;
  dialogs_.set_party(key, source, is_proved, now);
  return Verdict::kPasses;
}

void DialogGate::learn_party(const SipMessage& response, const Flow& source, Time now) {
  thread_check_.check();
  const auto tag = from_tag(response);
  if (!tag) return;
  const LiveDialogs::Key key = key_of(response, *tag);
  if (dialogs_.party(key, source, now) != LiveDialogs::Party::kOther)
    dialogs_.set_party(key, source, true, now);
}

bool DialogGate::is_proved_party(const SipMessage& request, const Flow& hop, Time now) const {
  const auto tag = from_tag(request);
  return tag && dialogs_.party(key_of(request, *tag), hop, now) == LiveDialogs::Party::kProved;
}

}  // namespace vas::signaling

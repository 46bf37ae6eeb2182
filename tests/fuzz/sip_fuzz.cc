// Bytes from the network through everything that sees them before the SIP stack:
// framer, parser, guard, edits.
#include <cstdlib>

#include "base/text.h"
#include "signaling/gateway/policy/guard.h"
#include "signaling/gateway/policy/keep_alive.h"
#include "signaling/gateway/policy/node_relay.h"
#include "signaling/gateway/trace/message_secrets.h"
#include "signaling/sip/display_name.h"
#include "signaling/sip/framer.h"
#include "signaling/sip/reason_header.h"
#include "signaling/sip/user_of.h"
#include "signaling/sip/via_editor.h"
#include "vas/calls/caller_identity.h"

namespace {

using namespace vas;
using namespace vas::signaling;

void require(bool condition) {
  if (!condition) std::abort();
}

// What a trunk says of its caller, and what becomes of it in the INVITE to the next one: whole lines, at most
// two identities, and the same when it is read again.
void identify(std::string_view value) {
  InviteReceived invite;
  invite.asserted_identity = value;
  invite.privacy = value;
  const calls::CallerIdentity identity = calls::identity_of(invite);
  require(is_printable(identity.asserted) && is_printable(identity.privacy));
  require(elements(identity.asserted).size() <= 2);
  invite.asserted_identity = identity.asserted;
  invite.privacy = identity.privacy;
  const calls::CallerIdentity again = calls::identity_of(invite);
  require(again.asserted == identity.asserted && again.privacy == identity.privacy);
  require(is_printable(calls::shown_caller("1555", identity)));
  const auto told = calls::identity_headers(identity, directory::IdentityRule::kPublic);
  require(told.size() <= 1 && (told.empty() || !identity.withholds_identity()));
}

void edit(const SipMessage& message, std::size_t size) {
  static const FlowSigner signer;
  static const ViaEditor editor(signer, *Endpoint::parse("127.0.0.1:7001"),
                                {*Endpoint::parse("127.0.0.1:7002")});
  const Flow source{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0};
  if (!message.is_request()) {
    if (!check_response(message)) (void)editor.response_to_stack(message, source);
    (void)editor.response_to_peer(message);
    return;
  }
  const auto refused = check_request(message, size);
  if (refused && refused->status != 0) {
    const std::string answer = stateless_response(message, source, *refused, signer);
    require(SipMessage::parse(answer).has_value());
  }
  (void)is_ack_of_stateless_response(message, signer);
  (void)is_scanner(message);
  for (const HeaderField& header : message.headers) {
    // What may be told another party is a header's value whatever it is made of.
    require(is_printable(passable_reasons(header.value)));
    (void)with_quoted_names(header.value);
    if (!is_printable(header.value)) continue;  // the guard lets no other through
    require(is_printable(user_of(uri_of(header.value))));
    identify(header.value);
  }
  if (!refused) {
    const std::string edited = editor.request_to_stack(message, source);
    const auto again = SipMessage::parse(edited);
    // What left the guard is well-formed still, and holds exactly one private header: ours.
    require(edited.size() > SipMessage::kMaxBytes || message.headers.size() + 2 > SipMessage::kMaxHeaders ||
            again.has_value());
    if (again) require(again->count(HeaderName::kVasPrivate) == 1);
  }
  static const NodeRelay relay(signer, "secret");
  (void)relay.origin_of(message);
  (void)relay.named_flow(message);
  (void)numeric_target(message, true);
  if (!refused) {  // only what the guard let pass is sent on
    const std::string on =
        relay.forwarded(message, source, "branch=z9hG4bKb", source, {source.peer, true, false});
    const auto forwarded = SipMessage::parse(on);
    if (forwarded) require(relay.origin_of(*forwarded).has_value());
  }
  const auto hop = editor.next_hop(message);
  if (const auto* found = std::get_if<ViaEditor::Hop>(&hop);
      found != nullptr && message.first(HeaderName::kVia) != nullptr) {
    const std::string out = editor.request_to_peer(message, *found, source.peer);
    if (const auto sent = SipMessage::parse(out))
      (void)editor.as_from_stack(*sent, AddressPolicy::PrivateRanges::kOpen);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto message = SipMessage::parse(text)) edit(*message, size);
  require(without_secrets(text).size() == text.size());
  const std::string stun = stun_response(text, {*IpAddress::parse("2001:db8::1"), 5060});
  require(stun.empty() || (is_keep_alive(text) && stun.size() == 44));
  Framer framer;
  framer.append(text);
  while (framer.next().kind == Framer::Frame::Kind::kMessage) {
  }
  return 0;
}

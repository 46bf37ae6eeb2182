// What travels between call control and the SIP stack: plain values, commands down and events up.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "signaling/sip/dialog_state.h"
#include "signaling/sip/digest.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

// Names one SIP dialog in this process. Control draws ids for those that it makes, the stack for those that
// come in.
struct DialogId {
  std::uint64_t value = 0;
  friend auto operator<=>(DialogId, DialogId) = default;
};

// Names an incoming in-dialog request that waits for its response.
struct RequestId {
  std::uint64_t value = 0;
  friend auto operator<=>(RequestId, RequestId) = default;
};

struct Header {
  std::string name;
  std::string value;  // no CR, LF or NUL: the stack drops a header that has one
};

// ---- events: stack to control ----
//
// A `reason` is what Reason headers say (RFC 3326),
// all their values that may be passed on (passable_reasons).

// A new INVITE, checked by the gateway; 100 is sent already.
struct InviteReceived {
  DialogId dialog;
  Flow source;
  std::string request_user;  // of whom is called, as user_of() reads it
  std::string request_host;
  std::string from_uri;
  std::string from_user;          // the same of who calls
  std::string asserted_identity;  // P-Asserted-Identity's values, whoever says so (RFC 3325)
  std::string privacy;            // Privacy's (RFC 3323)
  std::string call_id;
  std::optional<std::string> sdp;          // absent: we are to offer
  bool has_unknown_body = false;           // a body that is not SDP: 415
  std::string unsupported_extensions;      // of Require, comma-separated: 420
  std::optional<std::uint32_t> expires_s;  // the caller waits so long for an answer (RFC 3261 §13.3.1)
  int max_forwards = 70;
  DialogId returned_from;      // it is an INVITE of ours that comes back: that one's dialog
  std::string session_token;   // X-Cloudonix-Session
  std::string session_domain;  // X-Cloudonix-Domain
  std::string user_agent;
};

struct ProgressReceived {
  DialogId dialog;
  int status = 0;
  std::optional<std::string> sdp;
  Flow source;
};

struct InviteAnswered {
  DialogId dialog;
  std::string call_id;
  std::string user_agent;
  Flow source;
  std::optional<std::string> sdp;
};

// A final response other than 2xx. `status` 0: nothing came back, or the request could not be sent.
struct InviteFailed {
  DialogId dialog;
  int status = 0;
  std::string reason;                        // of its Reason header, may be empty
  std::optional<std::uint32_t> retry_after;  // seconds
};

struct InviteCancelled {
  DialogId dialog;
  std::string reason;  // of the CANCEL's, or BYE's, Reason header, may be empty
};

struct AckReceived {
  DialogId dialog;
  std::optional<std::string> sdp;
};

// The dialog is over without a BYE from the peer: no ACK or PRACK came, a refresh failed, or the session
// timer ran out.
struct DialogLost {
  DialogId dialog;
  std::string why;
  bool was_answered = true;  // false: no 2xx to its INVITE has gone
};

// A re-INVITE or UPDATE that changes media, or (without SDP) asks for our offer.
// It waits for RespondToRequest.
struct OfferReceived {
  DialogId dialog;
  RequestId request;
  std::optional<std::string> sdp;
  Flow source;  // not set: not known
};

// What became of our SendOffer.
struct OfferAnswered {
  DialogId dialog;
  int status = 0;
  std::optional<std::string> sdp;
};

// In an early dialog too.
struct InfoReceived {
  DialogId dialog;
  RequestId request;
  std::string content_type;     // whole
  std::vector<Header> headers;  // Info-Package, and what else tells of the body
  std::string body;
};

struct InfoResponded {
  DialogId dialog;
  RequestId request;                 // as SendInfo named it
  int status = 0;                    // 0: it could not be sent
  std::vector<Header> headers = {};  // that tell what the far side would have taken
};

struct ByeReceived {
  DialogId dialog;
  std::string reason;  // of its Reason header, may be empty
};

struct DialogSaved {
  DialogId dialog;
  DialogState state;
};

// One of the gateway's probes has come all the way: Gateway::confirm_probe says so.
struct ProbeReceived {
  std::uint64_t number = 0;
};

// Either side refreshed the session, and the peer is there (RFC 4028).
struct SessionRefreshed {
  DialogId dialog;
  Flow source = {};  // of the peer's request; unset where the refresh was ours
};

using SipEvent =
    std::variant<std::monostate, ProbeReceived, InviteReceived, ProgressReceived, InviteAnswered,
                 InviteFailed, InviteCancelled, AckReceived, DialogLost, OfferReceived, OfferAnswered,
                 InfoReceived, InfoResponded, SessionRefreshed, ByeReceived, DialogSaved>;

// ---- commands: control to stack ----

// To an INVITE that came in. A final failure ends the dialog.
struct RespondToInvite {
  DialogId dialog;
  int status = 0;
  std::string sdp;
  std::vector<Header> headers;
};

struct SendInvite {
  DialogId dialog;
  std::string request_uri;
  std::string from;  // a whole From value without tag
  std::string to;
  std::string sdp;
  std::vector<Header> headers;
  Credentials credentials;       // for the far side's challenge
  bool reaches_private = false;  // the system has said that this route may lead into a private range
  int max_forwards = 70;
};

// Ends an INVITE of ours that has no final response; one that comes all the same is hung up.
struct CancelInvite {
  DialogId dialog;
  std::string reason;  // Reason header, may be empty
};

struct SendBye {
  DialogId dialog;
  std::string reason;  // Reason header, may be empty
};

struct SendOffer {
  DialogId dialog;
  std::string sdp;
};

struct SendInfo {
  DialogId dialog;
  RequestId request;  // comes back in InfoResponded
  std::string content_type;
  std::vector<Header> headers;
  std::string body;
};

// To OfferReceived or InfoReceived.
struct RespondToRequest {
  DialogId dialog;
  RequestId request;
  int status = 0;
  std::string sdp;
  std::vector<Header> headers = {};
};

struct SaveDialog {
  DialogId dialog;
};

struct RestoreDialog {
  DialogId dialog;
  DialogState state;
};

using SipCommand = std::variant<std::monostate, RespondToInvite, SendInvite, CancelInvite, SendBye, SendOffer,
                                SendInfo, RespondToRequest, SaveDialog, RestoreDialog>;

// The dialog that an event or a command is about; 0 for none.
template <typename... Each>
DialogId dialog_of(const std::variant<Each...>& message) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.dialog; }) return each.dialog;
        return DialogId{};
      },
      message);
}

}  // namespace vas::signaling

// A live dialog as a value: enough for another process to go on with it. (RFC 3261 §12)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/sip/flow.h"

namespace vas::signaling {

struct DialogState {
  std::string call_id;
  std::string local;   // From value of our requests, tag and all
  std::string remote;  // To value of our requests, tag and all
  std::uint32_t local_sequence = 0;
  std::uint32_t remote_sequence = 0;
  std::string remote_target;        // the peer's Contact URI
  std::vector<std::string> routes;  // route set in sending order, each a `<uri>`
  std::optional<Flow> flow;      // the way that requests stay on; a connection does not outlive its process
  bool reaches_private = false;  // its next hop may be in a private range
  bool is_of_token = false;      // its caller is no trunk, and held to the way that it opened
  std::string contact;           // ours
  std::string local_sdp;         // last agreed, for refreshes
  std::uint32_t invite_sequence =
      0;  // CSeq of our INVITE that made it, whose 2xx is to be ACKed again; 0: the peer's

  friend bool operator==(const DialogState&, const DialogState&) = default;
};

std::string write(const DialogState& state);
// For tests: what was written is read back as it was.
std::optional<DialogState> parse_dialog_state(std::string_view text);

// Whether requests of a dialog should go back the way its messages came, rather than to the first hop that
// the peer named: always on a connection, and on UDP when that hop is a name or an address behind a NAT.
bool stays_on_flow(const Flow& flow, std::string_view first_hop_uri, bool is_record_routed);

}  // namespace vas::signaling

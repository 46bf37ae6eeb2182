// Requests that another node responds to: passed on without state, as a proxy that stays in the path.
// (RFC 3261 §16.11, §16.6)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "signaling/sip/flow.h"
#include "signaling/sip/sip_message.h"
#include "signaling/sip/via_editor.h"

namespace vas::signaling {

// Who sent a request that a node forwarded, as that node saw it.
struct Origin {
  Transport transport = Transport::kUdp;
  Endpoint peer;
};

// Threads: any, immutable.
class NodeRelay {
 public:
  // `secret`: of all nodes. `signer`: of this one.
  NodeRelay(const FlowSigner& signer, std::string secret) : signer_(signer), secret_(std::move(secret)) {}

  // The flow that the first Route names, when it is one that this gateway wrote itself.
  std::optional<Flow> named_flow(const SipMessage& request) const;

  // The request as it goes on, with our Via on top; `branch` leads its responses back. To a node it says whom
  // it came from; a new INVITE gets our Record-Route; a Route that named a flow of ours is taken off.
  struct Way {
    Endpoint own;  // what the next hop is told
    bool is_to_node = false;
    bool drops_route = false;
  };
  std::string forwarded(const SipMessage& request, const Flow& source, const std::string& via_parameters,
                        const Flow& next, const Way& way) const;

  // What a forwarding node says of a request; nothing where it does not vouch for it.
  std::optional<Origin> origin_of(const SipMessage& request) const;

 private:
  std::string voucher(std::string_view origin, const SipMessage& request) const;

  const FlowSigner& signer_;
  const std::string secret_;
};

// Where a forwarded request goes when no flow says so: its first Route after ours, else its Request-URI.
std::optional<Endpoint> numeric_target(const SipMessage& request, bool drops_route);

}  // namespace vas::signaling

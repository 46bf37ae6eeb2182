// What the gateway is told before it opens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address_policy.h"
#include "base/endpoint.h"
#include "signaling/gateway/policy/source_ledger.h"
#include "signaling/gateway/policy/transports_config.h"

namespace vas::signaling {

// What a new call is checked against before any SIP parser sees it. Asked on the gateway's thread, thousands
// of times a second: it must not wait for anything.
class AdmissionCheck {
 public:
  virtual ~AdmissionCheck() = default;
  // A trunk of ours: it needs no token.
  virtual bool is_trusted(const IpAddress& source) const = 0;
  // One whose sources the system gave: it is neither limited nor banned, and what is sent there is its own.
  virtual bool is_exempt(const IpAddress& source) const = 0;
  // Another node's gateway: what it forwards was checked there.
  virtual bool is_node(const Endpoint& source) const = 0;
  // Where a session lives under this token. Takes as long for one that does as for one that does not.
  struct TokenPlace {
    enum class Where { kNowhere, kHere, kAtNode } where = Where::kNowhere;
    Endpoint node;  // of kAtNode: its gateway
  };
  virtual TokenPlace find_token(std::string_view token) const = 0;
  // Whether a token that is not found may be asked for in the shared store; `done` is called on any thread,
  // and find_token knows more then.
  virtual bool looks_further() const = 0;
  virtual void look_up_token(std::string token, std::function<void()> done) = 0;
};

struct GatewayConfig {
  TransportsConfig transports;
  SourceLimits limits;
  std::size_t trace_bytes = 0;            // of messages kept for MessageTrace; 0: none
  std::optional<Endpoint> hep_collector;  // gets a copy of what is traced
  std::uint32_t hep_capture_id = 1;
  std::optional<Endpoint> dns_server;  // none: those of the system
  std::string cluster_secret;  // what nodes vouch with for whom they forward; empty: there is one node
  bool sheds_load = false;     // then probes must be confirmed: confirm_probe
  AdmissionCheck* admission = nullptr;  // none: everything that is well-formed may come in; outlives it
  std::shared_ptr<const AddressPolicy> peers;  // where requests may go; none: anywhere
};

}  // namespace vas::signaling

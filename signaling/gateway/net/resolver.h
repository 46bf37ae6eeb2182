// From the name of a server to the addresses that may be tried, in order. (RFC 3263, by c-ares)
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "signaling/sip/server_name.h"

namespace vas::signaling {

// Answers come at once from memory for as long as DNS allows (5 s to 1 h; "no such name" for 10 s), and when
// DNS fails, what was known before it did serves on.
//
// Threads: the context's alone; nothing blocks it.
// Bounds:  kMaxNames remembered, kMaxWaiting asking, kMaxTargets for each.
class Resolver {
 public:
  // Plans and trunks name some hundreds of servers; beyond this all are asked for anew.
  static constexpr std::size_t kMaxNames = 4096;
  // As many as names: DNS that is silent holds up no more requests than that.
  static constexpr std::size_t kMaxWaiting = 4096;
  // More than a caller waits for, at two transmissions each.
  static constexpr std::size_t kMaxTargets = 16;
  using Done = std::function<void(const std::vector<Target>&)>;  // empty: there are none

  // `server`: which DNS server to ask; none: those of the system.
  static std::unique_ptr<Resolver> make(boost::asio::io_context& context, std::optional<Endpoint> server);
  virtual ~Resolver() = default;

  virtual void resolve(const ServerName& name, Done done) = 0;
};

}  // namespace vas::signaling

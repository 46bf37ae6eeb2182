// The checks that a full ICE agent goes on making once its pair is nominated. (RFC 7675 §5.1)
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/thread_check.h"
#include "ice/agent/candidate.h"
#include "ice/agent/ice_lite.h"
#include "ice/stun/stun_message.h"

namespace vas::ice {

// One path's. Checks the address that media goes to every 4 to 6 s, on hold too.
//
// Threads: its bridge's media worker only.
// Bounds:  kMaxAwaited responses.
class ConsentChecks {
 public:
  // At a check each 4 s at least a response has more than a minute to come.
  static constexpr std::size_t kMaxAwaited = 16;
  static constexpr std::size_t kMaxBytes = 640;  // of a check: USERNAME takes 513 at most (RFC 8839 §5.4)

  struct Check {
    Endpoint to;
    Bytes message;  // borrowed until the next call
  };

  ConsentChecks(IceCredentials local, IceCredentials remote, IceRole role);

  // The check that is due now, if any. `destination`: where media goes.
  std::optional<Check> on_time(Time now, const Endpoint& destination);

  // True when `source` has responded to one of our checks: it is proved then.
  bool on_response(const Endpoint& source, const StunMessage& response);

 private:
  struct Awaited {
    StunTransaction transaction{};
    Endpoint to;
  };

  Check check(const Endpoint& to);

  const IceCredentials local_;
  const IceCredentials remote_;
  const IceRole role_;
  const std::uint64_t tie_breaker_;
  std::array<Awaited, kMaxAwaited> awaited_{};
  std::size_t next_awaited_ = 0;
  Time next_check_{};
  std::array<std::uint8_t, kMaxBytes> message_{};
  ThreadCheck thread_check_{"ConsentChecks"};
};

}  // namespace vas::ice

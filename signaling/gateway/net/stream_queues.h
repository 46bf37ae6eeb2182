// What the gateway's thread and the streams' tell each other.
#pragma once

#include <cstdint>
#include <string>

#include "base/inbox.h"
#include "base/time.h"
#include "signaling/sip/flow.h"
#include "tls/handshake_budget.h"

namespace vas::signaling {

// From the streams to the gateway. Of each comes one order back, kWelcome or kHandled.
struct Arrival {
  enum class Kind : std::uint8_t { kNewcomer, kMessage, kUnsent } kind = Kind::kMessage;
  Flow flow;
  std::string text;
  Time came{};
};

// From the gateway to the streams.
struct Order {
  enum class Kind : std::uint8_t { kSend, kDrop, kWelcome, kHandled } kind = Kind::kSend;
  Flow flow;  // kDrop: its peer's address alone
  std::string text;
  std::string tls_name;                        // kSend: connection.h
  bool is_repeated = true;                     // kSend: transports.h
  Welcome welcome = Welcome::kNone;            // kWelcome
  Arrival::Kind of = Arrival::Kind::kMessage;  // kHandled, with how many bytes it had
  std::size_t bytes = 0;
  bool is_good = false;
};

// Waiting at the gateway at most: so many arrivals of each kind, and bytes of messages.
inline constexpr std::size_t kMaxNewcomersWaiting = 256;
inline constexpr std::size_t kMaxMessagesWaiting = 1024;
inline constexpr std::size_t kMaxUnsentWaiting = 512;
inline constexpr std::size_t kMaxBytesWaiting = 4 << 20;
using ArrivalInbox = Inbox<Arrival>;
// The next power of two above all three kinds together.
inline constexpr std::size_t kArrivalCapacity = 2048;

// Waiting at the streams at most: so many messages that are to be sent, their bytes,
// and what is said to each arrival.
inline constexpr std::size_t kMaxSendsWaiting = 4096;
inline constexpr std::size_t kMaxSendBytesWaiting = 8 << 20;
// The next power of two above what is to be sent and one order for each arrival.
inline constexpr std::size_t kOrderCapacity = 8192;

static_assert(kMaxNewcomersWaiting + kMaxMessagesWaiting + kMaxUnsentWaiting <= kArrivalCapacity);
static_assert(kMaxSendsWaiting + kArrivalCapacity <= kOrderCapacity);

}  // namespace vas::signaling

// Which directions of a worker's bridges the kernel relays, and when they go there and come back.
#pragma once

#include <map>

#include "base/thread_check.h"
#include "bridge/kernel/kernel_relay.h"
#include "bridge/kernel/next_hop_keeper.h"
#include "bridge/relay/bridge.h"

namespace vas::bridge {

// One direction of a bridge, from its near leg to the other.
struct FastDirection {
  Endpoint local;  // where the near party sends to; unset while the leg has no socket
  int socket = -1;
  bool is_in_kernel = false;
  Endpoint far;  // where the kernel sends to, or whom `onward` is for
  NextHop onward;
  std::uint64_t counted_packets = 0;
  int waits = 0;      // for its socket to be read empty
  Time not_before{};  // it came back for a reason: no sooner again
  Duration pause{};
};

// A direction goes into the kernel when it has run for a moment as plain relayed RTP, and comes back with
// whatever the kernel does not know: a telephone event, a new stream, hold, a re-INVITE, the end. One that
// comes back again and again stays longer each time.
//
// Threads: its media worker only.
class FastPath {
 public:
  // Before a direction goes back into the kernel; doubled each time that it comes out again: a stream that
  // user space has to touch all the time stays there.
  static constexpr Duration kShortestPause = std::chrono::milliseconds(500);
  static constexpr Duration kLongestPause = std::chrono::seconds(8);
  // Ticks until an empty socket is waited for no longer:
  // under overload none ever is, and the kernel is the help.
  static constexpr int kLongestWait = 4;
  static constexpr Duration kAskAgain = std::chrono::seconds(20);  // for a next hop: well within kForgetAfter
  // One for each far end: more than a worker has legs as a rule.
  static constexpr std::size_t kMaxNextHops = 16384;

  struct Kernel {
    KernelRelay* relay = nullptr;        // none: nothing goes into the kernel
    NextHopKeeper* next_hops = nullptr;  // none: nothing is known of next hops either
  };
  FastPath(const Kernel& kernel, NextHopListener& listener) : kernel_(kernel), listener_(listener) {}

  // Once a tick: gives the direction to the kernel if it is ready,
  // else brings the bridge's figures up to date.
  void tick(Bridge& bridge, LegSide near, std::array<FastDirection, 2>& directions, Time now);

  // True if it was in the kernel.
  bool withdraw(Bridge& bridge, LegSide near, FastDirection& direction);

  // True for a packet that waited in the socket while the direction went into the kernel, which has passed it
  // by: it is too late to be relayed, and no reason to come back.
  // There are none but under overload (kLongestWait).
  bool is_straggler(const FastDirection& direction, Bytes datagram, Time now) const;

  // Takes the direction back because of a packet that the kernel did not know what to do with.
  void on_unusual(Bridge& bridge, LegSide near, FastDirection& direction, Time now);

  void on_next_hop(const IpAddress& to, const NextHop& hop);

  // As often as there are ticks: the life sign without which the kernel relays no more.
  void keep_alive(Time now) const {
    if (kernel_.relay != nullptr) kernel_.relay->keep_alive(now);
  }

  std::uint64_t in_kernel() const { return in_kernel_; }  // directions
  // Relayed by the kernel, as of each direction's last tick.
  std::uint64_t packets() const { return packets_; }

 private:
  struct KnownNextHop {
    NextHop hop;
    bool is_known = false;
    Time asked_at{};
  };
  const NextHop* next_hop_to(const IpAddress& to, Time now);
  bool choose_way(const Bridge& bridge, LegSide near, const std::array<FastDirection, 2>& directions,
                  Time now, relay_entry& entry);
  void install(const Bridge& bridge, LegSide near, std::array<FastDirection, 2>& directions, Time now);
  void learn_next_hop(const Bridge& bridge, LegSide near, FastDirection& direction, Time now);
  bool follow_next_hop(FastDirection& direction, Time now);
  void count(FastDirection& direction, const relay_entry& entry);

  const Kernel kernel_;
  NextHopListener& listener_;
  std::map<IpAddress, KnownNextHop> known_;
  std::uint64_t in_kernel_ = 0;
  std::uint64_t packets_ = 0;
  ThreadCheck thread_check_{"FastPath"};
};

}  // namespace vas::bridge

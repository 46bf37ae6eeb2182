// Where the kernel would send a packet to, kept up to date for those who relay past its routing, and the fast
// path attached to the interfaces that lead there.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/endpoint.h"
#include "base/inbox.h"
#include "base/pulse.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "bridge/kernel/kernel_relay.h"

struct mnl_socket;

namespace vas::bridge {

struct NextHop {
  enum class Kind : std::uint8_t {
    kNone,      // none, or through an interface that the fast path cannot watch
    kLocal,     // an address of this machine: by the loopback interface
    kEthernet,  // to a neighbour
  };
  Kind kind = Kind::kNone;
  std::uint32_t ifindex = 0;
  bool is_in_driver = false;          // the fast path runs in the interface's driver
  std::uint64_t destination_mac = 0;  // in the first six bytes; 0: not known now
  std::uint64_t source_mac = 0;
  IpAddress source;  // ours, that a socket without an address would send from
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

class NextHopListener {
 public:
  // From the keeper's thread.
  virtual void on_next_hop(const IpAddress& to, const NextHop& hop) = 0;

 protected:
  ~NextHopListener() = default;
};

// Asks the kernel by netlink and attaches, both of which may wait for its locks: hence a thread of its own.
//
// Threads: ask() from any; the rest is its own thread.
// Bounds:  kMaxDestinations; more are not looked up. What nobody has asked for in kForgetAfter is forgotten.
class NextHopKeeper {
 public:
  // One for each far end that any worker sends to.
  static constexpr std::size_t kMaxDestinations = 65536;
  // What the kernel announces comes at once; this finds what it does not.
  static constexpr Duration kRefresh = std::chrono::seconds(1);
  // Workers ask again well within it (FastPath::kAskAgain) for what they still send to.
  static constexpr Duration kForgetAfter = std::chrono::seconds(60);

  // `relay`: what to attach; it outlives the keeper. None: next hops only.
  static Result<std::unique_ptr<NextHopKeeper>> open(KernelRelay* relay);
  ~NextHopKeeper();

  // No listener is told anything after it, whatever is asked.
  void stop();
  NextHopKeeper(const NextHopKeeper&) = delete;
  NextHopKeeper& operator=(const NextHopKeeper&) = delete;

  // `listener` is told now, and of every change. It outlives the keeper.
  // False when too much is asked at once.
  bool ask(const IpAddress& to, NextHopListener& listener);

  void ask(Time now);  // from any thread: see pulse.h
  const Pulse& pulse() const { return pulse_; }

 private:
  struct Question {
    IpAddress to;
    NextHopListener* listener = nullptr;
  };
  struct Destination {
    NextHop next_hop;
    Time asked_at{};
    std::vector<NextHopListener*> listeners;
  };

  NextHopKeeper(KernelRelay* relay, mnl_socket* questions, mnl_socket* events);
  void run();
  void on_question(const Question& question);
  bool drain_events();
  void refresh();
  NextHop resolve(const IpAddress& to);

  // Borrowed.
  KernelRelay* const relay_;

  // Owned.
  mnl_socket* const questions_;
  mnl_socket* const events_;
  Inbox<Question> inbox_{16384};
  std::map<IpAddress, Destination> destinations_;

  // State.
  unsigned sequence_ = 0;
  Pulse pulse_;
  std::atomic<bool> is_stopping_{false};
  ThreadCheck thread_check_{"NextHopKeeper"};
  std::thread thread_;
};

}  // namespace vas::bridge

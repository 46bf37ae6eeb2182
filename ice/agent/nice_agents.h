// Full ICE and TURN, by libnice, on a thread of its own. (RFC 8445, RFC 8656)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "base/pulse.h"
#include "base/thread_check.h"
#include "ice/agent/candidate.h"
#include "ice/agent/ice_lite.h"

namespace vas::ice {

// Its owner's number for it; never used again for another.
struct AgentId {
  std::uint64_t value = 0;
  friend auto operator<=>(AgentId, AgentId) = default;
};

struct TurnServer {
  Endpoint address;
  std::string user;
  std::string password;
};

struct AgentsConfig {
  std::vector<IpAddress> addresses;  // to bind; empty: those of every interface
  std::uint16_t first_port = 20000;
  std::uint16_t last_port = 29999;
  std::optional<Endpoint> stun;
  std::optional<TurnServer> turn;
  bool relays_only = false;  // no address of ours is told to anybody, only the TURN server's
};

// What an agent tells its owner.
struct Gathered {
  AgentId agent;
  std::vector<Candidate> candidates;  // none: no port could be bound, or no relay was to be had
};
// A nominated pair. The socket passes into the receiver's ownership: a direct pair's own, whose checks are
// the owner's from now on; or, of a pair that TURN relays, a pipe that leads through the agent, which stays,
// and may find a direct pair later.
struct PathFound {
  AgentId agent;
  int socket = -1;
  Endpoint local;  // of the socket
  Endpoint peer;   // the party, as the record names it
  Endpoint to;     // where the socket's datagrams go: the party, or the pipe's other end
  bool is_pipe = false;
  CandidateType local_type = CandidateType::kHost;
  std::vector<std::vector<std::uint8_t>> early;  // what the party sent before the socket was handed over
};
// No pair works, or a relayed one works no more.
struct PathLost {
  AgentId agent;
};
using AgentEvent = std::variant<Gathered, PathFound, PathLost>;

// An agent gathers, is told of its peer, checks, and hands its pair over.
//
// Threads: made, used and destroyed by control; `publish` is called on the thread of the agents.
// Bounds:  one UDP port an agent; kMaxEarly datagrams before a pair is found; kInboxCapacity orders.
class NiceAgents {
 public:
  // The first packets of a call, at 20 ms each a third of a second.
  static constexpr std::size_t kMaxEarly = 16;
  static constexpr std::size_t kInboxCapacity = 4096;
  // A caller waits for it: what a slow STUN or TURN server has not said by then is not told.
  static constexpr Duration kLongestGathering = std::chrono::milliseconds(1500);

  NiceAgents(AgentsConfig config, std::function<void(AgentEvent&&)> publish);
  ~NiceAgents();  // gives TURN's allocations back, for a second at most

  // A Gathered follows, kLongestGathering later at the latest.
  void gather(AgentId agent, const IceCredentials& local, IceRole role);
  // Begins the checks. A PathFound or PathLost follows. Again: changes nothing; a restart is another agent's.
  void check(AgentId agent, const IceCredentials& remote, const std::vector<Candidate>& peers);
  // The peer knows no ICE: hands over a host candidate's socket of this family, as PathFound with no peer.
  // Again: changes nothing.
  void adopt_plain(AgentId agent, AddressFamily family);
  void close(AgentId agent);

  void ask(Pulse& pulse, Time now);  // which outlives the agents: see pulse.h

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
  ThreadCheck thread_check_{"NiceAgents"};
};

}  // namespace vas::ice

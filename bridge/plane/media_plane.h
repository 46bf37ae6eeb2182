// Control's view of all media: opens legs, hands them to workers, takes their figures back.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/address_policy.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "bridge/plane/port_pool.h"
#include "bridge/worker/media_worker.h"

namespace vas::bridge {

struct MediaPlaneConfig {
  IpAddress bind_ipv4;                       // where media sockets listen
  std::optional<IpAddress> advertised_ipv4;  // what SDP says instead (1:1 NAT)
  std::optional<IpAddress> bind_ipv6;        // none: IPv6 legs are refused
  std::uint16_t first_port = 20000;
  std::uint16_t last_port = 29999;
  int workers = 1;  // 0: one for each core
  Duration media_timeout = std::chrono::seconds(60);
  int leg_packets_per_second = kLegPacketsPerSecond;
  PacketIoKind io = PacketIoKind::kAuto;
  media::SrtpBackend srtp_backend = media::SrtpBackend::kOpenssl;
  bool uses_kernel = false;   // the fast path, where it is to be had
  bool in_driver = false;     // by XDP too, where drivers run it
  bool uses_clsact = false;   // the older of the kernel's two hooks
  bool sends_frames = false;  // user space sends by packet sockets, where privilege allows
  // Of legs with full ICE.
  std::optional<Endpoint> stun_server;
  std::optional<ice::TurnServer> turn_server;
  bool relays_only = false;
  // Where media may go, and which addresses are this host's; none: anywhere, and those that it is bound to.
  std::shared_ptr<const AddressPolicy> peers;
  std::vector<IpAddress> also_ours;  // what SIP tells peers instead of a listener's address (1:1 NAT)
};

// What all workers did, and how.
struct MediaFigures {
  std::uint64_t user_packets = 0;
  std::uint64_t kernel_packets = 0;
  std::uint64_t overrun = 0;
  std::uint64_t fast_legs = 0;
  std::uint64_t oversized = 0;
  std::uint64_t stray = 0;
  std::uint64_t over_limit = 0;
};

// Control's view of all media. It keeps which bridge is on which worker, which port is whose, and where each
// leg's far end is. It decides which worker gets a new bridge, which ports a leg gets, and whether a far end
// may be sent to: none of our own ports, but of a call that is truly between two of ours. It need not know
// packets, keys or latches: those are the workers'.
//
// Threads: control only. A bridge lives on one worker for its whole life.
class MediaPlane {
 public:
  // Fails where the configuration insists on what the machine does not have.
  static Result<std::unique_ptr<MediaPlane>> open(const MediaPlaneConfig& config);
  ~MediaPlane();

  // For people: by what means media is relayed here, and why not by better ones.
  const std::string& description() const { return description_; }
  MediaFigures figures() const;

  // Its threads' pulses (pulse.h). The agents' thread is asked by control, for it may come to be at any time;
  // it is well while there is none.
  struct ThreadPulse {
    std::string name;
    const Pulse* pulse;
    std::function<void(Time)> ask;  // from any thread; none: by ask_agents()
  };
  std::vector<ThreadPulse> pulses();
  void ask_agents(Time now);

  // Of the certificate that all DTLS legs have.
  const media::CertificateFingerprint& fingerprint() const { return dtls_->fingerprint(); }

  // Whether legs can be of that family: IPv6 is where it is configured.
  bool has(AddressFamily family) const { return family == AddressFamily::kIpv4 || config_.bind_ipv6; }

  BridgeId open_bridge();

  // Binds a port pair, or has the leg share its worker's port, and returns what SDP is to say. kShared is for
  // a leg that is going to be configured with ICE in the lite role, and no other. Safe to call again for a
  // leg that is open already: the same ports are used, but for another family, and for a leg that shares a
  // port and is no longer to. Fails, and changes nothing,
  // when the range is used up or the family is not configured.
  Result<Endpoint> open_leg(BridgeId bridge, LegSide side, AddressFamily family, PortUse use = PortUse::kOwn);

  // Begins to gather the candidates of a leg with full ICE; a LegGathered follows. Again for an ICE restart,
  // with new credentials: the path that the leg has stays until the next configure_leg() leads to another.
  void gather_leg(BridgeId bridge, LegSide side, AddressFamily family, const ice::IceCredentials& local,
                  ice::IceRole role);

  // Of all that the leg's party is sent.
  media::Ssrc outgoing_ssrc(BridgeId bridge, LegSide side) const;

  // The leg's party is about to be offered DTLS: its hello may come before its answer.
  void await_dtls(BridgeId bridge, LegSide side);

  // False, and nothing changed, when the far end is one of our own media ports in a way that could loop.
  bool configure_leg(BridgeId bridge, LegSide side, const LegConfig& config);
  void start(BridgeId bridge);
  void ask_heard(BridgeId bridge);  // a BridgeHeard event follows

  // A BridgeClosed event follows; only then are its ports lent again.
  void close(BridgeId bridge);

  // Becomes readable when there are events; `consume` gets each MediaEvent.
  int descriptor() const { return events_.descriptor(); }
  template <typename Consumer>
  void drain(Consumer&& consume) {
    events_.drain([&](MediaEvent&& event) {
      apply(event);
      consume(std::move(event));
    });
  }

 private:
  struct LegPlace {
    std::uint16_t port = 0;  // 0: it has none of its own
    bool is_sharing = false;
    AddressFamily family = AddressFamily::kIpv4;
    Endpoint local;  // as SDP says it
    Endpoint far;
    // Of full ICE; such a leg has no port of the pool. The second is the one that a relayed path leads
    // through, which during a restart is an older one.
    std::optional<ice::AgentId> agent;
    std::optional<ice::AgentId> carrier;
  };
  struct BridgePlace {
    std::size_t worker = 0;
    std::array<media::Ssrc, 2> ssrcs;
    std::array<LegPlace, 2> legs;
  };
  struct Owner {
    BridgeId bridge;
    LegSide side;
  };

  explicit MediaPlane(const MediaPlaneConfig& config);
  void open_kernel_relay();
  std::string open_fast_path();  // what came of it
  std::size_t least_loaded_worker() const;
  // One port of the pool with its socket, or both with theirs.
  struct BoundPorts {
    std::uint16_t port = 0;
    int rtp_socket = -1;
    int rtcp_socket = -1;
  };
  Result<IpAddress> bind_address(AddressFamily family) const;
  IpAddress said_address(const IpAddress& bound) const;
  Result<BoundPorts> bind_ports(const IpAddress& address, PortUse use);
  Result<Endpoint> bind_leg(BridgeId bridge, BridgePlace& place, LegSide side, AddressFamily family);
  Result<Endpoint> share_leg(BridgeId bridge, BridgePlace& place, LegSide side, AddressFamily family);
  bool is_own_address(const IpAddress& address) const;
  bool is_in_range(std::uint16_t port) const {
    return port >= config_.first_port && port <= config_.last_port;
  }
  bool is_safe_far_end(const BridgePlace& place, LegSide side, const Endpoint& far) const;
  std::optional<Owner> owner_of(const Endpoint& endpoint) const;
  // What the plane itself has to do about an event; one of an agent becomes what it means to its leg's owner,
  // which is nothing where the leg has another agent by now.
  void apply(MediaEvent& event);
  MediaEvent translate(ice::AgentEvent&& event);
  MediaEvent accept_candidates(const Owner& owner, ice::Gathered&& gathered);
  MediaEvent accept_path(const Owner& owner, ice::PathFound&& path);
  MediaEvent adopt_path(const Owner& owner, ice::PathFound&& path);
  MediaEvent lose_path(const Owner& owner, ice::AgentId agent);
  bool may_be_checked(const Endpoint& peer) const;
  void direct_agent(LegPlace& leg, const LegConfig& config);
  void open_agents();
  void close_agents(LegPlace& leg);
  void close_agent(std::optional<ice::AgentId>& agent);
  void give_back_port(LegPlace& leg);
  void forget(const BridgeClosed& closed);
  void post(std::size_t worker, WorkerCommand command);

  const MediaPlaneConfig config_;
  std::unique_ptr<media::DtlsContext> dtls_;
  PortPool ports_;
  // Two events a bridge at most are under way, and the port range bounds the bridges: this is never full.
  Inbox<MediaEvent> events_{65536};
  std::unique_ptr<KernelRelay> kernel_;
  std::unique_ptr<NextHopKeeper> next_hops_;
  std::unique_ptr<ice::NiceAgents> agents_;  // none until the first leg with full ICE
  std::map<ice::AgentId, Owner> agent_owners_;
  std::uint64_t next_agent_ = 1;
  std::vector<std::unique_ptr<MediaWorker>> workers_;
  std::vector<std::size_t> load_;  // bridges, by worker
  std::vector<std::array<std::optional<Endpoint>, 2>>
      shared_ports_;  // by worker and family; as they are bound
  bool sends_frames_ = false;
  std::string description_;
  std::map<BridgeId, BridgePlace> bridges_;
  std::map<std::uint16_t, Owner> owners_;        // by RTP port
  std::map<std::uint16_t, HeardStream> ghosts_;  // by RTP port: of its last call
  std::uint64_t next_id_ = 1;
  Pulse agents_pulse_;
  std::atomic<bool> is_stopping_{false};
  ThreadCheck thread_check_{"MediaPlane"};
};

}  // namespace vas::bridge

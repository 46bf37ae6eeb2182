// One media thread: its loop, its sockets, its bridges.
#pragma once

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/address_policy.h"
#include "base/inbox.h"
#include "base/pulse.h"
#include "base/thread_check.h"
#include "bridge/io/packet_io.h"
#include "bridge/kernel/frame_sender.h"
#include "bridge/leg/leg_config.h"
#include "bridge/relay/bridge.h"
#include "bridge/worker/fast_path.h"
#include "bridge/worker/ice_demux.h"
#include "ice/agent/nice_agents.h"

namespace vas::bridge {

// What control tells a worker. Socket descriptors pass into the worker's ownership.
struct OpenBridge {
  BridgeId bridge;
  Duration media_timeout{};
  std::array<StreamSeed, 2> seeds;
  SecureSetup secure;
};
struct AddLeg {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  int rtp_socket = -1;
  int rtcp_socket = -1;
  Endpoint local;                    // of the RTP socket
  std::optional<HeardStream> ghost;  // what the port's last call heard there
};
// The one socket of a family for all of the worker's legs that join it, for its whole life.
struct SharePort {
  int socket = -1;
  Endpoint local;
};
// A leg with ICE in the lite role, RTCP multiplexed, in place of sockets of its own.
struct JoinPort {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  AddressFamily family = AddressFamily::kIpv4;
};
// An agent's socket in place of those that the leg had; RTCP is multiplexed on it.
struct AdoptSocket {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  ice::PathFound path;
};
struct LosePath {
  BridgeId bridge;
  LegSide side = LegSide::kA;
};
struct AwaitDtls {
  BridgeId bridge;
  LegSide side = LegSide::kA;
};
struct ConfigureLeg {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  LegConfig config;
};
struct StartBridge {
  BridgeId bridge;
};
struct AskHeard {
  BridgeId bridge;
};
struct CloseBridge {
  BridgeId bridge;
};
struct NextHopChanged {
  IpAddress to;
  NextHop hop;
};
using WorkerCommand =
    std::variant<std::monostate, OpenBridge, AddLeg, SharePort, JoinPort, AdoptSocket, LosePath, AwaitDtls,
                 ConfigureLeg, StartBridge, AskHeard, CloseBridge, NextHopChanged>;

// What a worker tells control.
struct MediaSilent {
  BridgeId bridge;
};
// What AskHeard brings.
struct BridgeHeard {
  BridgeId bridge;
  Time last{};  // when either party sent anything: Bridge::last_heard_at()
};
struct BridgeClosed {
  BridgeId bridge;
  std::array<LegStats, 2> legs;
};
// What the agent of a leg with full ICE tells control.
struct LegGathered {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  std::optional<Endpoint> local;  // what SDP is to say; none: there is no media
  std::vector<ice::Candidate> candidates;
};
struct LegPathFound {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  ice::CandidateType local_type = ice::CandidateType::kHost;
};
using MediaEvent = std::variant<std::monostate, MediaSilent, BridgeHeard, BridgeClosed, ice::AgentEvent,
                                LegGathered, LegPathFound>;

// What a worker did, for metrics. Written by the worker alone, read by anyone.
struct WorkerCounters {
  std::atomic<std::uint64_t> user_packets{0};    // relayed in user space
  std::atomic<std::uint64_t> kernel_packets{0};  // relayed by the kernel; a quarter of a second old at most
  std::atomic<std::uint64_t> overrun{0};         // lost in receive buffers: we were too slow
  std::atomic<std::uint64_t> stray{0};           // came to a shared port, and no leg's party sent it
  std::atomic<std::uint64_t> oversized{0};       // larger than what is read
  std::atomic<std::uint64_t> over_limit{0};  // more than a leg may send; a quarter of a second old at most
  std::atomic<std::uint64_t> fast_legs{0};   // directions that the kernel relays now
};

// Keeps the bridges of one thread with their sockets, and gives each datagram to the bridge and the side that
// it belongs to. It decides how bytes travel: which socket or frame they leave by, what a loop's turn reads,
// when a direction may go into the kernel (FastPath), what a flood of hellos and checks may cost all legs
// together. What a packet means it need not know: that is Bridge's and Leg's. It knows no calls and no ports
// that it was not handed.
//
// Threads: constructor, destructor and post from control; everything else is the worker's own thread.
// Bounds:  the inbox; receive buffers are small, so that overload is loss and not latency.
class MediaWorker final : private PacketSink, private NextHopListener {
 public:
  // A few commands a call: thousands of calls may begin while the worker is busy with packets.
  static constexpr std::size_t kInboxCapacity = 16384;
  static constexpr int kReceiveBufferBytes = 16 * 1024;          // of a leg's own socket
  static constexpr int kSharedReceiveBufferBytes = 1024 * 1024;  // 2,500 packets of 20 ms of G.711
  static constexpr unsigned kSharedAtOnce = 256;                 // datagrams of a shared port in a turn
  static constexpr int kMaxHandshakesPerSecond =
      500;  // of DTLS, each leg's first: a quarter of a core; more wait for their turn
  static constexpr int kMaxRepeatedHandshakesPerSecond = 100;  // those that follow on one
  static constexpr int kMaxStrangersPerSecond = 20'000;        // ICE checks that prove nothing: 4 % of a core
  static constexpr int kMaxEarlyHellosPerSecond = 5'000;       // of DTLS, from anybody: 1 % of a core

  struct Config {
    PacketIoKind io = PacketIoKind::kAuto;
    FastPath::Kernel kernel;    // borrowed; none: all is relayed in user space
    bool sends_frames = false;  // where next hops are known and privilege allows
    // Which addresses are this host's, and our media ports: ICE does not lead there.
    std::shared_ptr<const AddressPolicy> peers = nullptr;
    std::uint16_t first_port = 0;
    std::uint16_t last_port = 0;
  };
  // `events` outlives the worker.
  MediaWorker(const Config& config, Inbox<MediaEvent>& events);
  ~MediaWorker();  // stops, and closes every socket that it owns

  // False when the worker is so far behind that its inbox is full; `command` is then untouched.
  bool post(WorkerCommand&& command) { return inbox_.push(std::move(command)); }

  const WorkerCounters& counters() const { return counters_; }

  void ask(Time now) {  // from any thread: see pulse.h
    pulse_.ask(now);
    inbox_.push(WorkerCommand{});
  }
  const Pulse& pulse() const { return pulse_; }

 private:
  struct Entry;
  struct Place {
    Entry* entry = nullptr;
    LegSide side = LegSide::kA;
  };
  struct SharedPort {
    SocketId id = 0;
    Endpoint local;
    IceDemux<Place> demux;
    std::uint32_t seen_overrun = 0;
  };
  struct Entry {
    Bridge bridge;
    BridgeId id;
    std::array<std::array<std::optional<SocketId>, 2>, 2> sockets{};  // [side][component]
    std::array<std::unique_ptr<IceDemux<Place>::Member>, 2> shares;  // by side; none: the sockets are its own
    std::array<FastDirection, 2> directions;                         // by near side
    std::array<std::uint32_t, 2> seen_overrun{};
    std::uint64_t seen_over_limit = 0;
    unsigned ticks = 0;
    bool reported_silent = false;
  };
  struct Socket {
    Entry* entry = nullptr;
    LegSide side = LegSide::kA;
    Component component = Component::kRtp;
    int descriptor = -1;
    SharedPort* shared = nullptr;  // then it is no leg's own
  };
  static constexpr std::size_t kSlices = 8;  // of the bridges: a tick at a time for each eighth

  void run(std::promise<void>& has_io);
  void tick();
  void advance_slice();
  void tick(Entry& entry, Time now, WallTime wall);
  void on_datagram(SocketId id, const Endpoint& source, Ttl ttl, media::PacketBuffer datagram) override;
  void on_oversized(SocketId id, const Endpoint& source) override;
  bool has_news() const override { return inbox_.has_news(); }
  void on_woken() override;
  bool may_check(const Endpoint& source) const;
  void on_shared_datagram(SharedPort& port, const Endpoint& source, media::PacketBuffer datagram);
  void relay(const Place& place, Component component, const Endpoint& source, media::PacketBuffer datagram,
             Time now);
  void send(Entry& entry);
  void send_onward(Entry& entry, LegSide near, Ttl ttl);
  void send(const Entry& entry, const Outgoing& datagram, Ttl ttl);
  bool send_frame(const Entry& entry, const Outgoing& datagram, Ttl ttl);
  void collect_overrun(Entry& entry);
  void collect_shared_overrun();
  void collect_over_limit(Entry& entry);
  void count_overrun(Entry& entry, LegSide side, std::uint32_t datagrams);
  void publish(MediaEvent event);

  // The fast path.
  void on_next_hop(const IpAddress& to, const NextHop& hop) override;
  void leave_fast_path(Entry& entry);

  void handle(WorkerCommand&& command);
  Entry* find(BridgeId bridge);  // null: closed already
  void open(const OpenBridge& command);
  void add_leg(const AddLeg& command);
  void share_port(const SharePort& command);
  void join_port(const JoinPort& command);
  void adopt(AdoptSocket&& command);
  void lose_path(const LosePath& command);
  void await_dtls(const AwaitDtls& command);
  void configure(const ConfigureLeg& command);
  void start(const StartBridge& command);
  void tell_heard(const AskHeard& command);
  void close(const CloseBridge& command);
  SocketId watch(const Socket& socket, unsigned at_once = 1);
  void unwatch(Entry& entry, LegSide side);

  const Config config_;

  // Borrowed.
  Inbox<MediaEvent>& events_;

  // Owned.
  Inbox<WorkerCommand> inbox_{kInboxCapacity};
  std::unique_ptr<PacketIo> io_;
  Ttl ttl_ = 0;  // of the datagram that is being handed over
  PerSecond handshakes_{kMaxHandshakesPerSecond};
  PerSecond repeated_handshakes_{kMaxRepeatedHandshakesPerSecond};
  PerSecond strangers_{kMaxStrangersPerSecond};
  PerSecond early_hellos_{kMaxEarlyHellosPerSecond};
  std::unique_ptr<FrameSender> frames_;  // none: sockets send everything
  FastPath fast_path_;
  std::array<std::unique_ptr<SharedPort>, 2> shared_ports_;  // by family; none until control shares it
  std::unordered_map<std::uint64_t, std::unique_ptr<Entry>> bridges_;  // by BridgeId
  std::array<std::vector<Entry*>, kSlices> slices_;
  std::vector<Socket> sockets_;  // by SocketId
  std::vector<SocketId> free_sockets_;
  Outbox outbox_;

  // State.
  const PacketIoKind io_kind_;
  Time next_tick_{};
  std::size_t next_slice_ = 0;
  WorkerCounters counters_;
  Pulse pulse_;
  std::atomic<bool> is_stopping_{false};
  ThreadCheck thread_check_{"MediaWorker"};
  std::thread thread_;
};

}  // namespace vas::bridge

// One media thread: its loop, its sockets, its bridges.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/leg_config.h"
#include "vas/base/inbox.h"

namespace vas::bridge {

// What control tells a worker. Socket descriptors pass into the worker's ownership.
struct OpenBridge {
  BridgeId bridge;
  Duration media_timeout{};
  std::array<StreamSeed, 2> seeds;
};
struct AddLeg {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  int rtp_socket = -1;
  int rtcp_socket = -1;
};
struct ConfigureLeg {
  BridgeId bridge;
  LegSide side = LegSide::kA;
  LegConfig config;
};
struct StartBridge {
  BridgeId bridge;
};
struct CloseBridge {
  BridgeId bridge;
};
using WorkerCommand =
    std::variant<std::monostate, OpenBridge, AddLeg, ConfigureLeg, StartBridge, CloseBridge>;

// What a worker tells control.
struct MediaSilent {
  BridgeId bridge;
};
struct BridgeClosed {
  BridgeId bridge;
  std::array<LegStats, 2> legs;
};
using MediaEvent = std::variant<std::monostate, MediaSilent, BridgeClosed>;

// Packet I/O by epoll: one socket pair a leg, reads until empty, writes at once.
//
// Threads: start, stop and post from control; everything else is the worker's own thread.
// Bounds:  the inbox; each socket's receive buffer is small, so that overload is loss and not latency.
class MediaWorker {
 public:
  static constexpr std::size_t kInboxCapacity = 16384;
  static constexpr int kReceiveBufferBytes = 32 * 1024;

  // `events` outlives the worker.
  explicit MediaWorker(Inbox<MediaEvent>& events);
  ~MediaWorker();  // stops, and closes every socket that it owns

  // False when the worker is so far behind that its inbox is full; `command` is then untouched.
  bool post(WorkerCommand&& command) { return inbox_.push(std::move(command)); }

 private:
  struct Socket {
    BridgeId bridge;
    LegSide side = LegSide::kA;
    Component component = Component::kRtp;
  };
  struct Entry {
    Bridge bridge;
    std::array<std::array<int, 2>, 2> sockets{{{-1, -1}, {-1, -1}}};  // [side][component]
    bool reported_silent = false;
  };

  void run();
  void tick();
  void receive(int descriptor);
  void send(const Entry& entry);
  void watch(int descriptor, const Socket& socket);
  void unwatch(int descriptor);
  void publish(MediaEvent event);

  void handle(WorkerCommand&& command);
  void open(const OpenBridge& command);
  void add_leg(const AddLeg& command);
  void configure(const ConfigureLeg& command);
  void start(const StartBridge& command);
  void close(const CloseBridge& command);

  // Borrowed.
  Inbox<MediaEvent>& events_;

  // Owned.
  Inbox<WorkerCommand> inbox_{kInboxCapacity};
  int epoll_ = -1;
  std::map<BridgeId, std::unique_ptr<Entry>> bridges_;
  std::vector<Socket> sockets_;  // by descriptor
  std::array<std::uint8_t, 2048> buffer_{};
  Outbox outbox_;

  // State.
  Time next_tick_{};
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace vas::bridge

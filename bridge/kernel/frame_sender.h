// Sends RTP as whole Ethernet frames, many in one system call, past the socket layer: half of what a relayed
// packet costs in user space is spent there.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "bridge/io/packet_ttl.h"
#include "bridge/kernel/next_hop_keeper.h"

namespace vas::bridge {

// Only where the next hop's address is known; everything else goes by sockets. Frames pass the interface's
// queue and are seen by tcpdump, but not by the host's output firewall.
//
// Threads: one media worker.
// Bounds:  kBatch frames between two calls of flush(); what the interface does not take is lost, like any
// other datagram.
class FrameSender {
 public:
  // As many go out in one system call.
  static constexpr std::size_t kBatch = 64;
  // With the longest headers (14 + 40 + 8 bytes) well within an Ethernet frame;
  // what is larger goes by sockets.
  static constexpr std::size_t kLargestPayload = 1400;

  static Result<std::unique_ptr<FrameSender>> open();
  ~FrameSender();
  FrameSender(const FrameSender&) = delete;
  FrameSender& operator=(const FrameSender&) = delete;

  static bool accepts(const NextHop& hop, Bytes payload) {
    return hop.kind == NextHop::Kind::kEthernet && hop.destination_mac != 0 &&
           payload.size() <= kLargestPayload;
  }
  // A UDP datagram with DSCP EF. Only what accepts() is true for.
  void add(const NextHop& hop, const Endpoint& from, const Endpoint& to, Ttl ttl, Bytes payload);
  void flush();

 private:
  struct Batch;
  explicit FrameSender(int socket);

  const int socket_;
  const std::unique_ptr<Batch> batch_;
  ThreadCheck thread_check_{"FrameSender"};
};

}  // namespace vas::bridge

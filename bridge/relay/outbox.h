// What the sans-IO core wants sent; the worker's socket loop does the sending.
#pragma once

#include <array>
#include <cstddef>

#include "base/bytes.h"
#include "base/check.h"
#include "base/endpoint.h"
#include "bridge/leg/leg_config.h"
#include "media/srtp/dtls_association.h"

namespace vas::bridge {

struct Outgoing {
  LegSide side = LegSide::kA;
  Component component = Component::kRtp;
  Endpoint to;
  Bytes bytes;  // borrowed until the outbox is cleared
};

// Filled during one turn of a bridge, then sent and cleared. One incoming datagram makes one outgoing, or a
// flight of each DTLS handshake of its socket; a tick makes a report, a check and the flights of two sockets
// for each leg. So a full outbox is our own bug.
class Outbox {
 public:
  // Of one socket: 3 handshakes, each with a flight of 6 datagrams at most.
  static constexpr std::size_t kFlights =
      media::DtlsAssociation::kMaxHandshakes * media::DtlsSession::kMaxFlight;
  // Two legs, each with the flights of two sockets, a report and a check: 2 * (2 * 18 + 2) = 76.
  static constexpr std::size_t kCapacity = 2 * (2 * kFlights + 2);

  void add(const Outgoing& datagram) {
    VAS_CHECK(size_ < kCapacity, "a bridge's turn sends at most kCapacity datagrams");
    items_[size_++] = datagram;
  }
  void clear() { size_ = 0; }
  const Outgoing* begin() const { return items_.data(); }
  const Outgoing* end() const { return items_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<Outgoing, kCapacity> items_;
  std::size_t size_ = 0;
};

}  // namespace vas::bridge

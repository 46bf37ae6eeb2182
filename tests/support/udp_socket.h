// A UDP socket of a test.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace vas {

class UdpSocket {
 public:
  explicit UdpSocket(const char* local) : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    socklen_t length = Endpoint::parse(local)->to_sockaddr(address);
    if (bind(descriptor_, reinterpret_cast<sockaddr*>(&address), length) != 0) return;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
    local_ = *Endpoint::from_sockaddr(address);
  }
  ~UdpSocket() { close(descriptor_); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  const Endpoint& local() const { return local_; }  // unset: it could not be bound
  int descriptor() const { return descriptor_; }

  void send(const Endpoint& to, Bytes bytes) const {
    sockaddr_storage address{};
    const socklen_t length = to.to_sockaddr(address);
    (void)sendto(descriptor_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address), length);
  }
  // What is there; empty: nothing.
  std::vector<std::uint8_t> receive() const {
    std::vector<std::uint8_t> bytes(2048);
    const ssize_t got = recv(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

 private:
  const int descriptor_;
  Endpoint local_;
};

}  // namespace vas

#include "signaling/gateway/net/datagram_reader.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"

namespace vas::signaling {
namespace {

// Stamps are of the wall clock, which may be set; no socket's buffer lasts longer than this.
constexpr Duration kLongestWait = std::chrono::seconds(5);

Duration wait_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec came{}, now{};
    std::memcpy(&came, CMSG_DATA(part), sizeof came);
    clock_gettime(CLOCK_REALTIME, &now);
    const auto waited =
        std::chrono::duration_cast<Duration>(std::chrono::seconds(now.tv_sec - came.tv_sec) +
                                             std::chrono::nanoseconds(now.tv_nsec - came.tv_nsec));
    return waited < Duration{} || waited > kLongestWait ? Duration{} : waited;
  }
  return {};
}

// Nobody is there, or no way leads there. Not: it was too large.
bool is_unreachable(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    const bool is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                          (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(part), sizeof error);
    return error.ee_errno == ECONNREFUSED || error.ee_errno == EHOSTUNREACH ||
           error.ee_errno == ENETUNREACH || error.ee_errno == EACCES;
  }
  return false;
}

}  // namespace

void DatagramReader::start() {
  const int on = 1;
  setsockopt(socket_.native_handle(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  if (undelivered_) {
    const bool is_ipv4 = socket_.local_endpoint().address().is_v4();
    setsockopt(socket_.native_handle(), is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
               is_ipv4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on);
  }
  await();
}

void DatagramReader::await() {
  socket_.async_wait(boost::asio::socket_base::wait_read, [this](boost::system::error_code failure) {
    if (failure) return;
    thread_check_.check();
    for (int i = 0; undelivered_ && i < kEachTurn && read_error(); ++i) {
    }
    for (int i = 0; i < kEachTurn; ++i) {
      if (read_one()) continue;
      waited_ = {};
      break;
    }
    await();
  });
}

bool DatagramReader::read_error() {
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) std::array<char, 512> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t bytes = recvmsg(socket_.native_handle(), &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (bytes < 0) return false;
  if (is_unreachable(message)) undelivered_({buffer_.data(), static_cast<std::size_t>(bytes)});
  return true;
}

bool DatagramReader::read_one() {
  sockaddr_storage from{};
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t bytes = recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  // Anything but an empty socket is the report of an earlier datagram that could not be delivered.
  if (bytes < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
  waited_ = wait_of(message);
  const auto peer = Endpoint::from_sockaddr(from);
  if (peer && peer->port != 0) receive_({buffer_.data(), static_cast<std::size_t>(bytes)}, *peer);
  return true;
}

}  // namespace vas::signaling

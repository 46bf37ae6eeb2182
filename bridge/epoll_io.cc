#include "bridge/epoll_io.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "vas/base/check.h"

namespace vas::bridge {
namespace {

constexpr std::uint32_t kWake = UINT32_MAX;

void rest(Duration duration) {
  const timespec time{0, static_cast<long>(duration.count()) * 1000};
  nanosleep(&time, nullptr);
}

}  // namespace

EpollIo::EpollIo(int wake_descriptor) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  VAS_CHECK(epoll_ >= 0, "no descriptor is left to start with");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = kWake;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_descriptor, &event);
}

EpollIo::~EpollIo() { close(epoll_); }

bool EpollIo::add(SocketId socket, int descriptor, unsigned at_once) {
  if (watched_.size() <= socket) watched_.resize(socket + 1);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = socket;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) return false;
  watched_[socket] = {descriptor, at_once, watched_[socket].turn};
  return true;
}

void EpollIo::remove(SocketId socket) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, watched_[socket].descriptor, nullptr);
  watched_[socket] = {.turn = watched_[socket].turn + 1};
}

void EpollIo::turn(Duration longest, PacketSink& sink) {
  const bool gathers = last_count_ >= kGatherFrom && last_count_ < kGatherAtMost && longest > kGather;
  if (gathers) rest(kGather);
  const int timeout_ms = static_cast<int>((longest.count() + 999) / 1000);
  const int count = epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), timeout_ms);
  const std::span ready(ready_.data(), static_cast<std::size_t>(std::max(count, 0)));
  last_count_ = 0;
  for (const epoll_event& each : ready) {
    const SocketId socket = each.data.u32;
    if (socket == kWake) {
      sink.on_woken();
      continue;
    }
    for (unsigned left = watched_[socket].at_once; left > 0 && receive(socket, sink); --left) ++last_count_;
  }
}

// What is left is reported in the next turn.
bool EpollIo::receive(SocketId socket, PacketSink& sink) {
  sockaddr_storage from;
  iovec room{buffer_.data(), kLargestDatagram};
  alignas(cmsghdr) std::array<std::uint8_t, kTtlControlBytes> control;
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &room;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(watched_[socket].descriptor, &message, MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0) return false;
  const auto source = Endpoint::from_sockaddr(from);
  const auto size = static_cast<std::size_t>(got);
  if (!source) return true;
  if (sink.has_news()) {
    const unsigned turn = watched_[socket].turn;
    sink.on_woken();
    if (watched_[socket].turn != turn) return false;
  }
  if (size > kLargestDatagram) {
    sink.on_oversized(socket, *source);
  } else {
    sink.on_datagram(socket, *source, ttl_of(CMSG_FIRSTHDR(&message)), {MutableBytes(buffer_), size});
  }
  return true;
}

void EpollIo::send(SocketId socket, const Endpoint& to, Ttl ttl, Bytes bytes) {
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  if (ttl != 0) return send_with_ttl(socket, {&address, length}, to.address.family, ttl, bytes);
  (void)!sendto(watched_[socket].descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&address), length);
}

void EpollIo::send_with_ttl(SocketId socket, iovec to, AddressFamily family, Ttl ttl, Bytes bytes) {
  iovec payload{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<std::uint8_t, kTtlControlBytes> control{};
  msghdr message{};
  message.msg_name = to.iov_base;
  message.msg_namelen = static_cast<socklen_t>(to.iov_len);
  message.msg_iov = &payload;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  put_ttl(message, family, ttl);
  (void)!sendmsg(watched_[socket].descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace vas::bridge

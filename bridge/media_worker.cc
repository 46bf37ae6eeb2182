#include "bridge/media_worker.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "vas/base/clock.h"

namespace vas::bridge {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(250);
constexpr int kMaxEvents = 256;
constexpr int kReadsAtOnce = 32;  // from one socket, so that one flood does not starve the other legs

}  // namespace

MediaWorker::MediaWorker(Inbox<MediaEvent>& events) : events_(events), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  VAS_CHECK(epoll_ >= 0, "no descriptor is left to start with");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = inbox_.descriptor();
  epoll_ctl(epoll_, EPOLL_CTL_ADD, inbox_.descriptor(), &event);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-media");
}

MediaWorker::~MediaWorker() {
  is_stopping_ = true;
  inbox_.push(WorkerCommand{});  // wakes the loop; if the inbox is full it is awake anyway
  thread_.join();
  for (const auto& [id, entry] : bridges_) {
    for (const auto& pair : entry->sockets) {
      for (const int descriptor : pair) {
        if (descriptor >= 0) ::close(descriptor);
      }
    }
  }
  ::close(epoll_);
}

void MediaWorker::run() {
  std::array<epoll_event, kMaxEvents> ready;
  while (!is_stopping_) {
    const Duration left = std::clamp(next_tick_ - monotonic_now(), Duration::zero(), kTick);
    const int timeout_ms = static_cast<int>((left.count() + 999) / 1000);
    const int count = epoll_wait(epoll_, ready.data(), kMaxEvents, timeout_ms);
    for (int i = 0; i < count; ++i) {
      const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == inbox_.descriptor()) {
        inbox_.drain([this](WorkerCommand&& command) { handle(std::move(command)); }, 256);
      } else {
        receive(descriptor);
      }
    }
    if (monotonic_now() >= next_tick_) tick();
  }
}

void MediaWorker::receive(int descriptor) {
  for (int reads = 0; reads < kReadsAtOnce; ++reads) {
    sockaddr_storage from{};
    socklen_t from_length = sizeof from;
    const ssize_t got = recvfrom(descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &from_length);
    if (got < 0) return;
    const Socket& socket = sockets_[static_cast<std::size_t>(descriptor)];
    const auto entry = bridges_.find(socket.bridge);
    const auto source = Endpoint::from_sockaddr(from);
    if (entry == bridges_.end() || !source) return;
    entry->second->bridge.on_datagram(socket.side, socket.component, *source,
                                      MutableBytes(buffer_).first(static_cast<std::size_t>(got)),
                                      monotonic_now(), outbox_);
    send(*entry->second);
  }
}

void MediaWorker::send(const Entry& entry) {
  for (const Outgoing& datagram : outbox_) {
    const int descriptor =
        entry.sockets[index_of(datagram.side)][static_cast<std::size_t>(datagram.component)];
    sockaddr_storage to{};
    const socklen_t to_length = datagram.to.to_sockaddr(to);
    // A datagram that the kernel does not take now is lost, like any other: RTCP tells the listener.
    (void)!sendto(descriptor, datagram.bytes.data(), datagram.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&to), to_length);
  }
  outbox_.clear();
}

void MediaWorker::tick() {
  const Time now = monotonic_now();
  const WallTime wall = wall_now();
  next_tick_ = now + kTick;
  for (auto& [id, entry] : bridges_) {
    entry->bridge.tick(now, wall, outbox_);
    send(*entry);
    const bool is_silent = entry->bridge.is_silent(now);
    if (is_silent && !entry->reported_silent) publish(MediaSilent{id});
    entry->reported_silent = is_silent;
  }
}

// Control must not miss the end of a bridge: its ports and its record depend on it. The inbox has room for
// the events of as many bridges as there are ports.
void MediaWorker::publish(MediaEvent event) {
  while (!events_.push(std::move(event)) && !is_stopping_) std::this_thread::yield();
}

void MediaWorker::handle(WorkerCommand&& command) {
  if (const auto* opened = std::get_if<OpenBridge>(&command)) return open(*opened);
  if (const auto* added = std::get_if<AddLeg>(&command)) return add_leg(*added);
  if (const auto* configured = std::get_if<ConfigureLeg>(&command)) return configure(*configured);
  if (const auto* started = std::get_if<StartBridge>(&command)) return start(*started);
  if (const auto* closed = std::get_if<CloseBridge>(&command)) return close(*closed);
}

void MediaWorker::open(const OpenBridge& command) {
  bridges_.emplace(command.bridge,
                   std::make_unique<Entry>(
                       Entry{.bridge = Bridge(command.media_timeout, monotonic_now(), command.seeds)}));
}

void MediaWorker::add_leg(const AddLeg& command) {
  const auto entry = bridges_.find(command.bridge);
  VAS_CHECK(entry != bridges_.end(), "control adds legs to open bridges only");
  entry->second->sockets[index_of(command.side)] = {command.rtp_socket, command.rtcp_socket};
  watch(command.rtp_socket, {command.bridge, command.side, Component::kRtp});
  watch(command.rtcp_socket, {command.bridge, command.side, Component::kRtcp});
}

void MediaWorker::configure(const ConfigureLeg& command) {
  const auto entry = bridges_.find(command.bridge);
  if (entry != bridges_.end()) entry->second->bridge.configure(command.side, command.config, monotonic_now());
}

void MediaWorker::start(const StartBridge& command) {
  const auto entry = bridges_.find(command.bridge);
  if (entry != bridges_.end()) entry->second->bridge.start(monotonic_now());
}

void MediaWorker::close(const CloseBridge& command) {
  const auto found = bridges_.find(command.bridge);
  if (found == bridges_.end()) return;
  const Entry& entry = *found->second;
  for (const auto& pair : entry.sockets) {
    for (const int descriptor : pair) unwatch(descriptor);
  }
  BridgeClosed closed{command.bridge, {entry.bridge.stats(LegSide::kA), entry.bridge.stats(LegSide::kB)}};
  bridges_.erase(found);
  publish(std::move(closed));
}

void MediaWorker::watch(int descriptor, const Socket& socket) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (sockets_.size() <= index) sockets_.resize(index + 1);
  sockets_[index] = socket;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
}

void MediaWorker::unwatch(int descriptor) {
  if (descriptor < 0) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  sockets_[static_cast<std::size_t>(descriptor)] = {};
  ::close(descriptor);
}

}  // namespace vas::bridge

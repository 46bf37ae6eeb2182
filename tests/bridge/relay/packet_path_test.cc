// The packet path takes no lock and no memory: a million packets through a real worker, counted by hooks in
// this program. Not for sanitizers, which bring hooks of their own.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "bridge/plane/media_plane.h"
#include "tests/support/rtp_builder.h"

namespace {

std::atomic<bool> is_counting{false};
std::atomic<std::uint64_t> allocations{0};
std::atomic<std::uint64_t> locks{0};
thread_local bool is_test_thread = false;  // everything else is a worker

void note(std::atomic<std::uint64_t>& counter) {
  if (is_counting.load(std::memory_order_relaxed) && !is_test_thread)
    counter.fetch_add(1, std::memory_order_relaxed);
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  note(allocations);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  note(allocations);
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  note(allocations);
  return __libc_realloc(old, bytes);
}
void free(void* memory) { __libc_free(memory); }

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* const lock = real<int(pthread_mutex_t*)>("pthread_mutex_lock");
  note(locks);
  return lock(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* mutex) {
  static auto* const lock = real<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  note(locks);
  return lock(mutex);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* mutex) {
  static auto* const lock = real<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  note(locks);
  return lock(mutex);
}
}

namespace vas::bridge {
namespace {

constexpr std::uint64_t kPackets = 1'000'000;

struct Means {
  const char* name;
  PacketIoKind io;
};

class PacketPathTest : public testing::TestWithParam<Means> {};

int bound_socket(Endpoint& local) {
  const int made = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_storage address{};
  socklen_t length = Endpoint::parse("127.0.0.1:0")->to_sockaddr(address);
  EXPECT_EQ(bind(made, reinterpret_cast<sockaddr*>(&address), length), 0);
  getsockname(made, reinterpret_cast<sockaddr*>(&address), &length);
  local = *Endpoint::from_sockaddr(address);
  return made;
}

TEST_P(PacketPathTest, AMillionPacketsTakeNoMemoryAndNoLock) {
  is_test_thread = true;
  auto opened = MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                  .advertised_ipv4 = {},
                                  .bind_ipv6 = {},
                                  .first_port = 19300,
                                  .last_port = 19339,
                                  .leg_packets_per_second = 1'000'000,
                                  .io = GetParam().io});
  if (!opened) GTEST_SKIP() << opened.error();
  MediaPlane& plane = **opened;
  std::array<Endpoint, 2> ends;
  const std::array<int, 2> sockets{bound_socket(ends[0]), bound_socket(ends[1])};
  const BridgeId bridge = plane.open_bridge();
  const auto a = plane.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  const auto b = plane.open_leg(bridge, LegSide::kB, AddressFamily::kIpv4);
  ASSERT_TRUE(a && b);
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    ASSERT_TRUE(plane.configure_leg(
        bridge, side,
        {.far_rtp = ends[index_of(side)], .far_rtcp = {}, .formats = {{{0}, media::Codec::kPcmu, 8000}}}));
  }
  plane.start(bridge);
  sockaddr_storage target{};
  const socklen_t length = a->to_sockaddr(target);
  auto packet = media::build_rtp({});
  const auto send_some = [&](std::uint32_t from, std::uint32_t count) {
    for (std::uint32_t i = from; i < from + count; ++i) {
      media::rewrite_header(packet, {false, {0}, {static_cast<std::uint16_t>(i)}, {i * 160}, {7}});
      (void)!sendto(sockets[0], packet.data(), packet.size(), MSG_DONTWAIT,
                    reinterpret_cast<sockaddr*>(&target), length);
    }
  };
  send_some(0, 1000);  // what is made once is made now
  usleep(300'000);

  is_counting = true;
  const std::uint64_t before = plane.figures().user_packets;
  std::uint32_t next = 1000;
  for (int rounds = 0; plane.figures().user_packets - before < kPackets && rounds < 2'000'000; ++rounds) {
    send_some(next, 8);
    next += 8;
    if (rounds % 4 == 0) usleep(1);  // so that the worker is not drowned all the time
  }
  is_counting = false;
  EXPECT_GE(plane.figures().user_packets - before, kPackets);
  EXPECT_EQ(allocations.load(), 0u);
  EXPECT_EQ(locks.load(), 0u);
  for (const int each : sockets) close(each);
}

INSTANTIATE_TEST_SUITE_P(ByMeans, PacketPathTest,
                         testing::Values(Means{"Epoll", PacketIoKind::kEpoll},
                                         Means{"Uring", PacketIoKind::kUring}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace vas::bridge

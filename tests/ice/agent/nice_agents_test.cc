#include "ice/agent/nice_agents.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/support/udp_socket.h"

namespace vas::ice {
namespace {

using std::chrono::seconds;

// One side: its agents, and what they say.
class Side {
 public:
  explicit Side(AgentsConfig config = {.addresses = {*IpAddress::parse("127.0.0.1")}})
      : agents(std::move(config), [this](AgentEvent&& event) {
          const std::lock_guard lock(mutex_);
          events_.push_back(std::move(event));
          changed_.notify_all();
        }) {}

  // The next event if it is of that kind, and comes within 10 s.
  template <typename Event>
  std::optional<Event> next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, seconds(10), [&] { return !events_.empty(); })) return {};
    AgentEvent event = std::move(events_.front());
    events_.pop_front();
    auto* const wanted = std::get_if<Event>(&event);
    return wanted != nullptr ? std::optional(std::move(*wanted)) : std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AgentEvent> events_;

 public:
  NiceAgents agents;  // stops before what it speaks to ends
};

void send(const PathFound& path, std::string_view text) {
  sockaddr_storage to{};
  const socklen_t length = path.to.to_sockaddr(to);
  ASSERT_EQ(sendto(path.socket, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), length),
            static_cast<ssize_t>(text.size()));
}

// The first datagram that is no STUN.
std::string receive(const PathFound& path) {
  std::array<char, 2048> bytes{};
  pollfd waiting{path.socket, POLLIN, 0};
  while (poll(&waiting, 1, 5000) == 1) {
    const ssize_t got = recv(path.socket, bytes.data(), bytes.size(), 0);
    if (got > 0 && bytes[0] >= ' ') return {bytes.data(), static_cast<std::size_t>(got)};
  }
  return "";
}

constexpr AgentId kAgent{7};

TEST(NiceAgentsTest, TwoFindEachOtherAndHandTheirSocketsOver) {
  Side one, two;
  const IceCredentials mine = random_credentials(), theirs = random_credentials();
  one.agents.gather(kAgent, mine, IceRole::kControlling);
  two.agents.gather(kAgent, theirs, IceRole::kControlled);
  const auto my_candidates = one.next<Gathered>(), their_candidates = two.next<Gathered>();
  ASSERT_TRUE(my_candidates && their_candidates);
  ASSERT_EQ(my_candidates->candidates.size(), 1u);
  EXPECT_EQ(my_candidates->candidates[0].type, CandidateType::kHost);
  one.agents.check(kAgent, theirs, their_candidates->candidates);
  two.agents.check(kAgent, mine, my_candidates->candidates);

  const auto my_path = one.next<PathFound>(), their_path = two.next<PathFound>();
  ASSERT_TRUE(my_path && their_path);
  EXPECT_FALSE(my_path->is_pipe);
  EXPECT_EQ(my_path->local, my_candidates->candidates[0].address);
  EXPECT_EQ(my_path->peer, their_path->local);
  one.agents.close(kAgent);
  two.agents.close(kAgent);
  send(*my_path, "hello");
  EXPECT_EQ(receive(*their_path), "hello");
  send(*their_path, "and back");
  EXPECT_EQ(receive(*my_path), "and back");
  close(my_path->socket);
  close(their_path->socket);
}

TEST(NiceAgentsTest, WhoeverKnowsNoIceGetsThePlainSocket) {
  Side side;
  side.agents.gather(kAgent, random_credentials(), IceRole::kControlling);
  const auto gathered = side.next<Gathered>();
  ASSERT_TRUE(gathered && gathered->candidates.size() == 1);
  side.agents.adopt_plain(kAgent, AddressFamily::kIpv4);
  const auto path = side.next<PathFound>();
  ASSERT_TRUE(path);
  EXPECT_EQ(path->local, gathered->candidates[0].address);
  EXPECT_FALSE(path->to.is_set());
  close(path->socket);
}

TEST(NiceAgentsTest, ASilentStunServerHoldsNobodyUp) {
  const UdpSocket silent("127.0.0.1:0");
  Side side({.addresses = {*IpAddress::parse("127.0.0.1")}, .stun = silent.local()});
  const auto began = std::chrono::steady_clock::now();
  side.agents.gather(kAgent, random_credentials(), IceRole::kControlled);
  const auto gathered = side.next<Gathered>();
  ASSERT_TRUE(gathered);
  EXPECT_EQ(gathered->candidates.size(), 1u) << "its host candidate at least";
  EXPECT_LT(std::chrono::steady_clock::now() - began, NiceAgents::kLongestGathering + seconds(2));
}

TEST(NiceAgentsTest, AnAddressThatIsNotOursGathersNothing) {
  Side side({.addresses = {*IpAddress::parse("192.0.2.77")}});
  side.agents.gather(kAgent, random_credentials(), IceRole::kControlled);
  const auto gathered = side.next<Gathered>();
  ASSERT_TRUE(gathered);
  EXPECT_TRUE(gathered->candidates.empty());
}

TEST(NiceAgentsTest, APeerThatNeverAnswersIsLost) {
  const UdpSocket silent("127.0.0.1:0");
  Side side;
  const IceCredentials mine = random_credentials();
  side.agents.gather(kAgent, mine, IceRole::kControlling);
  ASSERT_TRUE(side.next<Gathered>());
  side.agents.check(kAgent, random_credentials(), {{.address = silent.local()}});
  EXPECT_TRUE(side.next<PathLost>());
}

TEST(NiceAgentsTest, ClosingWhatIsNotThereOrTwiceChangesNothing) {
  Side side;
  side.agents.close(kAgent);
  side.agents.gather(kAgent, random_credentials(), IceRole::kControlling);
  side.agents.close(kAgent);
  side.agents.close(kAgent);
  side.agents.adopt_plain(kAgent, AddressFamily::kIpv4);
  side.agents.gather({8}, random_credentials(), IceRole::kControlling);
  std::optional<Gathered> gathered;
  while ((gathered = side.next<Gathered>()) && gathered->agent != AgentId{8}) {
  }
  EXPECT_TRUE(gathered);
}

}  // namespace
}  // namespace vas::ice

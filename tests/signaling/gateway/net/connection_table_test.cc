#include "signaling/gateway/net/connection_table.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;

class Owner final : public ConnectionOwner {
 public:
  explicit Owner(ConnectionTable& table) : table_(table) {}
  bool has_room(Connection&) override { return true; }
  void on_message(std::string, Connection&) override {}
  void on_closed(Connection& connection) override { table_.remove(connection); }

 private:
  ConnectionTable& table_;
};

// A WebSocket whose upgrade is done, or a TCP connection that was accepted.
class SilentConnection final : public Connection {
 public:
  SilentConnection(ConnectionOwner& owner, const Flow& flow, bool is_page) : Connection(owner, flow) {
    if (is_page) let_wait();
    on_ready();
  }
  void serve() override {}
  void dial() override {}
  void go_on() override {}
  using Connection::on_end_of_input;
  void says_something_sensible() {
    deliver("OPTIONS");
    on_handled(true);
  }

 private:
  void write(const std::string&) override {}
  void shut() override {}
};

class ConnectionTableTest : public testing::Test {
 protected:
  std::shared_ptr<SilentConnection> open(bool is_page, Time opened) {
    const Endpoint peer{*IpAddress::parse("192.0.2.1"), static_cast<std::uint16_t>(table_.size() + 1)};
    const Flow flow{is_page ? Transport::kWss : Transport::kTcp, peer, table_.next_id()};
    auto connection = std::make_shared<SilentConnection>(owner_, flow, is_page);
    connection->begin(opened);
    table_.add(connection);
    return connection;
  }

  ConnectionTable table_{8192, 8192};
  Owner owner_{table_};
  const Time start_ = monotonic_now();  // when they were heard last
};

TEST_F(ConnectionTableTest, APageMayWaitInSilenceAndNobodyElse) {
  const auto page = open(true, start_);
  const auto other = open(false, start_);
  EXPECT_FALSE(page->is_overdue(start_ + 60s));
  EXPECT_TRUE(other->is_overdue(start_ + 9s));
}

TEST_F(ConnectionTableTest, OfTooManySilentPagesThoseThatWereOpenedFirstMakeRoom) {
  std::vector<std::shared_ptr<SilentConnection>> pages;
  for (std::size_t i = 0; i < ConnectionTable::kMaxSilentPages + 3; ++i)
    pages.push_back(open(true, start_ + std::chrono::milliseconds(i)));
  pages[1]->says_something_sensible();
  table_.close_overdue(start_ + 10s);
  EXPECT_TRUE(pages[0]->is_closed());
  EXPECT_FALSE(pages[1]->is_closed());
  EXPECT_TRUE(pages[2]->is_closed());
  EXPECT_FALSE(pages[3]->is_closed());
  EXPECT_EQ(table_.size(), ConnectionTable::kMaxSilentPages + 1);
}

TEST_F(ConnectionTableTest, WhoSaysNoMoreIsKeptForItsAnswersAWhileIfItEverSaidAnything) {
  const auto asker = open(false, start_);
  asker->says_something_sensible();
  asker->on_end_of_input();
  EXPECT_TRUE(asker->is_half_closed());
  EXPECT_FALSE(asker->is_closed());
  const auto mute = open(false, start_);
  mute->on_end_of_input();
  EXPECT_TRUE(mute->is_closed());
}

}  // namespace
}  // namespace vas::signaling

// Connections on their own thread, and the gateway's: what passes between them, over real sockets.
#include "signaling/gateway/net/transports.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "signaling/gateway/net/connection.h"

namespace vas::signaling {
namespace {

constexpr int kPatienceMs = 20'000;

// The peer's end. What is sent without reading fills the sockets' buffers and then blocks.
class Peer {
 public:
  explicit Peer(const Endpoint& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage address{};
    const socklen_t length = server.to_sockaddr(address);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  ~Peer() { close(socket_); }
  void send(std::string_view text) { (void)!::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  void say_no_more() { shutdown(socket_, SHUT_WR); }
  // Empty when it was closed.
  std::string read(std::size_t bytes) {
    std::string read;
    while (read.size() < bytes) {
      pollfd each{socket_, POLLIN, 0};
      char buffer[4096];
      if (poll(&each, 1, kPatienceMs) != 1) return "silence";
      const ssize_t count = recv(socket_, buffer, std::min(sizeof buffer, bytes - read.size()), 0);
      if (count <= 0) return {};
      read.append(buffer, static_cast<std::size_t>(count));
    }
    return read;
  }

 private:
  const int socket_;
};

std::string message(int number) {
  return "OPTIONS sip:" + std::to_string(1000 + number) + " SIP/2.0\r\nContent-Length: 0\r\n\r\n";
}

// Answers each message with its first line.
class Receiver : public TransportsReceiver {
 public:
  bool on_message(std::string_view text, const Flow& source) override {
    ++messages;
    if (text.starts_with("BAD")) return false;
    transports->send(source, std::string(text.substr(0, text.find(' ', 8))));
    return true;
  }
  Welcome welcome(const IpAddress&) override { return is_banned ? Welcome::kNone : Welcome::kStranger; }
  void on_unsent(std::string_view, const Flow&) override { ++unsent; }
  void on_undelivered(std::string_view text) override { undelivered = text; }

  Transports* transports = nullptr;
  std::atomic<int> messages{0}, unsent{0};
  std::string undelivered;  // on_gateway() alone
  std::atomic<bool> is_banned{false};
};

class TransportsTest : public testing::Test {
 protected:
  TransportsTest() {
    receiver_.transports = &transports_;
    EXPECT_TRUE(transports_.bind());
    transports_.start();
    thread_ = std::thread([this] { context_.run(); });
    for (const Listener& each : transports_.listeners().all())
      if (each.transport == Transport::kTcp) server_ = each.local;
  }
  ~TransportsTest() override {
    context_.stop();
    thread_.join();
    transports_.stop();
  }
  void on_gateway(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  template <typename Condition>
  static bool comes_true(Condition condition) {
    for (int i = 0; i < kPatienceMs / 5 && !condition(); ++i) usleep(5000);
    return condition();
  }

  Receiver receiver_;
  boost::asio::io_context context_{1};
  Transports transports_{context_, {.sip = {*Endpoint::parse("127.0.0.1:0")}}, receiver_};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_;
  Endpoint server_;
};

TEST_F(TransportsTest, AnswersComeBackByTheirConnectionInOrder) {
  Peer a(server_), z(server_);
  for (int i = 0; i < 500; ++i) {
    a.send(message(i));
    z.send(message(500 + i));
  }
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(a.read(16), message(i).substr(0, 16));
    ASSERT_EQ(z.read(16), message(500 + i).substr(0, 16));
  }
}

TEST_F(TransportsTest, WhoHasClosedItsHalfIsAnswered) {
  Peer peer(server_);
  peer.send("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");  // what comes back is a response too
  peer.say_no_more();
  EXPECT_EQ(peer.read(11), "SIP/2.0 200");
}

// A carrier's listener, whose connections come and go.
class Carrier {
 public:
  Carrier() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage address{};
    socklen_t length = Endpoint::parse("127.0.0.1:0")->to_sockaddr(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(socket_, 8), 0);
    length = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    at = *Endpoint::from_sockaddr(address);
  }
  ~Carrier() { close(socket_); }
  // What one connection brings first; it is closed then, or kept.
  std::string take(bool keeps) {
    pollfd each{socket_, POLLIN, 0};
    if (poll(&each, 1, kPatienceMs) != 1) return "nobody came";
    const int connection = accept(socket_, nullptr, nullptr);
    char buffer[100];
    const ssize_t count = recv(connection, buffer, sizeof buffer, 0);
    if (!keeps) close(connection);
    return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
  }
  bool is_asked() const {
    pollfd each{socket_, POLLIN, 0};
    return poll(&each, 1, 20) == 1;
  }
  Endpoint at;

 private:
  const int socket_;
};

TEST_F(TransportsTest, AMessageGoesOnceByAConnectionThatStandsAndAnewWhenThatIsGone) {
  Carrier carrier;
  const Flow flow{Transport::kTcp, carrier.at, 0};
  const auto send = [&] {
    on_gateway([&] { transports_.send(flow, "BYE sip:x SIP/2.0", {.is_repeated = false}); });
  };
  send();
  EXPECT_EQ(carrier.take(false), "BYE sip:x SIP/2.0");
  EXPECT_TRUE(comes_true([&] {
    send();  // as the stack repeats it; the first time the end of the connection may not have been seen yet
    return carrier.is_asked();
  }));
  EXPECT_EQ(carrier.take(true), "BYE sip:x SIP/2.0");
  send();
  EXPECT_FALSE(carrier.is_asked());
  EXPECT_EQ(receiver_.unsent, 0);
}

TEST_F(TransportsTest, AConnectionIsItsNumberAndItsPeer) {
  Peer peer(server_);
  peer.send(message(1));
  peer.read(16);
  on_gateway([&] {  // of another process, whose first connection was another peer's
    transports_.send({Transport::kTcp, *Endpoint::parse("192.0.2.1:5060"), 1}, "BYE sip:x SIP/2.0");
  });
  EXPECT_TRUE(comes_true([&] { return receiver_.unsent == 1; }));
}

// Nobody listens: the kernel's ICMP error quotes what was sent.
TEST_F(TransportsTest, ADatagramThatDoesNotArriveIsToldOf) {
  Endpoint nobody;
  {
    Carrier passing;
    nobody = passing.at;
  }
  on_gateway([&] { transports_.send({Transport::kUdp, nobody, 0}, "INVITE sip:x SIP/2.0"); });
  EXPECT_TRUE(comes_true([&] {
    std::string told;
    on_gateway([&] { told = receiver_.undelivered; });
    return told == "INVITE sip:x SIP/2.0";
  }));
  on_gateway([&] {
    transports_.send({Transport::kUdp, server_, 0}, "BAD after it");
  });  // the socket lives on
  EXPECT_TRUE(comes_true([&] { return receiver_.messages == 1; }));
}

TEST_F(TransportsTest, WhileTheGatewayIsBusyAConnectionIsReadNoFurtherAndNothingIsLost) {
  Peer loud(server_), quiet(server_);
  std::promise<void> release;
  std::atomic<bool> is_held = false;
  boost::asio::post(context_, [&] {
    is_held = true;
    release.get_future().wait();
  });
  ASSERT_TRUE(comes_true([&] { return is_held.load(); }));
  constexpr int kMany = 3000;
  for (int i = 0; i < kMany; ++i) loud.send(message(i % 1000));
  quiet.send(message(7));
  usleep(20'000);
  EXPECT_EQ(receiver_.messages, 0);
  release.set_value();
  EXPECT_EQ(quiet.read(16), message(7).substr(0, 16));
  for (int i = 0; i < kMany; ++i) ASSERT_EQ(loud.read(16), message(i % 1000).substr(0, 16)) << i;
}

TEST_F(TransportsTest, WhoIsNotWelcomeIsClosed) {
  receiver_.is_banned = true;
  Peer banned(server_);
  banned.send(message(1));
  EXPECT_EQ(banned.read(1), "");
  EXPECT_EQ(receiver_.messages, 0);
}

TEST_F(TransportsTest, DroppingAnAddressClosesWhatHasNotProvedItself) {
  Peer proved(server_), other(server_);
  proved.send(message(1));
  EXPECT_EQ(proved.read(16).size(), 16u);
  other.send("BAD sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return receiver_.messages == 2; }));
  on_gateway([&] { transports_.drop(*IpAddress::parse("127.0.0.1")); });
  EXPECT_EQ(other.read(1), "");
  proved.send(message(2));
  EXPECT_EQ(proved.read(16), message(2).substr(0, 16));
}

TEST_F(TransportsTest, WhatFindsNoConnectionIsToldAndWhatFindsNoRoomToo) {
  const Flow gone{Transport::kTcp, *Endpoint::parse("127.0.0.1:9"), 4711};
  on_gateway([&] { transports_.send(gone, message(1)); });
  EXPECT_TRUE(comes_true([&] { return receiver_.unsent == 1; }));
  // More than the queue has room for, in one go: the rest is told at once, or when it found no connection.
  on_gateway([&] {
    for (std::size_t i = 0; i < 3 * kMaxSendsWaiting; ++i) transports_.send(gone, message(1));
  });
  EXPECT_TRUE(comes_true([&] { return receiver_.unsent > 100; }));
  Peer peer(server_);
  peer.send(message(3));
  EXPECT_EQ(peer.read(16), message(3).substr(0, 16));
}

}  // namespace
}  // namespace vas::signaling

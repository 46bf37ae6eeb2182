// The reading end of an Inbox in a loop of Asio's.
#pragma once

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>

#include "base/inbox.h"
#include "base/thread_check.h"

namespace vas::signaling {

// Threads: the loop's; start() before that runs too. Lifetime: `inbox` outlives it.
// Bounds:  kEachTurn messages, then sockets have their turn.
template <typename Message>
class InboxReader {
 public:
  // As many as a UDP socket has in its turn (datagram_reader.h): neither way starves the other.
  static constexpr std::size_t kEachTurn = 32;

  InboxReader(boost::asio::io_context& context, Inbox<Message>& inbox)
      : inbox_(inbox), readable_(context, dup(inbox.descriptor())) {}

  // `after_each_turn`: whether all that had come was read.
  void start(std::function<void(Message&&)> receive, std::function<void(bool is_empty)> after_each_turn) {
    receive_ = std::move(receive);
    after_each_turn_ = std::move(after_each_turn);
    await();
  }

 private:
  void await() {
    readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](boost::system::error_code failure) {
                           if (failure) return;
                           thread_check_.check();
                           const std::size_t taken = inbox_.drain(receive_, kEachTurn);
                           after_each_turn_(taken < kEachTurn);
                           await();
                         });
  }

  Inbox<Message>& inbox_;
  boost::asio::posix::stream_descriptor readable_;
  std::function<void(Message&&)> receive_;
  std::function<void(bool)> after_each_turn_;
  ThreadCheck thread_check_{"InboxReader"};
};

}  // namespace vas::signaling

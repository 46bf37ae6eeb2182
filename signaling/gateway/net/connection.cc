#include "signaling/gateway/net/connection.h"

#include <netinet/tcp.h>

#include <boost/asio/detail/socket_option.hpp>
#include <utility>

#include "base/clock.h"

namespace vas::signaling {

Connection::Connection(ConnectionOwner& owner, const Flow& flow)
    : owner_(owner), flow_(flow), opened_(monotonic_now()), last_heard_(opened_) {}

void Connection::send(std::string text) {
  thread_check_.check();
  if (is_closed_) return;
  queued_bytes_ += text.size();
  if (queued_bytes_ > kMaxQueuedBytes) return close();
  queue_.push_back(std::move(text));
  write_next();
}

void Connection::write_next() {
  if (!is_ready_ || is_writing_ || is_closed_ || queue_.empty()) return;
  is_writing_ = true;
  write(queue_.front());
}

void Connection::on_written() {
  is_writing_ = false;
  if (is_closed_) return;
  queued_bytes_ -= queue_.front().size();
  queue_.pop_front();
  close_if_finished();
  write_next();
}

void Connection::on_ready() {
  is_ready_ = true;
  heard();
  write_next();
}

// Who is gone without a word is found out by what is sent: SIP's repeats then take another way.
void Connection::prepare(boost::asio::ip::tcp::socket::lowest_layer_type& socket) {
  using UserTimeout = boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
  constexpr auto kTimeout = std::chrono::duration_cast<std::chrono::milliseconds>(kUnacknowledged);
  boost::system::error_code ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(UserTimeout(static_cast<int>(kTimeout.count())), ignored);
}

void Connection::on_end_of_input() {
  if (waiting_ == 0 && !is_proved_) return close();
  half_closed_since_ = monotonic_now();
}

void Connection::close() {
  thread_check_.check();
  if (std::exchange(is_closed_, true)) return;
  const auto self = shared_from_this();  // the owner may let go of it
  shut();
  owner_.on_closed(*this);
}

void Connection::heard() { last_heard_ = monotonic_now(); }

void Connection::mark_partial(bool is_partial) {
  if (!is_partial) {
    partial_since_ = kNever;
  } else if (partial_since_ == kNever) {
    partial_since_ = last_heard_;
  }
}

void Connection::deliver(std::string text) {
  thread_check_.check();
  partial_since_ = kNever;
  ++waiting_;
  owner_.on_message(std::move(text), *this);
}

void Connection::on_handled(bool is_good) {
  thread_check_.check();
  --waiting_;
  if (is_good) is_proved_ = true;
  close_if_finished();
}

void Connection::finish() {
  is_finishing_ = true;
  close_if_finished();
}

void Connection::close_if_finished() {
  if (is_finishing_ && waiting_ == 0 && queue_.empty()) close();
}

bool Connection::is_overdue(Time now) const {
  if (!(is_ready_ && (is_proved_ || may_wait_)) && now - opened_ > kHeaderDeadline) return true;
  if (half_closed_since_ != kNever && now - half_closed_since_ > kHalfClosedDeadline) return true;
  if (partial_since_ != kNever && now - partial_since_ > kHeaderDeadline) return true;
  return now - last_heard_ > kIdleDeadline;
}

}  // namespace vas::signaling

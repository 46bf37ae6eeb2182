#include "signaling/gateway/net/newcomer.h"

namespace vas::signaling {

using boost::asio::ip::tcp;
using boost::system::error_code;

void Newcomer::serve() {
  socket_.async_wait(tcp::socket::wait_read, [this, self = shared_from_this()](error_code failure) {
    if (is_closed()) return;
    if (failure) return close();
    on_first_byte_(*this);
  });
}

unsigned char Newcomer::first_byte() {
  unsigned char byte = 0;
  error_code failure;
  socket_.non_blocking(true, failure);
  socket_.receive(boost::asio::buffer(&byte, 1), tcp::socket::message_peek, failure);
  return failure ? 0 : byte;
}

void Newcomer::shut() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace vas::signaling

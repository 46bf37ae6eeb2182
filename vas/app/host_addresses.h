// Asks the kernel which addresses are this host's, and hears when they change. (rtnetlink)
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "base/own_addresses.h"
#include "base/result.h"
#include "base/thread_check.h"

struct mnl_socket;

namespace vas::app {

// What the kernel's local table says: an interface's addresses, whole blocks that are routed to this host
// (loopback's, and such as `ip route add local` makes), and the broadcast addresses of its networks.
//
// Threads: control only; `told` may be asked from any.
class HostAddresses {
 public:
  // `told` knows them when it returns, and follows. Fails where the kernel does not reply.
  static Result<std::unique_ptr<HostAddresses>> open(boost::asio::io_context& context,
                                                     std::shared_ptr<OwnAddresses> told);
  ~HostAddresses();
  HostAddresses(const HostAddresses&) = delete;
  HostAddresses& operator=(const HostAddresses&) = delete;

 private:
  HostAddresses(boost::asio::io_context& context, std::shared_ptr<OwnAddresses> told, mnl_socket* questions,
                mnl_socket* events);
  bool read();
  bool read_family(unsigned char family, OwnAddresses::Lists& lists);
  void wait();
  void read_after(std::chrono::milliseconds delay);

  const std::shared_ptr<OwnAddresses> told_;
  mnl_socket* const questions_;
  mnl_socket* const events_;
  boost::asio::posix::stream_descriptor readable_;
  boost::asio::steady_timer timer_;
  unsigned sequence_ = 0;
  ThreadCheck thread_check_{"HostAddresses"};
};

}  // namespace vas::app

#include "vas/app/host_addresses.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "bridge/kernel/netlink_socket.h"

namespace vas::app {
namespace {

using Buffer = std::array<char, 32768>;

// Addresses are told of before they are in the table: so they are read a little later, and now and then
// anyway, for routes made by hand are not told of.
constexpr auto kSoon = std::chrono::milliseconds(20);
constexpr auto kAnyway = std::chrono::seconds(5);

struct RouteAttributes {
  const nlattr* destination = nullptr;
  std::uint32_t table = 0;
};

int collect_attribute(const nlattr* attribute, void* found) {
  auto& attributes = *static_cast<RouteAttributes*>(found);
  if (mnl_attr_get_type(attribute) == RTA_DST) attributes.destination = attribute;
  if (mnl_attr_get_type(attribute) == RTA_TABLE) attributes.table = mnl_attr_get_u32(attribute);
  return MNL_CB_OK;
}

int collect_route(const nlmsghdr* message, void* lists_to_fill) {
  auto& lists = *static_cast<OwnAddresses::Lists*>(lists_to_fill);
  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  RouteAttributes attributes{.table = route->rtm_table};
  mnl_attr_parse(message, sizeof *route, collect_attribute, &attributes);
  if (attributes.table != RT_TABLE_LOCAL) return MNL_CB_OK;

  Network network{.prefix_bits = route->rtm_dst_len};
  const std::size_t bytes = route->rtm_family == AF_INET ? 4 : 16;
  network.address.family = bytes == 4 ? AddressFamily::kIpv4 : AddressFamily::kIpv6;
  if (attributes.destination != nullptr && mnl_attr_get_payload_len(attributes.destination) == bytes)
    std::memcpy(network.address.bytes.data(), mnl_attr_get_payload(attributes.destination), bytes);
  switch (route->rtm_type) {
    case RTN_LOCAL:
    case RTN_ANYCAST: lists.local.push_back(network); break;
    case RTN_BROADCAST: lists.groups.push_back(network); break;
    default: break;
  }
  return MNL_CB_OK;
}

}  // namespace

Result<std::unique_ptr<HostAddresses>> HostAddresses::open(boost::asio::io_context& context,
                                                           std::shared_ptr<OwnAddresses> told) {
  mnl_socket* questions = bridge::open_netlink(0);
  mnl_socket* events =
      questions != nullptr ? bridge::open_netlink(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR) : nullptr;
  const std::string reason = std::strerror(errno);
  if (events == nullptr) {
    if (questions != nullptr) mnl_socket_close(questions);
    return Error{"cannot ask the kernel for this host's addresses: no netlink socket: " + reason};
  }
  const int yes = 1;  // where the kernel is too old for it, more is told than is asked for
  mnl_socket_setsockopt(questions, NETLINK_GET_STRICT_CHK, const_cast<int*>(&yes), sizeof yes);
  std::unique_ptr<HostAddresses> addresses(new HostAddresses(context, std::move(told), questions, events));
  if (!addresses->read())
    return Error{std::string("cannot ask the kernel for this host's addresses: ") + std::strerror(errno)};
  addresses->wait();
  addresses->read_after(kAnyway);
  return addresses;
}

HostAddresses::HostAddresses(boost::asio::io_context& context, std::shared_ptr<OwnAddresses> told,
                             mnl_socket* questions, mnl_socket* events)
    : told_(std::move(told)),
      questions_(questions),
      events_(events),
      readable_(context, mnl_socket_get_fd(events)),
      timer_(context) {}

HostAddresses::~HostAddresses() {
  readable_.release();
  mnl_socket_close(events_);
  mnl_socket_close(questions_);
}

bool HostAddresses::read() {
  thread_check_.check();
  OwnAddresses::Lists lists;
  if (!read_family(AF_INET, lists)) return false;
  (void)read_family(AF_INET6, lists);  // a host without IPv6 has none
  told_->set(std::move(lists));
  return true;
}

bool HostAddresses::read_family(unsigned char family, OwnAddresses::Lists& lists) {
  Buffer buffer{};
  // A reply that was interrupted by a change is read to its end, or the next question finds it.
  while (recv(mnl_socket_get_fd(questions_), buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0) {
  }
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETROUTE;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = ++sequence_;
  auto* asked = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  asked->rtm_family = family;
  asked->rtm_table = RT_TABLE_LOCAL;
  if (mnl_socket_sendto(questions_, request, request->nlmsg_len) < 0) return false;
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t got = mnl_socket_recvfrom(questions_, buffer.data(), buffer.size());
    if (got < 0) return false;
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), sequence_,
                      mnl_socket_get_portid(questions_), collect_route, &lists);
    if (more < 0) return false;
  }
  return true;
}

void HostAddresses::wait() {
  readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](boost::system::error_code failure) {
                         if (failure) return;
                         Buffer buffer;
                         // An overrun (ENOBUFS) means that something changed, too.
                         while (mnl_socket_recvfrom(events_, buffer.data(), buffer.size()) >= 0 ||
                                errno == ENOBUFS || errno == ENOSPC) {
                         }
                         read_after(kSoon);
                         wait();
                       });
}

void HostAddresses::read_after(std::chrono::milliseconds delay) {
  timer_.expires_after(delay);
  timer_.async_wait([this](boost::system::error_code failure) {
    if (failure) return;
    if (!read()) log::warn("", "the kernel does not tell this host's addresses: {}", std::strerror(errno));
    read_after(kAnyway);
  });
}

}  // namespace vas::app

#include "bridge/kernel/next_hop_keeper.h"

#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/capabilities.h"
#include "base/clock.h"
#include "bridge/kernel/netlink_socket.h"

namespace vas::bridge {
namespace {

// States of a neighbour's entry whose address may be sent to (rtnetlink(7)); a stale one is, while the kernel
// asks again.
constexpr std::uint16_t kUsableNeighbour =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
// And those of which the kernel has just made sure, or is about to.
constexpr std::uint16_t kFreshNeighbour = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_DELAY;
// Of an Ethernet address.
constexpr std::size_t kMacBytes = 6;

using Buffer = std::array<char, 8192>;

std::uint8_t netlink_family(const IpAddress& address) {
  return address.family == AddressFamily::kIpv4 ? AF_INET : AF_INET6;
}
std::size_t bytes_of(const IpAddress& address) { return address.family == AddressFamily::kIpv4 ? 4 : 16; }

// Sends the request that stands in `buffer` and leaves its reply there. Nothing if the kernel refuses it.
const nlmsghdr* ask_kernel(mnl_socket* socket, nlmsghdr* request, Buffer& buffer) {
  const unsigned sequence = request->nlmsg_seq;
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) return nullptr;
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return nullptr;
    const auto* reply = reinterpret_cast<const nlmsghdr*>(buffer.data());
    if (!mnl_nlmsg_ok(reply, static_cast<int>(got)) || reply->nlmsg_seq != sequence) continue;  // of before
    return reply->nlmsg_type == NLMSG_ERROR ? nullptr : reply;
  }
}

template <typename Header>
Header* begin_request(Buffer& buffer, std::uint16_t type, std::uint16_t flags, unsigned sequence) {
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = flags;
  request->nlmsg_seq = sequence;
  return static_cast<Header*>(mnl_nlmsg_put_extra_header(request, sizeof(Header)));
}

nlmsghdr* request_in(Buffer& buffer) { return reinterpret_cast<nlmsghdr*>(buffer.data()); }

const nlattr* attribute_of(const nlmsghdr* message, std::size_t header_bytes, std::uint16_t type) {
  struct Search {
    std::uint16_t type;
    const nlattr* found;
  } search{type, nullptr};
  const auto compare = [](const nlattr* attribute, void* context) {
    auto* wanted = static_cast<Search*>(context);
    if (mnl_attr_get_type(attribute) != wanted->type) return MNL_CB_OK;
    wanted->found = attribute;
    return MNL_CB_STOP;
  };
  mnl_attr_parse(message, static_cast<unsigned>(header_bytes), compare, &search);
  return search.found;
}

struct Hop {
  NextHop::Kind kind = NextHop::Kind::kNone;
  std::uint32_t ifindex = 0;
  IpAddress neighbour;
  IpAddress source;
};

Hop ask_next_hop(mnl_socket* socket, unsigned sequence, const IpAddress& to) {
  Buffer buffer{};
  auto* header = begin_request<rtmsg>(buffer, RTM_GETROUTE, NLM_F_REQUEST, sequence);
  header->rtm_family = netlink_family(to);
  header->rtm_dst_len = static_cast<unsigned char>(8 * bytes_of(to));
  mnl_attr_put(request_in(buffer), RTA_DST, bytes_of(to), to.bytes.data());
  const nlmsghdr* reply = ask_kernel(socket, request_in(buffer), buffer);
  if (reply == nullptr || reply->nlmsg_type != RTM_NEWROUTE) return {};

  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(reply));
  const nlattr* oif = attribute_of(reply, sizeof *route, RTA_OIF);
  if (oif == nullptr) return {};
  Hop hop{.ifindex = mnl_attr_get_u32(oif), .neighbour = to};
  if (route->rtm_type == RTN_LOCAL) hop.kind = NextHop::Kind::kLocal;
  if (route->rtm_type == RTN_UNICAST) hop.kind = NextHop::Kind::kEthernet;
  if (const nlattr* source = attribute_of(reply, sizeof *route, RTA_PREFSRC)) {
    hop.source.family = to.family;
    if (mnl_attr_get_payload_len(source) == bytes_of(to))
      std::memcpy(hop.source.bytes.data(), mnl_attr_get_payload(source), bytes_of(to));
  }
  // A gateway of the other family (RTA_VIA) is left to bpf_redirect_neigh.
  if (const nlattr* gateway = attribute_of(reply, sizeof *route, RTA_GATEWAY)) {
    if (mnl_attr_get_payload_len(gateway) == bytes_of(to))
      std::memcpy(hop.neighbour.bytes.data(), mnl_attr_get_payload(gateway), bytes_of(to));
  }
  return hop;
}

std::uint64_t mac_of(const nlattr* attribute) {
  std::uint64_t mac = 0;
  if (attribute != nullptr && mnl_attr_get_payload_len(attribute) == kMacBytes)
    std::memcpy(&mac, mnl_attr_get_payload(attribute), kMacBytes);
  return mac;
}

// The interface's own address; nothing if it is not Ethernet.
std::optional<std::uint64_t> ask_own_mac(mnl_socket* socket, unsigned sequence, std::uint32_t ifindex) {
  Buffer buffer{};
  auto* header = begin_request<ifinfomsg>(buffer, RTM_GETLINK, NLM_F_REQUEST, sequence);
  header->ifi_index = static_cast<int>(ifindex);
  const nlmsghdr* reply = ask_kernel(socket, request_in(buffer), buffer);
  if (reply == nullptr || reply->nlmsg_type != RTM_NEWLINK) return {};
  const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(reply));
  if (link->ifi_type != ARPHRD_ETHER) return {};
  return mac_of(attribute_of(reply, sizeof *link, IFLA_ADDRESS));
}

void put_neighbour(Buffer& buffer, const Hop& hop) {
  auto* header = static_cast<ndmsg*>(mnl_nlmsg_get_payload(request_in(buffer)));
  header->ndm_family = netlink_family(hop.neighbour);
  header->ndm_ifindex = static_cast<int>(hop.ifindex);
  mnl_attr_put(request_in(buffer), NDA_DST, bytes_of(hop.neighbour), hop.neighbour.bytes.data());
}

// Has the kernel confirm a neighbour, as it does by itself for one that it sends to.
void confirm_neighbour(mnl_socket* socket, unsigned sequence, const Hop& hop) {
  Buffer buffer{};
  auto* header = begin_request<ndmsg>(buffer, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_ACK, sequence);
  header->ndm_flags = NTF_USE;
  header->ndm_state = NUD_NONE;
  put_neighbour(buffer, hop);
  ask_kernel(socket, request_in(buffer), buffer);
}

std::uint64_t ask_neighbour(mnl_socket* socket, unsigned& sequence, const Hop& hop) {
  Buffer buffer{};
  begin_request<ndmsg>(buffer, RTM_GETNEIGH, NLM_F_REQUEST, ++sequence);
  put_neighbour(buffer, hop);
  const nlmsghdr* reply = ask_kernel(socket, request_in(buffer), buffer);
  if (reply == nullptr || reply->nlmsg_type != RTM_NEWNEIGH) return 0;
  const auto* neighbour = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(reply));
  const std::uint16_t state = neighbour->ndm_state;
  const std::uint64_t mac = mac_of(attribute_of(reply, sizeof *neighbour, NDA_LLADDR));
  if ((state & kFreshNeighbour) == 0) confirm_neighbour(socket, ++sequence, hop);
  return (state & kUsableNeighbour) != 0 ? mac : 0;
}

}  // namespace

Result<std::unique_ptr<NextHopKeeper>> NextHopKeeper::open(KernelRelay* relay) {
  mnl_socket* questions = open_netlink(0);
  mnl_socket* events = questions != nullptr
                           ? open_netlink(RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_LINK)
                           : nullptr;
  if (events == nullptr) {
    const int reason = errno;
    if (questions != nullptr) mnl_socket_close(questions);
    return Error{std::string("no netlink socket: ") + std::strerror(reason)};
  }
  return std::unique_ptr<NextHopKeeper>(new NextHopKeeper(relay, questions, events));
}

NextHopKeeper::NextHopKeeper(KernelRelay* relay, mnl_socket* questions, mnl_socket* events)
    : relay_(relay), questions_(questions), events_(events) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-routes");
}

NextHopKeeper::~NextHopKeeper() {
  stop();
  mnl_socket_close(questions_);
  mnl_socket_close(events_);
}

void NextHopKeeper::stop() {
  if (!thread_.joinable()) return;
  is_stopping_ = true;
  inbox_.push(Question{});
  thread_.join();
}

bool NextHopKeeper::ask(const IpAddress& to, NextHopListener& listener) {
  return inbox_.push(Question{to, &listener});
}

void NextHopKeeper::ask(Time now) {
  pulse_.ask(now);
  inbox_.push(Question{});
}

void NextHopKeeper::run() {
  keep_capabilities(Capabilities().with(CAP_NET_ADMIN));  // attaches the fast path to interfaces that come
  Time next_refresh = monotonic_now() + kRefresh;
  while (!is_stopping_) {
    std::array<pollfd, 2> waiting{
        {{inbox_.descriptor(), POLLIN, 0}, {mnl_socket_get_fd(events_), POLLIN, 0}}};
    const Duration left = std::clamp(next_refresh - monotonic_now(), Duration::zero(), kRefresh);
    poll(waiting.data(), waiting.size(), static_cast<int>(left.count() / 1000 + 1));
    inbox_.drain([this](Question&& question) { on_question(question); });
    pulse_.confirm();
    // A change takes effect within 20 ms; a storm of them costs no more than that.
    constexpr Duration kSoon = std::chrono::milliseconds(20);
    if (drain_events()) next_refresh = std::min(next_refresh, monotonic_now() + kSoon);
    if (monotonic_now() < next_refresh) continue;
    refresh();
    next_refresh = monotonic_now() + kRefresh;
  }
}

void NextHopKeeper::on_question(const Question& question) {
  thread_check_.check();
  if (question.listener == nullptr) return;
  auto found = destinations_.find(question.to);
  if (found == destinations_.end()) {
    if (destinations_.size() >= kMaxDestinations) return;
    found = destinations_.emplace(question.to, Destination{.next_hop = resolve(question.to)}).first;
  }
  Destination& destination = found->second;
  destination.asked_at = monotonic_now();
  auto& listeners = destination.listeners;
  if (std::find(listeners.begin(), listeners.end(), question.listener) != listeners.end()) return;
  listeners.push_back(question.listener);
  question.listener->on_next_hop(question.to, destination.next_hop);
}

bool NextHopKeeper::drain_events() {
  Buffer buffer;
  bool has_changed = false;
  // An overrun (ENOBUFS) means that something changed, too.
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(events_, buffer.data(), buffer.size());
    if (got < 0 && errno != ENOBUFS) return has_changed;
    has_changed = true;
  }
}

void NextHopKeeper::refresh() {
  thread_check_.check();
  const Time now = monotonic_now();
  for (auto each = destinations_.begin(); each != destinations_.end();) {
    Destination& destination = each->second;
    if (now - destination.asked_at > kForgetAfter) {
      each = destinations_.erase(each);
      continue;
    }
    const NextHop next_hop = resolve(each->first);
    if (next_hop != destination.next_hop) {
      destination.next_hop = next_hop;
      for (NextHopListener* listener : destination.listeners) listener->on_next_hop(each->first, next_hop);
    }
    ++each;
  }
}

NextHop NextHopKeeper::resolve(const IpAddress& to) {
  const Hop hop = ask_next_hop(questions_, ++sequence_, to);
  if (hop.kind == NextHop::Kind::kNone || (relay_ != nullptr && !relay_->attach(hop.ifindex))) return {};
  if (hop.kind != NextHop::Kind::kEthernet)
    return {.kind = hop.kind, .ifindex = hop.ifindex, .source = hop.source};
  const auto own_mac = ask_own_mac(questions_, ++sequence_, hop.ifindex);
  if (!own_mac) return {};
  return {.kind = hop.kind,
          .ifindex = hop.ifindex,
          .is_in_driver = relay_ != nullptr && relay_->is_in_driver(hop.ifindex),
          .destination_mac = ask_neighbour(questions_, sequence_, hop),
          .source_mac = *own_mac,
          .source = hop.source};
}

}  // namespace vas::bridge

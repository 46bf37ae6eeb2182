// From the name of a backend to its addresses, without a thread for each look-up. (c-ares)
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "base/time.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace vas::webhooks {

// Names are remembered for as long as DNS says, kShortest to kLongest; one that has no address for kShortest.
// Which addresses may be connected to is not judged here: that is done when it is connected.
//
// Threads: one. Its owner waits for the sockets that `watch` names and for the time that wait() says.
// Bounds:  kMaxNames remembered, kMaxWaiting asked for, kMaxAddresses of each.
class NameLookups {
 public:
  static constexpr std::size_t kMaxNames = 4096;
  static constexpr std::size_t kMaxWaiting = 4096;
  // One is connected to, and the next where that fails.
  static constexpr std::size_t kMaxAddresses = 8;
  // A TTL of 0 would have every request ask anew.
  static constexpr Duration kShortest = std::chrono::seconds(5);
  // A backend that has moved is found within minutes, whatever its TTL was.
  static constexpr Duration kLongest = std::chrono::minutes(5);
  using Addresses = std::vector<IpAddress>;
  using Done = std::function<void(const Addresses&)>;  // empty: there are none
  // What is to be waited for; neither: the socket is about to be closed.
  using Watch = std::function<void(int socket, bool read, bool write)>;

  // `server`: which DNS server to ask; none: those of the system.
  NameLookups(const std::optional<Endpoint>& server, Watch watch);
  ~NameLookups();  // nobody is called any more
  NameLookups(const NameLookups&) = delete;
  NameLookups& operator=(const NameLookups&) = delete;

  // May call back at once. `done` may ask again.
  void resolve(const std::string& name, Done done);
  std::size_t waiting() const { return waiting_; }

  bool owns(int socket) const { return sockets_.contains(socket); }
  void on_socket(int socket, bool readable, bool writable);
  void on_time();
  // How long until on_time() is due at the latest; nothing while nothing is asked for.
  std::optional<Duration> wait() const;

 private:
  struct Known {
    Addresses addresses;
    Time until{};
  };
  struct Question {  // what c-ares hands back
    NameLookups* self;
    std::string name;
  };
  static void on_socket_state(void* self, int socket, int read, int write);
  static void on_reply(void* question, int status, int timeouts, ares_addrinfo* found);
  void finish(const std::string& name, const Addresses& addresses, Duration ttl);

  const Watch watch_;
  ares_channeldata* channel_ = nullptr;
  bool is_closing_ = false;
  std::set<int> sockets_;
  std::map<std::string, Known> known_;
  std::map<std::string, std::vector<Done>> asking_;
  std::size_t waiting_ = 0;
  ThreadCheck thread_check_{"NameLookups"};
};

}  // namespace vas::webhooks

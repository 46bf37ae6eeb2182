// This node among others on one database: hears what they change, asks them for what they hold, replies to
// them. (docs/cluster.md)
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>

#include "base/thread_check.h"
#include "vas/control/admission_index.h"
#include "vas/control/directory_controller.h"
#include "vas/control/session_controller.h"
#include "vas/store/change_feed.h"

namespace vas::control {

// Keeps which other nodes there are, and what was asked of them and has no reply yet. It decides what a
// message from the feed means here: a session, an entry of the directory, a node, a request. How messages
// travel it need not know.
//
// Threads: control only.
// Bounds:  kMaxAsked requests to other nodes wait, each kPatience; over that they have their reply at once.
class ClusterLink final : public Peers {
 public:
  static constexpr std::size_t kMaxAsked = 10'000;
  // A node that is there replies in milliseconds; whoever asked the API is not kept longer.
  static constexpr Duration kPatience = std::chrono::seconds(5);

  struct Parts {  // borrowed; all outlive the link
    boost::asio::io_context& context;
    SessionController& sessions;
    DirectoryController& directory;
    AdmissionIndex& admission_index;
    store::Store& store;
  };
  ClusterLink(const Parts& parts, const std::string& url, const std::string& sip);

  const store::ChangeFeed& feed() const { return *feed_; }
  void ask_feed(Time now) { feed_->ask(now); }  // from any thread: see pulse.h

  void ask(const std::string& node, const PeerRequest& request, std::function<void()> done) override;

 private:
  struct Asked {
    std::function<void()> done;
    std::unique_ptr<boost::asio::steady_timer> patience;
  };

  void dispatch(store::FeedEvent event);
  void restore(store::FeedRestored&& all);
  void adopt_nodes(const std::vector<store::NodeEntry>& nodes);
  void dispatch_message(const std::string& text);
  void reply(const std::string& node, std::int64_t id);
  void finish(std::int64_t id);
  void look_up(const std::string& token, std::function<void()> done);

  const Parts parts_;
  std::map<std::int64_t, Asked> asked_;
  std::int64_t next_id_ = 1;
  std::unique_ptr<store::ChangeFeed> feed_;  // last: it calls in
  ThreadCheck thread_check_{"ClusterLink"};
};

}  // namespace vas::control

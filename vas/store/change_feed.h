// What other nodes change in a shared database, as they change it, and short messages between nodes.
// (PostgreSQL's LISTEN/NOTIFY)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/pulse.h"
#include "base/result.h"
#include "vas/directory/directory.h"
#include "vas/secrets/sealer.h"
#include "vas/sessions/session.h"

namespace vas::store {

struct NodeEntry {
  std::string name;
  int number = 0;   // 0 to 15: ids that a node draws have this remainder
  std::string sip;  // where its gateway is reached
};

// A session of another node, as it is now.
struct SessionChanged {
  sessions::Session session;
};
struct SessionRemoved {
  std::int64_t id = 0;
};
struct DirectoryChanged {
  directory::Change change;
};
struct NodesSeen {
  std::vector<NodeEntry> nodes;
};
struct NodeMessage {
  std::string text;  // JSON, as send() got it
};
// After the connection was lost: all sessions of other nodes that there are.
struct FeedRestored {
  std::vector<sessions::Session> sessions;
  directory::Change directory;
};
using FeedEvent =
    std::variant<SessionChanged, SessionRemoved, DirectoryChanged, NodesSeen, NodeMessage, FeedRestored>;

// Threads:  constructed, told to send and destroyed by control; ask() from any. Events are handed to `sink`
// on
//           the feed's own thread.
// Bounds:   messages of kMaxMessage bytes, kMaxQueued of them waiting to leave; over that send() says no.
// Lifetime: a connection that is lost is made again for as long as it takes.
class ChangeFeed {
 public:
  // PostgreSQL's NOTIFY takes less than 8000 bytes.
  static constexpr std::size_t kMaxMessage = 7000;
  static constexpr std::size_t kMaxQueued = 10'000;
  using Sink = std::function<void(FeedEvent)>;

  // Takes a number for this node, and the secret that all nodes share.
  struct Membership {
    int number = 0;
    std::string secret;
  };
  static Result<Membership> join(const std::string& url, const std::string& node, const std::string& sip,
                                 const secrets::Sealer& sealer);

  // `sealer`: of the store; it outlives the feed.
  static std::unique_ptr<ChangeFeed> start(const std::string& url, const std::string& node,
                                           const std::string& sip, const secrets::Sealer& sealer, Sink sink);
  virtual ~ChangeFeed() = default;

  virtual bool send(const std::string& to_node, std::string text) = 0;

  virtual void ask(Time now) = 0;  // see pulse.h
  virtual const Pulse& pulse() const = 0;
};

// What the writer says with each change: "s:<node>:<id>", "r:<node>:<id>", "d:<node>:<kind>:<id>"; and a
// node that comes: "n:<node>:0".
inline constexpr const char* kChangesChannel = "vas_changes";
inline constexpr const char* kMessagesChannel = "vas_messages";

}  // namespace vas::store

// Keeps the directory: in memory to read, in the store to last. (docs/directory.md)
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_check.h"
#include "vas/api/directory_service.h"
#include "vas/sessions/session_registry.h"
#include "vas/store/store.h"
#include "vas/webhooks/address_guard.h"

namespace vas::control {

// Keeps the directory, and the changes that wait for their turn. It decides that they take effect one after
// the other: each is planned on what stands, committed, and in force when it is on disk. What is a sensible
// entry it need not know: the resources say so.
//
// Threads: control only.
// Bounds:  kMaxWaiting changes wait for their turn; one more is refused with 503.
class DirectoryController final : public api::DirectoryService {
 public:
  static constexpr std::size_t kMaxWaiting = 10'000;

  // `peers`: where SIP may go.
  DirectoryController(store::Store& store, webhooks::AddressGuard guard,
                      std::shared_ptr<const AddressPolicy> peers);

  // What an earlier process left.
  void restore(const directory::Change& entries,
               const std::vector<std::pair<std::string, std::int64_t>>& counters);
  // Called after each change, and by this call.
  void set_observer(std::function<void(const directory::Directory&)> observer) {
    observer_ = std::move(observer);
    observer_(directory_);
  }
  // What another node changed, stored already.
  void adopt(const directory::Change& change);
  // The whole of it, as it is stored.
  void replace(const directory::Change& entries);
  void set_ids(const IdSpace& ids) { ids_ = ids; }
  void set_sessions(const sessions::SessionRegistry& sessions) { sessions_ = &sessions; }

  const directory::Directory& directory() const override { return directory_; }
  void change(Plan plan, Done done) override;
  std::int64_t next_id(directory::Kind kind) override;
  void list(directory::Kind kind, std::int64_t parent, const PageRequest& page,
            std::function<void(std::optional<Page>)> done) override;
  std::size_t sessions_of(std::int64_t domain_id) const override;
  std::optional<std::string> fault_of_url(const std::string& url) const override;
  std::optional<std::string> fault_of_server(std::string_view server, bool reaches_private) const override;

 private:
  struct Waiting {
    Plan plan;
    Done done;
  };
  void begin_next();

  // Borrowed.
  store::Store& store_;
  const sessions::SessionRegistry* sessions_ = nullptr;

  std::function<void(const directory::Directory&)> observer_;
  const webhooks::AddressGuard guard_;
  const std::shared_ptr<const AddressPolicy> peers_;
  directory::Directory directory_;
  IdSpace ids_;
  std::array<std::int64_t, 5> last_ids_{};  // by kind
  std::deque<Waiting> waiting_;             // the front one is under way
  ThreadCheck thread_check_{"DirectoryController"};
};

}  // namespace vas::control

// What the API needs of the program behind it to keep tenants, domains, subscribers, trunks and keys.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/page.h"
#include "vas/directory/directory.h"

namespace vas::api {

// A change that cannot be made, as the API says it.
struct Refused {
  int status = 409;
  std::string detail;
  int retry_after_s = 0;  // 0: no Retry-After
};

// Threads: control only.
class DirectoryService {
 public:
  // Looks at the directory as it stands when the change's turn has come;
  // asks for the change, or says why not.
  using Plan = std::function<std::optional<Refused>(const directory::Directory&, directory::Change&)>;
  // Nothing: it is stored, and in force.
  using Done = std::function<void(const std::optional<Refused>&)>;

  virtual ~DirectoryService() = default;
  virtual const directory::Directory& directory() const = 0;
  // One after the other: no change is planned before the one before it is stored.
  virtual void change(Plan plan, Done done) = 0;
  // An id of this kind that no entry has had.
  virtual std::int64_t next_id(directory::Kind kind) = 0;
  virtual void list(directory::Kind kind, std::int64_t parent, const PageRequest& page,
                    std::function<void(std::optional<Page>)> done) = 0;
  virtual std::size_t sessions_of(std::int64_t domain_id) const = 0;
  // Why a URL cannot be called back; nothing for a good one.
  virtual std::optional<std::string> fault_of_url(const std::string& url) const = 0;
  // Why calls cannot be sent to a server ("192.0.2.7:5060"); nothing for a good one. A name is judged when it
  // is known what it means.
  virtual std::optional<std::string> fault_of_server(std::string_view server, bool reaches_private) const = 0;
};

}  // namespace vas::api

#include "vas/app/service_user.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/text.h"

namespace vas::app {
namespace {

constexpr const char* kDefaultName = "vas";
// What the names of our files begin with (store, journal, records, keys).
constexpr std::string_view kOurFiles[] = {"vas.sqlite",    "calls.journal", "records",
                                          "rejected-rows", "system.key",    "store.key"};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// A descriptor that is closed with its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

Error failed(const std::string& what) { return Error{what + ": " + std::strerror(errno)}; }

bool is_ours(std::string_view name) {
  for (const std::string_view each : kOurFiles) {
    if (name.starts_with(each)) return true;
  }
  return false;
}

ServiceUser user_of(const passwd& entry) { return {entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir}; }

// Never through a link: the folder's owner, who is not root, may have put one there.
bool give_file(int folder, const char* name, const ServiceUser& user) {
  const Descriptor file(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (file.number() < 0 || ::fstat(file.number(), &found) != 0) return false;
  const bool is_whole = (S_ISREG(found.st_mode) && found.st_nlink == 1) || S_ISDIR(found.st_mode);
  if (!is_whole) return false;
  const std::string path = "/proc/self/fd/" + std::to_string(file.number());
  return ::chmod(path.c_str(), S_ISDIR(found.st_mode) ? 0700 : 0600) == 0 &&
         ::fchownat(file.number(), "", user.uid, user.gid, AT_EMPTY_PATH) == 0;
}

// The exit code of attempt(): the file whose turn it was, counted from kFirstFile.
constexpr int kAllGood = 0, kCannotBecome = 1, kNoFolder = 2, kFirstFile = 3;

// In a child: as that user, each of them. The folder itself is given later: its parent must be passed.
int attempt(const ServiceUser& user, const std::string& data_dir, const std::vector<std::string>& files) {
  if (!become(user)) return kCannotBecome;
  const auto parent = std::filesystem::path(data_dir + "/").lexically_normal().parent_path().parent_path();
  if (::access(parent.empty() ? "." : parent.c_str(), X_OK) != 0) return kNoFolder;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (::access(files[i].c_str(), R_OK) != 0 && errno == EACCES) return kFirstFile + static_cast<int>(i);
  }
  return kAllGood;
}

}  // namespace

Result<ServiceUser> find_service_user(const std::string& asked) {
  const std::string name = asked.empty() ? kDefaultName : asked;
  const passwd* entry = ::getpwnam(name.c_str());
  const auto number = parse_number<uid_t>(name);
  if (entry == nullptr && number) entry = ::getpwuid(*number);
  ServiceUser user{kUidOfNobodyElse, kUidOfNobodyElse, "", "/"};
  if (entry != nullptr) {
    user = user_of(*entry);
  } else if (number) {
    user.uid = user.gid = *number;
  } else if (!asked.empty()) {
    return Error{"there is no user `" + asked + "` (make one: useradd --system --no-create-home " + asked +
                 ")"};
  }
  if (user.uid == 0) return Error{"`user` must not be root: leave it out, or name another"};
  return user;
}

Result<bool> give_data_dir(const std::string& data_dir, const ServiceUser& user) {
  std::error_code failure;
  std::filesystem::create_directories(data_dir, failure);
  if (failure) return Error{"cannot make the folder " + data_dir + ": " + failure.message()};
  const int opened = ::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return failed("cannot open the folder " + data_dir);
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(opened));
  std::vector<std::string> ours;
  bool holds_others = false;
  while (const dirent* each = ::readdir(folder.get())) {
    const std::string_view name = each->d_name;
    if (name == "." || name == "..") continue;
    if (is_ours(name)) {
      ours.emplace_back(name);
    } else {
      holds_others = holds_others || name != "lost+found";
    }
  }
  struct stat found {};
  if (::fstat(opened, &found) != 0) return failed("cannot look at the folder " + data_dir);
  const bool is_theirs = found.st_uid == user.uid;
  if (!is_theirs && holds_others && ours.empty())
    return Error{"the folder " + data_dir +
                 " is not empty, and holds nothing of vas: give `data-dir` a folder of its own"};
  for (const std::string& name : ours) {
    if (!give_file(opened, name.c_str(), user))
      return failed("cannot give " + data_dir + "/" + name + " to uid " + std::to_string(user.uid));
  }
  if (::fchmod(opened, 0700) != 0 || ::fchown(opened, user.uid, user.gid) != 0)
    return failed("cannot give the folder " + data_dir + " to uid " + std::to_string(user.uid));
  return true;
}

std::string what_is_out_of_reach(const ServiceUser& user, const std::string& data_dir,
                                 const std::vector<std::string>& files) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(attempt(user, data_dir, files));
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return "a try failed";
  const int code = WEXITSTATUS(status);
  const std::string who = user.name.empty() ? "uid " + std::to_string(user.uid) : "user `" + user.name + "`";
  if (code == kAllGood) return {};
  if (code == kCannotBecome) return "this process may not become " + who;
  if (code == kNoFolder) return who + " cannot reach " + data_dir;
  return who + " cannot read " + files.at(static_cast<std::size_t>(code - kFirstFile));
}

Result<bool> become(const ServiceUser& user) {
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  const bool has_groups =
      user.name.empty() ? ::setgroups(0, nullptr) == 0 : ::initgroups(user.name.c_str(), user.gid) == 0;
  if (!has_groups || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0)
    return failed("cannot become uid " + std::to_string(user.uid));
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  return true;
}

}  // namespace vas::app

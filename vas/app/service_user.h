// The user that vas becomes when root starts it, and what that user must be able to reach.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace vas::app {

struct ServiceUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  // empty: it has no entry in the system's list of users
  std::string home;
};

// Taken where the system has no user `vas`: in a range that neither Debian nor systemd gives to anybody.
inline constexpr uid_t kUidOfNobodyElse = 61060;

// By its name or number; nothing asked for: the user `vas`, or kUidOfNobodyElse. Root is refused.
Result<ServiceUser> find_service_user(const std::string& asked);

// Makes the folder where there is none, and gives it and the files in it that are ours to `user`, readable
// for nobody else. A folder that holds other things is not taken over.
Result<bool> give_data_dir(const std::string& data_dir, const ServiceUser& user);

// For root, before there are threads: what `user` could not reach, in words; empty when all is well. `files`
// are read; of `data_dir` it is the way there that counts.
std::string what_is_out_of_reach(const ServiceUser& user, const std::string& data_dir,
                                 const std::vector<std::string>& files);

// For root, before there are threads: the process is that user's from now on, in every thread to come, with
// its capabilities still permitted.
Result<bool> become(const ServiceUser& user);

}  // namespace vas::app

#include "vas/app/privileges.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "vas/app/service_user.h"

namespace vas::app {
namespace {

constexpr std::uint16_t kFirstFreePort = 1024;  // those below are root's, or CAP_NET_BIND_SERVICE's

bool has_low_port(const Config& config) {
  const signaling::TransportsConfig& transports = config.sip.transports;
  const auto is_low = [](const Endpoint& each) { return each.port != 0 && each.port < kFirstFreePort; };
  const auto any_low = [&](const std::vector<Endpoint>& all) {
    return std::any_of(all.begin(), all.end(), is_low);
  };
  return is_low(config.http.listen) || any_low(config.http.tls.listen) || any_low(transports.sip) ||
         any_low(transports.tls) || any_low(transports.ws) || any_low(transports.wss);
}

// Read again after the drop, when they change.
std::vector<std::string> files_for_life(const Config& config) {
  const TlsConfig& certificates = config.sip.transports.certificates;
  const TlsConfig& https = config.http.tls.certificates;
  std::vector<std::string> files;
  if (!config.key_file.empty()) files.push_back(config.key_file);
  for (const std::string* each :
       {&certificates.certificate_file, &certificates.key_file, &certificates.ca_file,
        &https.certificate_file, &https.key_file, &config.webhook_ca}) {
    if (!each->empty()) files.push_back(*each);
  }
  return files;
}

std::string shown(const ServiceUser& user) {
  const std::string number = "uid " + std::to_string(user.uid);
  return user.name.empty() ? number + " (there is no user `vas`)"
                           : "user `" + user.name + "` (" + number + ")";
}

// Empty when the process may become that user, and can work as it.
std::string obstacle(const Config& config, const ServiceUser& user) {
  auto fault = what_is_out_of_reach(user, config.data_dir, files_for_life(config));
  if (!fault.empty()) return fault;
  const auto given = give_data_dir(config.data_dir, user);
  return given ? "" : given.error();
}

Result<bool> leave_root(const Config& config) {
  const auto user = find_service_user(config.user);
  if (!user) return Error{user.error()};
  if (const std::string fault = obstacle(config, *user); !fault.empty()) {
    if (!config.user.empty()) return Error{"cannot run as " + shown(*user) + ": " + fault};
    log::warn("", "vas stays uid 0, without root's capabilities: {} (see `user` in docs/configuration.md)",
              fault);
    (void)give_data_dir(config.data_dir, {});  // where it was another's, root has no longer the right to look
    return true;
  }
  // The kernel forgets at a change of uid that we die with our parent, where somebody asked for that.
  int signal_of_parents_death = 0;
  prctl(PR_GET_PDEATHSIG, &signal_of_parents_death);
  if (auto became = become(*user); !became) return became;
  prctl(PR_SET_PDEATHSIG, signal_of_parents_death);
  setenv("HOME", user->home.c_str(), 1);  // libraries look there for files of theirs
  log::info("", "runs as {}", shown(*user));
  return true;
}

}  // namespace

Capabilities needed_for_life(const Config& config) {
  Capabilities needed;
  if (config.media.uses_kernel) needed = needed.with(CAP_NET_ADMIN);
  if (has_low_port(config)) needed = needed.with(CAP_NET_BIND_SERVICE);
  return needed;
}

Capabilities needed_at_start(const Config& config) {
  Capabilities needed = needed_for_life(config);
  if (config.media.uses_kernel) needed = needed.with(CAP_BPF).with(CAP_PERFMON);
  if (config.media.sends_frames) needed = needed.with(CAP_NET_RAW);
  return needed;
}

Result<bool> drop_privileges(const Config& config) {
  const Capabilities needed = needed_at_start(config);
  bound_capabilities(needed);
  if (geteuid() == 0) {
    if (auto left = leave_root(config); !left) return left;
  } else if (!config.user.empty()) {
    log::warn("", "`user` is not followed: only root may become `{}`", config.user);
  }
  if (!keep_capabilities(needed))
    return Error{std::string("cannot give up capabilities: ") + std::strerror(errno)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Error{std::string("cannot set no_new_privs: ") + std::strerror(errno)};
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  log::info("", "keeps of capabilities: {} to start, then {}", to_string(permitted_capabilities()),
            to_string(permitted_capabilities() & needed_for_life(config)));
  return true;
}

void finish_start_privileges(const Config& config) {
  if (!keep_capabilities(needed_for_life(config)))
    log::warn("", "capabilities that are not needed any more could not be given up: {}",
              std::strerror(errno));
}

}  // namespace vas::app

// What an operator can set: one TOML file, every key also a flag and a VAS_ variable. (docs/configuration.md)
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bridge/plane/media_plane.h"
#include "signaling/gateway/gateway.h"
#include "vas/api/api.h"
#include "vas/api/http_server.h"
#include "vas/app/seccomp_filter.h"
#include "vas/calls/call.h"

namespace vas::app {

struct Config {
  std::string data_dir = "vas-data";
  std::string store;     // empty: a SQLite file in data_dir; else a PostgreSQL URL
  std::string key_file;  // that secrets in the store are sealed with; empty: store.key in data_dir
  std::string directory_file;
  std::string node = "vas-1";
  std::string log_level = "info";
  std::string user;  // that root becomes; empty: `vas`, or none in particular
  SystemCallFilter system_calls = SystemCallFilter::kOn;
  std::string public_url;      // empty: made of https-listen or http-listen
  api::HttpServerConfig http;  // where the API listens, and how many it serves
  api::ApiConfig api;
  std::string
      phone_server;  // URL of SIP over WebSocket for the browser phone; made of wss-listen or ws-listen
  signaling::GatewayConfig sip;
  std::size_t sip_threads = 1;
  std::uint32_t session_expires_s = 1800;
  bridge::MediaPlaneConfig media;
  bool trusts_plain_signaling = false;  // with SRTP's keys
  Duration hold_timeout = std::chrono::hours(2);
  calls::IceModes ice;
  std::size_t webhook_connections = 4096;  // requests to backends under way
  std::string webhook_ca;                  // file of authorities that backends' certificates may be of, too
  std::uint32_t control_endpoint_timeout_s = 10;  // all tries together
  std::vector<Network> webhook_allow;  // of the platform's own network: what customers' URLs may reach
  std::vector<Network> peer_allow;     // and what SIP and media may
};

struct CommandLine {
  Config config;
  bool only_checks = false;  // --check-config: say what is wrong, and stop
  int exit_code = -1;        // 0 or more: stop with it now (--help, --version)
};

// Reads flags, environment and file, in this order of precedence. The error names the key, and the line of
// the file.
Result<CommandLine> read_command_line(int argc, const char* const* argv);

}  // namespace vas::app

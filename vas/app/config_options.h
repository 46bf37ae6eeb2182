// What may be set, by its name, and as it was given: config.cc says what it means.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "vas/app/config.h"

namespace vas::app {

// As given, before it means anything.
struct Raw {
  std::vector<std::string> sip_listen = {"127.0.0.1:5060"};
  std::vector<std::string> webhook_allow;
  std::vector<std::string> peer_allow;
  std::vector<std::string> tls_listen;
  std::vector<std::string> ws_listen;
  std::vector<std::string> wss_listen;
  std::vector<std::string> sip_advertised;
  std::string hep_collector;
  std::string dns_server;
  int trace_mib = 32;
  std::string http_listen = "127.0.0.1:8080";
  std::vector<std::string> https_listen;
  std::vector<std::string> cors_origin = {"*"};
  std::string seccomp = "on";
  std::vector<std::string> http_proxy = {"127.0.0.0/8", "::1"};
  std::string media_bind = "127.0.0.1";
  std::string media_advertised;
  std::string media_bind6;
  int port_min = 20000;
  int port_max = 29999;
  int workers = 0;
  std::string media_io = "auto";
  std::string media_kernel = "auto";
  std::string media_send = "auto";
  std::string srtp_backend = "openssl";
  std::vector<std::string> ice = {"lite"};
  std::string stun_server;
  std::string turn_server;
  std::string turn_user;
  std::string turn_password;
  int media_timeout_s = 60;
  int hold_timeout_s = 7200;
  int media_leg_packets = 1000;
  bool only_checks = false;
  Config config;
};

// Every key of the file is a flag and a VAS_ variable too.
void add_options(CLI::App& app, Raw& raw);

// "PUBLIC" or "LOCAL=PUBLIC".
std::optional<signaling::TransportsConfig::Advertised> parse_advertised(const std::string& text);

// "MODE", or "TRANSPORT=MODE" for the listeners of one transport; later ones say more than earlier ones.
bool add_ice_mode(const std::string& text, calls::IceModes& modes);

}  // namespace vas::app

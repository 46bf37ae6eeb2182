#include "vas/app/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "vas/app/config_options.h"

namespace vas::app {
namespace {

std::optional<std::size_t> line_of(const std::string& file, const std::string& key) {
  std::istringstream lines(file);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    const std::string_view text = trim(line);
    const std::string_view rest = text.starts_with(key) ? trim(text.substr(key.size())) : std::string_view{};
    if (rest.starts_with('=')) return number;
    if (text == "[" + key + "]" || text.starts_with("[" + key + ".")) return number;
  }
  return {};
}

// CLI11 does not say where in the file it stumbled.
// So each key is tried alone, and the first bad one is named.
std::optional<std::string> find_fault(const std::string& path) {
  std::ifstream in(path);
  if (!in) return "cannot read " + path;
  std::stringstream text;
  text << in.rdbuf();

  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(text);
  } catch (const CLI::Error& failure) {
    return path + ": " + failure.what();
  }
  const std::string file = text.str();
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // a section's begin and end
    const std::string key = item.fullname();
    const auto line = line_of(file, item.parents.empty() ? key : item.parents.front());
    const std::string where = fmt::format("{}:{}", path, line ? std::to_string(*line) : "?");
    Raw scratch;
    CLI::App app;
    add_options(app, scratch);
    if (!item.parents.empty() || app.get_option_no_throw("--" + key) == nullptr) {
      return fmt::format("{}: there is no key `{}` (vas --help lists them)", where, key);
    }
    std::vector<std::string> arguments;  // CLI11 takes them last first
    for (auto input = item.inputs.rbegin(); input != item.inputs.rend(); ++input) arguments.push_back(*input);
    arguments.push_back("--" + key);
    try {
      app.parse(arguments);
    } catch (const CLI::Error& failure) {
      return fmt::format("{}: `{}`: {}", where, key, failure.what());
    }
  }
  return {};
}

// Says what is missing, or nothing.
std::string fill_transports(const Raw& raw, signaling::TransportsConfig& transports) {
  const auto parse_all = [](const std::vector<std::string>& from, std::vector<Endpoint>& to) {
    for (const std::string& each : from) to.push_back(*Endpoint::parse(each));
  };
  parse_all(raw.sip_listen, transports.sip);
  parse_all(raw.tls_listen, transports.tls);
  parse_all(raw.ws_listen, transports.ws);
  parse_all(raw.wss_listen, transports.wss);
  for (const std::string& each : raw.sip_advertised) transports.advertised.push_back(*parse_advertised(each));

  const bool needs_certificate = !transports.tls.empty() || !transports.wss.empty();
  const bool has_certificate =
      !transports.certificates.certificate_file.empty() && !transports.certificates.key_file.empty();
  if (needs_certificate && !has_certificate)
    return "`tls-certificate` and `tls-key` are needed where `tls-listen` or `wss-listen` is set";
  for (const auto* listeners : {&transports.sip, &transports.tls, &transports.ws, &transports.wss}) {
    for (const Endpoint& local : *listeners) {
      const bool is_told =
          std::any_of(transports.advertised.begin(), transports.advertised.end(), [&](const auto& each) {
            return each.local ? *each.local == local.address : each.address.family == local.address.family;
          });
      if (local.address.is_unspecified() && !is_told)
        return "`sip-advertised` is needed where SIP listens at every address (" + to_string(local) +
               "): peers must be told one";
    }
  }
  return {};
}

// Says what is missing, or nothing.
std::string fill_https(const Raw& raw, const TlsConfig& of_sip, api::TlsDoorConfig& https) {
  for (const std::string& each : raw.https_listen) https.listen.push_back(*Endpoint::parse(each));
  if (https.certificates.certificate_file.empty() && https.certificates.key_file.empty()) {
    https.certificates.certificate_file = of_sip.certificate_file;
    https.certificates.key_file = of_sip.key_file;
  }
  const bool has_certificate =
      !https.certificates.certificate_file.empty() && !https.certificates.key_file.empty();
  if (!https.listen.empty() && !has_certificate)
    return "`https-certificate` and `https-key`, or `tls-certificate` and `tls-key`, are needed where "
           "`https-listen` is set";
  return {};
}

// Where backends find the API, as far as the listeners tell.
std::string default_public_url(const api::HttpServerConfig& http) {
  if (!http.tls.listen.empty()) return "https://" + to_string(http.tls.listen.front());
  return "http://" + to_string(http.listen);
}

// `{host}`: of the page that asks. Empty where there is no WebSocket.
std::string default_phone_server(const signaling::TransportsConfig& transports) {
  if (!transports.wss.empty()) return fmt::format("wss://{{host}}:{}", transports.wss.front().port);
  if (!transports.ws.empty()) return fmt::format("ws://{{host}}:{}", transports.ws.front().port);
  return {};
}

Result<Config> meaning_of(const Raw& raw) {
  Config config = raw.config;
  config.http.listen = *Endpoint::parse(raw.http_listen);
  config.api.cors_origins = raw.cors_origin;
  std::erase(config.api.cors_origins, "none");
  for (const std::string& each : raw.http_proxy) config.http.proxies.push_back(*Network::parse(each));
  if (raw.seccomp == "strict") config.system_calls = SystemCallFilter::kStrict;
  if (raw.seccomp == "off") config.system_calls = SystemCallFilter::kOff;
  if (auto fault = fill_transports(raw, config.sip.transports); !fault.empty()) return Error{fault};
  if (auto fault = fill_https(raw, config.sip.transports.certificates, config.http.tls); !fault.empty())
    return Error{fault};
  if (const auto host = signaling::host_of_url(config.phone_server); !host.empty())
    config.sip.transports.websocket.hosts.emplace_back(host);
  if (config.phone_server.empty()) config.phone_server = default_phone_server(config.sip.transports);
  if (!raw.hep_collector.empty()) config.sip.hep_collector = Endpoint::parse(raw.hep_collector);
  if (!raw.dns_server.empty()) config.sip.dns_server = Endpoint::parse(raw.dns_server);
  config.sip.trace_bytes = static_cast<std::size_t>(raw.trace_mib) << 20;
  config.sip.sheds_load = true;
  for (const std::string& each : raw.webhook_allow) config.webhook_allow.push_back(*Network::parse(each));
  for (const std::string& each : raw.peer_allow) config.peer_allow.push_back(*Network::parse(each));
  if (raw.port_max <= raw.port_min) return Error{"`media-port-max` must be above `media-port-min`"};
  config.media.bind_ipv4 = *IpAddress::parse(raw.media_bind);
  if (config.media.bind_ipv4.family != AddressFamily::kIpv4)
    return Error{"`media-bind` must be an IPv4 address; `media-bind6` is for IPv6"};
  if (!raw.media_advertised.empty()) config.media.advertised_ipv4 = IpAddress::parse(raw.media_advertised);
  if (!raw.media_bind6.empty()) config.media.bind_ipv6 = IpAddress::parse(raw.media_bind6);
  if (config.media.bind_ipv4.is_unspecified() && !config.media.advertised_ipv4) {
    return Error{
        "`media-advertised` is needed where `media-bind` is 0.0.0.0: phones must be told one address"};
  }
  config.media.first_port = static_cast<std::uint16_t>(raw.port_min);
  config.media.last_port = static_cast<std::uint16_t>(raw.port_max);
  config.media.workers = raw.workers;
  if (raw.media_io == "uring") config.media.io = bridge::PacketIoKind::kUring;
  if (raw.media_io == "epoll") config.media.io = bridge::PacketIoKind::kEpoll;
  config.media.uses_kernel = raw.media_kernel != "off";
  config.media.in_driver = raw.media_kernel == "driver";
  config.media.sends_frames = raw.media_send == "auto";
  config.media.uses_clsact = raw.media_kernel == "clsact";
  config.media.srtp_backend =
      raw.srtp_backend == "libsrtp2" ? media::SrtpBackend::kLibsrtp : media::SrtpBackend::kOpenssl;
  for (const std::string& each : raw.ice) add_ice_mode(each, config.ice);
  if (!raw.stun_server.empty()) config.media.stun_server = Endpoint::parse(raw.stun_server);
  if (!raw.turn_server.empty())
    config.media.turn_server = {*Endpoint::parse(raw.turn_server), raw.turn_user, raw.turn_password};
  if (config.media.turn_server && (raw.turn_user.empty() || raw.turn_password.empty()))
    return Error{"`turn-server` needs `turn-user` and `turn-password`"};
  if (config.media.relays_only && !config.media.turn_server)
    return Error{"`ice-relays-only` needs a `turn-server`"};
  config.media.media_timeout = std::chrono::seconds(raw.media_timeout_s);
  config.hold_timeout = std::chrono::seconds(raw.hold_timeout_s);
  config.media.leg_packets_per_second = raw.media_leg_packets;
  if (config.public_url.empty()) config.public_url = default_public_url(config.http);
  return config;
}

}  // namespace

Result<CommandLine> read_command_line(int argc, const char* const* argv) {
  Raw raw;
  CLI::App app{"vas: a voice application server. Calls, bridges and records for SIP phones."};
  app.set_version_flag("--version", std::string("vas ") + VAS_VERSION);
  app.add_flag("--check-config", raw.only_checks,
               "Read the configuration, say what is wrong with it, and stop");
  app.set_config("--config", "", "TOML file; every key below is a key of it")->envname("VAS_CONFIG");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.config_formatter(std::make_shared<CLI::ConfigTOML>());
  add_options(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return CommandLine{.exit_code = app.exit(done)};
  } catch (const CLI::Error& failure) {
    const auto* file = app.get_config_ptr();
    if (file != nullptr && !file->empty()) {
      if (const auto fault = find_fault(file->as<std::string>())) return Error{*fault};
    }
    return Error{failure.what()};
  }
  auto config = meaning_of(raw);
  if (!config) return Error{config.error()};
  return CommandLine{.config = std::move(*config), .only_checks = raw.only_checks};
}

}  // namespace vas::app

#include "vas/app/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "vas/base/text.h"

namespace vas::app {
namespace {

// As given, before it means anything.
struct Raw {
  std::string config_file;
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

std::string is_address(const std::string& text) {
  return text.empty() || IpAddress::parse(text) ? ""
                                                : "`" + text + "` is no IP address (names are not resolved)";
}

std::string is_endpoint(const std::string& text) {
  return Endpoint::parse(text) ? "" : "`" + text + "` is no address with a port, such as 127.0.0.1:5060";
}

// "PUBLIC" or "LOCAL=PUBLIC".
std::optional<signaling::TransportsConfig::Advertised> parse_advertised(const std::string& text) {
  const auto sign = text.find('=');
  const auto address = IpAddress::parse(text.substr(sign == std::string::npos ? 0 : sign + 1));
  const auto local = sign == std::string::npos ? std::nullopt : IpAddress::parse(text.substr(0, sign));
  if (!address || (sign != std::string::npos && !local)) return {};
  return signaling::TransportsConfig::Advertised{local, *address};
}

std::string is_advertised(const std::string& text) {
  return parse_advertised(text) ? "" : "`" + text + "` is neither an IP address nor LOCAL=PUBLIC";
}

// "MODE", or "TRANSPORT=MODE" for the listeners of one transport; later ones say more than earlier ones.
bool add_ice_mode(const std::string& text, calls::IceModes& modes) {
  const auto sign = text.find('=');
  const auto mode =
      named<IceMode>(kIceModeNames, std::string_view(text).substr(sign == std::string::npos ? 0 : sign + 1));
  if (!mode) return false;
  if (sign == std::string::npos) {
    modes.by_transport.fill(*mode);
    return true;
  }
  const auto transport = signaling::transport_by_name(std::string_view(text).substr(0, sign));
  if (transport) modes.by_transport[static_cast<std::size_t>(*transport)] = *mode;
  return transport.has_value();
}

std::string is_ice_mode(const std::string& text) {
  calls::IceModes any;
  return add_ice_mode(text, any)
             ? ""
             : "`" + text +
                   "` is neither none, lite or full, nor one of them for a transport, such as wss=full";
}

std::string is_store(const std::string& text) {
  const bool is_url = text.empty() || text.starts_with("postgresql://") || text.starts_with("postgres://");
  return is_url ? "" : "it is no postgresql:// URL; SQLite's file is always in data-dir";
}

std::string is_network(const std::string& text) {
  return Network::parse(text) ? "" : "`" + text + "` is no address or block such as 10.1.0.0/16";
}

// As browsers say it in `Origin`: no path, no slash at the end.
std::string is_origin(const std::string& text) {
  const auto host = text.find("://");
  const bool is_bare = host != std::string::npos && host != 0 && host + 3 < text.size() &&
                       text.find_first_of("/ \t", host + 3) == std::string::npos;
  return text == "*" || text == "none" || is_bare
             ? ""
             : "`" + text + "` is neither an origin such as https://app.example.com, nor `*`, nor `none`";
}

CLI::Validator validator(std::string (*check)(const std::string&), const char* name) {
  return CLI::Validator([check](std::string& text) { return check(text); }, name);
}

void add_options(CLI::App& app, Raw& raw) {
  const auto option = [&app](const std::string& name, auto& value, const std::string& text) {
    std::string variable = "VAS_" + name;
    for (char& c : variable)
      c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return app.add_option("--" + name, value, text)->envname(variable)->capture_default_str();
  };
  const auto address = validator(is_address, "ADDRESS");
  const auto endpoint = validator(is_endpoint, "ADDRESS:PORT");
  option("data-dir", raw.config.data_dir, "Folder for the store, the call journal and the records");
  option("store", raw.config.store,
         "postgresql:// URL of a database that several nodes share (default: SQLite in data-dir)")
      ->check(validator(is_store, "URL"));
  option("key-file", raw.config.key_file,
         "File with the key that tokens and secrets in the store are sealed with; made at the first start "
         "(default: "
         "store.key in data-dir)");
  option("directory", raw.config.directory_file,
         "JSON file with tenants, domains, subscribers, trunks and API keys, read into an empty store");
  option("node", raw.config.node, "Name of this node in sessions and records");
  option("log-level", raw.config.log_level, "Least severe line that is logged")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  option("user", raw.config.user,
         "Name or number of the user that vas becomes when root starts it (default: `vas`, where there is "
         "one, or "
         "a number that nobody else has)");
  option("seccomp", raw.seccomp,
         "What happens at system calls that vas has no use for: they fail (on), they end it (strict), or "
         "nothing (off)")
      ->check(CLI::IsMember({"on", "strict", "off"}));
  option("public-url", raw.config.public_url,
         "URL of the API that backends are told (default: of https-listen, or of http-listen)");
  option("http-listen", raw.http_listen, "Where the API listens in the clear")->check(endpoint);
  option("https-listen", raw.https_listen, "Where the API listens over TLS; may be given more than once")
      ->check(endpoint);
  option("http-proxy", raw.http_proxy,
         "Address or block of proxies whose X-Forwarded-For is believed, and who are not counted by address; "
         "may be "
         "given more than once")
      ->check(validator(is_network, "ADDRESS/BITS"));
  api::HttpServerConfig& http = raw.config.http;
  option("http-connections", http.max_connections, "Connections to the API at once, ringing polls among them")
      ->check(CLI::Range(8, 100'000));
  option("https-certificate", http.tls.certificates.certificate_file,
         "PEM file with the API's certificate and its chain (default: tls-certificate); read again when it "
         "changes");
  option("https-key", http.tls.certificates.key_file,
         "PEM file with that certificate's key (default: tls-key)");
  option("https-handshakes-per-second", http.tls.handshakes.per_second,
         "TLS handshakes with the API begun in all; half of them for addresses that showed no right key yet; "
         "0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  option("https-handshakes-per-address", http.tls.handshakes.per_second_of_address,
         "Of these, from one address (IPv6: one /64) that showed no right key yet, in a second")
      ->check(CLI::Range(1, 1'000'000));
  option("http-cors-origin", raw.cors_origin,
         "Origin whose pages may read what needs no key (the ringing poll), `*` for all, or `none`; may be "
         "given "
         "more than once")
      ->check(validator(is_origin, "ORIGIN"));
  option("http-connections-per-address", http.strangers_of_address,
         "Of these, from one address (IPv6: one /64) and without a right key or token")
      ->check(CLI::Range(1, 100'000));
  option("http-failures-per-minute", raw.config.api.clients.failures_per_minute,
         "Wrong keys and wrong poll tokens from one address; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  option("http-keyless-per-second", raw.config.api.clients.keyless_per_second,
         "Requests from one address that need no key; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  option("sip-listen", raw.sip_listen, "Where SIP listens, over UDP and TCP; may be given more than once")
      ->check(endpoint);
  option("tls-listen", raw.tls_listen, "Where SIP listens over TLS; may be given more than once")
      ->check(endpoint);
  option("ws-listen", raw.ws_listen,
         "Where SIP listens over WebSocket, for browsers; may be given more than once")
      ->check(endpoint);
  option("wss-listen", raw.wss_listen, "Where SIP listens over secure WebSocket; may be given more than once")
      ->check(endpoint);
  signaling::TransportsConfig& transports = raw.config.sip.transports;
  option("ws-host", transports.websocket.hosts,
         "Name, besides our addresses, our certificate's names and phone-server's, that browsers may reach "
         "WebSockets by, or `*`; may be given more than once");
  option("ws-origin", transports.websocket.origins,
         "Origin whose pages may open WebSockets, or `*`; may be given more than once (default: the pages of "
         "the host itself)");
  option(
      "phone-server", raw.config.phone_server,
      "URL at which browsers reach `wss-listen`, e.g. wss://sip.example.com (default: its port at the phone "
      "page's own host)");
  option("tls-certificate", transports.certificates.certificate_file,
         "PEM file with our certificate and its chain; read again when it changes");
  option("tls-key", transports.certificates.key_file, "PEM file with the certificate's key");
  option("tls-ca", transports.certificates.ca_file,
         "PEM file of who may sign trunks' certificates (default: the system's)");
  option("sip-advertised", raw.sip_advertised,
         "Address that SIP peers are told, behind 1:1 NAT: `PUBLIC`, or `LOCAL=PUBLIC` for one of several")
      ->check(validator(is_advertised, "ADDRESS"));
  option("sip-connections", transports.max_connections, "TCP, TLS and WebSocket connections at once")
      ->check(CLI::Range(1, 1'000'000));
  option("sip-connections-per-address", transports.max_connections_of_address,
         "Of these, from one address (IPv6: one /64)")
      ->check(CLI::Range(1, 1'000'000));
  option(
      "sip-handshakes-per-second", transports.handshakes.per_second,
      "Handshakes of TLS and WebSockets begun in all; half of them for addresses that no sensible SIP came "
      "from yet; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  option("sip-handshakes-per-address", transports.handshakes.per_second_of_address,
         "Of these, from one address (IPv6: one /64) that is no trunk's, in a second")
      ->check(CLI::Range(1, 1'000'000));
  signaling::SourceLimits& limits = raw.config.sip.limits;
  option("sip-requests-per-second", limits.requests_per_second,
         "New requests from one address that is no trunk's; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  option("sip-offences", limits.offences,
         "Malformed messages and bad tokens in a minute that bring an address a ban; 0: never")
      ->check(CLI::Range(0, 1'000'000));
  option("sip-ban", limits.ban_seconds,
         "Seconds of the first ban; the next ones within a day last longer; by datagram at most 60")
      ->check(CLI::Range(1, 86400));
  option("sip-threads", raw.config.sip_threads, "Signaling threads; calls are spread over them")
      ->check(CLI::Range(1, 16));
  option("trace-buffer", raw.trace_mib, "MiB of SIP messages kept for `vasctl trace`; 0: none")
      ->check(CLI::Range(0, 4096));
  option("hep-collector", raw.hep_collector, "Where copies of SIP messages go, as HEPv3 over UDP")
      ->check(endpoint);
  option("hep-capture-id", raw.config.sip.hep_capture_id, "Number of this node at the collector");
  option("dns-server", raw.dns_server, "DNS server to ask (default: the system's)")->check(endpoint);
  option("session-expires", raw.config.session_expires_s, "Seconds between session refreshes (RFC 4028)")
      ->check(CLI::Range(90, 86400));
  option("webhook-connections", raw.config.webhook_connections, "Requests to backends under way")
      ->check(CLI::Range(8, 10'000));
  option("webhook-ca", raw.config.webhook_ca,
         "PEM file of authorities that may sign backends' certificates, besides the system's");
  option("control-endpoint-timeout", raw.config.control_endpoint_timeout_s,
         "Seconds in which a control endpoint or a call routing application must have answered, all tries "
         "together; then the caller hears 480")
      ->check(CLI::Range(1, 120));
  option("webhook-allow", raw.webhook_allow,
         "Block of loopback, private or otherwise reserved addresses that callbacks may reach; may be given "
         "more than once")
      ->check(validator(is_network, "ADDRESS/BITS"));
  option(
      "peer-allow", raw.peer_allow,
      "Block of loopback, private or otherwise reserved addresses that SIP and media may be sent to; may be "
      "given more than once")
      ->check(validator(is_network, "ADDRESS/BITS"));
  option("media-bind", raw.media_bind, "IPv4 address of the media sockets")->check(address);
  option("media-bind6", raw.media_bind6, "IPv6 address of the media sockets; none: no IPv6 media")
      ->check(address);
  option("media-advertised", raw.media_advertised, "IPv4 address that SDP says, behind 1:1 NAT")
      ->check(address);
  option("media-port-min", raw.port_min, "First port of the media range")->check(CLI::Range(1024, 65534));
  option("media-port-max", raw.port_max, "Last port of the media range")->check(CLI::Range(1025, 65535));
  option("media-workers", raw.workers, "Media threads; 0: one for each core")->check(CLI::Range(0, 64));
  option("media-io", raw.media_io, "How datagrams are read: io_uring, or epoll where that is refused")
      ->check(CLI::IsMember({"auto", "uring", "epoll"}));
  option("media-kernel", raw.media_kernel,
         "Where the kernel relays plain calls, if it can: at tc ingress (auto; clsact: by its older hook), "
         "in drivers "
         "by XDP too (driver), or nowhere (off)")
      ->check(CLI::IsMember({"auto", "clsact", "driver", "off"}));
  option("media-send", raw.media_send,
         "How user space sends RTP: as frames by packet sockets where privilege allows (auto), or by sockets "
         "only")
      ->check(CLI::IsMember({"auto", "sockets"}));
  option("srtp-backend", raw.srtp_backend, "Whose SRTP is used; libsrtp2 is slower, and for comparison")
      ->check(CLI::IsMember({"openssl", "libsrtp2"}));
  option("srtp-keys-over-plain-sip", raw.config.trusts_plain_signaling,
         "Whether SRTP keys may stand in SIP that is not encrypted: only where nobody else reads it");
  option("ice", raw.ice,
         "Our side of ICE: none, lite, or full (behind a NAT, or towards lite peers); TRANSPORT=MODE for the "
         "listeners of one transport; may be given more than once")
      ->check(validator(is_ice_mode, "[TRANSPORT=]MODE"));
  option("stun-server", raw.stun_server, "STUN server that full ICE asks for our public address")
      ->check(endpoint);
  option("turn-server", raw.turn_server,
         "TURN server (UDP) that full ICE has its media relayed by if need be")
      ->check(endpoint);
  option("turn-user", raw.turn_user, "Name that the TURN server knows us by");
  option("turn-password", raw.turn_password, "Its password; better in the file or the environment");
  option("ice-relays-only", raw.config.media.relays_only,
         "Whether full ICE tells nobody an address of ours, only the TURN server's");
  option("media-timeout", raw.media_timeout_s,
         "Seconds without media from either party before a call is hung up")
      ->check(CLI::Range(1, 86400));
  option("hold-timeout", raw.hold_timeout_s,
         "Seconds without a sign of life from either party before a call on hold is hung up")
      ->check(CLI::Range(1, 86400));
  option("media-leg-packets", raw.media_leg_packets, "RTP packets that a leg may send in a second")
      ->check(CLI::Range(100, 1'000'000));
}

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

// CLI11 does not say where in the file it stumbled. So each key is tried alone, and the first bad one is
// named.
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

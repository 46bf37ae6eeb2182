#include "vas/app/config_options.h"

#include <cctype>
#include <functional>

namespace vas::app {
namespace {

std::string is_address(const std::string& text) {
  return text.empty() || IpAddress::parse(text) ? ""
                                                : "`" + text + "` is no IP address (names are not resolved)";
}

std::string is_endpoint(const std::string& text) {
  return Endpoint::parse(text) ? "" : "`" + text + "` is no address with a port, such as 127.0.0.1:5060";
}

std::string is_advertised(const std::string& text) {
  return parse_advertised(text) ? "" : "`" + text + "` is neither an IP address nor LOCAL=PUBLIC";
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

// Where a value goes, whatever its type.
struct Place {
  template <typename T>
  Place(T& value)
      : add([&value](CLI::App& app, const std::string& flag, const std::string& help) {
          return app.add_option(flag, value, help);
        }) {}
  std::function<CLI::Option*(CLI::App&, const std::string&, const std::string&)> add;
};

struct Option {
  std::string name;  // a key of the file; --NAME and VAS_NAME too
  Place place;
  std::string help;
  std::optional<CLI::Validator> check = {};
};
using Options = std::vector<Option>;

const CLI::Validator kAddress = validator(is_address, "ADDRESS");
const CLI::Validator kEndpoint = validator(is_endpoint, "ADDRESS:PORT");

Options options_of_node(Raw& raw) {
  return {
      {"data-dir", raw.config.data_dir, "Folder for the store, the call journal and the records"},
      {"store", raw.config.store,
       "postgresql:// URL of a database that several nodes share (default: SQLite in data-dir)",
       validator(is_store, "URL")},
      {"key-file", raw.config.key_file,
       "File with the key that tokens and secrets in the store are sealed with; made at the first start "
       "(default: store.key in data-dir)"},
      {"directory", raw.config.directory_file,
       "JSON file with tenants, domains, subscribers, trunks and API keys, read into an empty store"},
      {"node", raw.config.node, "Name of this node in sessions and records"},
      {"log-level", raw.config.log_level, "Least severe line that is logged",
       CLI::IsMember({"debug", "info", "warn", "error"})},
      {"user", raw.config.user,
       "Name or number of the user that vas becomes when root starts it (default: `vas`, where there is one, "
       "or a number that nobody else has)"},
      {"seccomp", raw.seccomp,
       "What happens at system calls that vas has no use for: they fail (on), they end it (strict), or "
       "nothing (off)",
       CLI::IsMember({"on", "strict", "off"})},
      {"public-url", raw.config.public_url,
       "URL of the API that backends are told (default: of https-listen, or of http-listen)"},
  };
}

Options options_of_api(Raw& raw) {
  api::HttpServerConfig& http = raw.config.http;
  return {
      {"http-listen", raw.http_listen, "Where the API listens in the clear", kEndpoint},
      {"https-listen", raw.https_listen, "Where the API listens over TLS; may be given more than once",
       kEndpoint},
      {"http-proxy", raw.http_proxy,
       "Address or block of proxies whose X-Forwarded-For is believed, and who are not counted by address; "
       "may be given more than once",
       validator(is_network, "ADDRESS/BITS")},
      {"http-connections", http.max_connections, "Connections to the API at once, ringing polls among them",
       CLI::Range(8, 100'000)},
      {"https-certificate", http.tls.certificates.certificate_file,
       "PEM file with the API's certificate and its chain (default: tls-certificate); read again when it "
       "changes"},
      {"https-key", http.tls.certificates.key_file,
       "PEM file with that certificate's key (default: tls-key)"},
      {"https-handshakes-per-second", http.tls.handshakes.per_second,
       "TLS handshakes with the API begun in all; half of them for addresses that showed no right key yet; "
       "0: no limit",
       CLI::Range(0, 1'000'000)},
      {"https-handshakes-per-address", http.tls.handshakes.per_second_of_address,
       "Of these, from one address (IPv6: one /64) that showed no right key yet, in a second",
       CLI::Range(1, 1'000'000)},
      {"http-cors-origin", raw.cors_origin,
       "Origin whose pages may read what needs no key (the ringing poll), `*` for all, or `none`; may be "
       "given more than once",
       validator(is_origin, "ORIGIN")},
      {"http-connections-per-address", http.strangers_of_address,
       "Of these, from one address (IPv6: one /64) and without a right key or token", CLI::Range(1, 100'000)},
      {"http-failures-per-minute", raw.config.api.clients.failures_per_minute,
       "Wrong keys and wrong poll tokens from one address; 0: no limit", CLI::Range(0, 1'000'000)},
      {"http-keyless-per-second", raw.config.api.clients.keyless_per_second,
       "Requests from one address that need no key; 0: no limit", CLI::Range(0, 1'000'000)},
  };
}

Options options_of_listeners(Raw& raw) {
  signaling::TransportsConfig& transports = raw.config.sip.transports;
  return {
      {"sip-listen", raw.sip_listen, "Where SIP listens, over UDP and TCP; may be given more than once",
       kEndpoint},
      {"tls-listen", raw.tls_listen, "Where SIP listens over TLS; may be given more than once", kEndpoint},
      {"ws-listen", raw.ws_listen,
       "Where SIP listens over WebSocket, for browsers; may be given more than once", kEndpoint},
      {"wss-listen", raw.wss_listen, "Where SIP listens over secure WebSocket; may be given more than once",
       kEndpoint},
      {"ws-host", transports.websocket.hosts,
       "Name, besides our addresses, our certificate's names and phone-server's, that browsers may reach "
       "WebSockets by, or `*`; may be given more than once"},
      {"ws-origin", transports.websocket.origins,
       "Origin whose pages may open WebSockets, or `*`; may be given more than once (default: the pages of "
       "the host itself)"},
      {"phone-server", raw.config.phone_server,
       "URL at which browsers reach `wss-listen`, e.g. wss://sip.example.com (default: its port at the phone "
       "page's own host)"},
      {"tls-certificate", transports.certificates.certificate_file,
       "PEM file with our certificate and its chain; read again when it changes"},
      {"tls-key", transports.certificates.key_file, "PEM file with the certificate's key"},
      {"tls-ca", transports.certificates.ca_file,
       "PEM file of who may sign trunks' certificates (default: the system's)"},
      {"sip-advertised", raw.sip_advertised,
       "Address that SIP peers are told, behind 1:1 NAT: `PUBLIC`, or `LOCAL=PUBLIC` for one of several",
       validator(is_advertised, "ADDRESS")},
  };
}

Options options_of_sip(Raw& raw) {
  signaling::TransportsConfig& transports = raw.config.sip.transports;
  signaling::SourceLimits& limits = raw.config.sip.limits;
  return {
      {"sip-connections", transports.max_connections, "TCP, TLS and WebSocket connections at once",
       CLI::Range(1, 1'000'000)},
      {"sip-connections-per-address", transports.max_connections_of_address,
       "Of these, from one address (IPv6: one /64)", CLI::Range(1, 1'000'000)},
      {"sip-handshakes-per-second", transports.handshakes.per_second,
       "Handshakes of TLS and WebSockets begun in all; half of them for addresses that no sensible SIP came "
       "from yet; 0: no limit",
       CLI::Range(0, 1'000'000)},
      {"sip-handshakes-per-address", transports.handshakes.per_second_of_address,
       "Of these, from one address (IPv6: one /64) that is no trunk's, in a second",
       CLI::Range(1, 1'000'000)},
      {"sip-requests-per-second", limits.requests_per_second,
       "New requests from one address that is no trunk's; 0: no limit", CLI::Range(0, 1'000'000)},
      {"sip-offences", limits.offences,
       "Malformed messages and bad tokens in a minute that bring an address a ban; 0: never",
       CLI::Range(0, 1'000'000)},
      {"sip-ban", limits.ban_seconds,
       "Seconds of the first ban; the next ones within a day last longer; by datagram at most 60",
       CLI::Range(1, 86400)},
      {"sip-threads", raw.config.sip_threads, "Signaling threads; calls are spread over them",
       CLI::Range(1, 16)},
      {"trace-buffer", raw.trace_mib, "MiB of SIP messages kept for `vasctl trace`; 0: none",
       CLI::Range(0, 4096)},
      {"hep-collector", raw.hep_collector, "Where copies of SIP messages go, as HEPv3 over UDP", kEndpoint},
      {"hep-capture-id", raw.config.sip.hep_capture_id, "Number of this node at the collector"},
      {"dns-server", raw.dns_server, "DNS server to ask (default: the system's)", kEndpoint},
      {"session-expires", raw.config.session_expires_s, "Seconds between session refreshes (RFC 4028)",
       CLI::Range(90, 86400)},
  };
}

Options options_of_backends(Raw& raw) {
  return {
      {"webhook-connections", raw.config.webhook_connections, "Requests to backends under way",
       CLI::Range(8, 10'000)},
      {"webhook-ca", raw.config.webhook_ca,
       "PEM file of authorities that may sign backends' certificates, besides the system's"},
      {"control-endpoint-timeout", raw.config.control_endpoint_timeout_s,
       "Seconds in which a control endpoint or a call routing application must have answered, all tries "
       "together; then the caller hears 480",
       CLI::Range(1, 120)},
      {"webhook-allow", raw.webhook_allow,
       "Block of loopback, private or otherwise reserved addresses that callbacks may reach; may be given "
       "more than once",
       validator(is_network, "ADDRESS/BITS")},
      {"peer-allow", raw.peer_allow,
       "Block of loopback, private or otherwise reserved addresses that SIP and media may be sent to; may be "
       "given more than once",
       validator(is_network, "ADDRESS/BITS")},
  };
}

Options options_of_media(Raw& raw) {
  return {
      {"media-bind", raw.media_bind, "IPv4 address of the media sockets", kAddress},
      {"media-bind6", raw.media_bind6, "IPv6 address of the media sockets; none: no IPv6 media", kAddress},
      {"media-advertised", raw.media_advertised, "IPv4 address that SDP says, behind 1:1 NAT", kAddress},
      {"media-port-min", raw.port_min, "First port of the media range", CLI::Range(1024, 65534)},
      {"media-port-max", raw.port_max, "Last port of the media range", CLI::Range(1025, 65535)},
      {"media-workers", raw.workers, "Media threads; 0: one for each core", CLI::Range(0, 64)},
      {"media-io", raw.media_io, "How datagrams are read: io_uring, or epoll where that is refused",
       CLI::IsMember({"auto", "uring", "epoll"})},
      {"media-kernel", raw.media_kernel,
       "Where the kernel relays plain calls, if it can: at tc ingress (auto; clsact: by its older hook), in "
       "drivers by XDP too (driver), or nowhere (off)",
       CLI::IsMember({"auto", "clsact", "driver", "off"})},
      {"media-send", raw.media_send,
       "How user space sends RTP: as frames by packet sockets where privilege allows (auto), or by sockets "
       "only",
       CLI::IsMember({"auto", "sockets"})},
      {"srtp-backend", raw.srtp_backend, "Whose SRTP is used; libsrtp2 is slower, and for comparison",
       CLI::IsMember({"openssl", "libsrtp2"})},
      {"srtp-keys-over-plain-sip", raw.config.trusts_plain_signaling,
       "Whether SRTP keys may stand in SIP that is not encrypted: only where nobody else reads it"},
  };
}

Options options_of_ice(Raw& raw) {
  return {
      {"ice", raw.ice,
       "Our side of ICE: none, lite, or full (behind a NAT, or towards lite peers); TRANSPORT=MODE for the "
       "listeners of one transport; may be given more than once",
       validator(is_ice_mode, "[TRANSPORT=]MODE")},
      {"stun-server", raw.stun_server, "STUN server that full ICE asks for our public address", kEndpoint},
      {"turn-server", raw.turn_server, "TURN server (UDP) that full ICE has its media relayed by if need be",
       kEndpoint},
      {"turn-user", raw.turn_user, "Name that the TURN server knows us by"},
      {"turn-password", raw.turn_password, "Its password; better in the file or the environment"},
      {"ice-relays-only", raw.config.media.relays_only,
       "Whether full ICE tells nobody an address of ours, only the TURN server's"},
  };
}

Options options_of_media_limits(Raw& raw) {
  return {
      {"media-timeout", raw.media_timeout_s,
       "Seconds without media from either party before a call is hung up", CLI::Range(1, 86400)},
      {"hold-timeout", raw.hold_timeout_s,
       "Seconds without a sign of life from either party before a call on hold is hung up",
       CLI::Range(1, 86400)},
      {"media-leg-packets", raw.media_leg_packets, "RTP packets that a leg may send in a second",
       CLI::Range(100, 1'000'000)},
  };
}

std::string variable_of(const std::string& name) {
  std::string variable = "VAS_" + name;
  for (char& c : variable)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

}  // namespace

std::optional<signaling::TransportsConfig::Advertised> parse_advertised(const std::string& text) {
  const auto sign = text.find('=');
  const auto address = IpAddress::parse(text.substr(sign == std::string::npos ? 0 : sign + 1));
  const auto local = sign == std::string::npos ? std::nullopt : IpAddress::parse(text.substr(0, sign));
  if (!address || (sign != std::string::npos && !local)) return {};
  return signaling::TransportsConfig::Advertised{local, *address};
}

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

void add_options(CLI::App& app, Raw& raw) {
  // In the order in which --help lists them.
  for (const auto options_of :
       {options_of_node, options_of_api, options_of_listeners, options_of_sip, options_of_backends,
        options_of_media, options_of_ice, options_of_media_limits}) {
    for (const Option& each : options_of(raw)) {
      CLI::Option* option = each.place.add(app, "--" + each.name, each.help);
      option->envname(variable_of(each.name))->capture_default_str();
      if (each.check) option->check(*each.check);
    }
  }
}

}  // namespace vas::app

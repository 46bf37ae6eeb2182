// Who may open a WebSocket: by which name it reaches us, and whose page it is of. (RFC 6455 §4.2, §10.2)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_check.h"
#include "signaling/gateway/policy/listener_table.h"

namespace vas::signaling {

struct WebSocketNames {
  std::vector<std::string> hosts;    // besides our addresses and our certificate's names; `*`: any
  std::vector<std::string> origins;  // pages that may; `*`: any; where it is empty, those of the host itself
};

// A page that makes its own name resolve to us (DNS rebinding) sends that name as Host and as Origin, which
// then agree: so Host must be a name of ours. That is an address that we listen at, advertise or were reached
// at; `localhost` where we were reached at a loopback address; over TLS a name of the certificate; or what is
// configured. Ports do not count: there may be a proxy.
//
// Threads:  the streams'.
// Lifetime: `listeners` outlives it.
class WebSocketDoor {
 public:
  struct Request {
    std::string_view host;                   // the only Host; empty: none, or several
    std::optional<std::string_view> origin;  // none: no browser
    IpAddress reached;                       // our end of the connection
    bool is_secure = false;
  };

  WebSocketDoor(const ListenerTable& listeners, WebSocketNames names)
      : listeners_(listeners), names_(std::move(names)) {}

  void set_certificate_names(std::vector<std::string> names) { certificate_names_ = std::move(names); }

  // Why it may not, for whoever reads the response; null when it may.
  const char* refusal(const Request& request) const;

 private:
  bool is_ours(std::string_view host, const Request& request) const;
  bool is_our_address(const IpAddress& address, const IpAddress& reached) const;
  bool is_welcome(std::string_view origin, std::string_view host) const;

  const ListenerTable& listeners_;
  const WebSocketNames names_;
  std::vector<std::string> certificate_names_;
  ThreadCheck thread_check_{"WebSocketDoor"};
};

// "sip.example" of "wss://sip.example:8443/path", "[2001:db8::1]" of "http://[2001:db8::1]"; empty for what
// is no such URL.
std::string_view host_of_url(std::string_view url);

}  // namespace vas::signaling

// A SIP message taken apart just far enough to check and edit it. (RFC 3261 §7, §25)
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace vas::signaling {

enum class HeaderName : std::uint8_t {
  kVia,
  kFrom,
  kTo,
  kCallId,
  kCseq,
  kContact,
  kRecordRoute,
  kRoute,
  kMaxForwards,
  kContentLength,
  kContentType,
  kUserAgent,
  kExpires,
  kRequire,        // and Proxy-Require: what must not be overlooked
  kSessionToken,   // X-Cloudonix-Session
  kSessionDomain,  // X-Cloudonix-Domain
  kVasPrivate,     // X-VAS-*
  kOther
};

struct HeaderField {
  HeaderName name = HeaderName::kOther;
  std::string_view line;   // as it came, folded lines and all, without its last CRLF
  std::string_view value;  // trimmed; may hold folds, which count as a space
};

// What a header field holds is text: UTF-8 without control characters, but for folds and tabs, which stand
// for a blank (docs/signaling.md, "Bytes"). One that holds anything else is left out, as though it had not
// come, and so is such a reason phrase; where the message depends on it,
// it `is_text` no more and passes no guard.
//
// Lifetime: borrows the bytes it was parsed from.
// Bounds:   at most kMaxHeaders header fields of kMaxLineBytes, else nothing is parsed.
struct SipMessage {
  // A UDP datagram holds 64 KiB less its headers, and the gateway adds headers of its own.
  static constexpr std::size_t kMaxBytes = 60 * 1024;
  // 70 Vias or 70 Record-Routes, and the rest of a message.
  static constexpr std::size_t kMaxHeaders = 128;
  // A long Authorization or Record-Route is a tenth of it.
  static constexpr std::size_t kMaxLineBytes = 8 * 1024;

  std::string_view start_line;
  std::vector<HeaderField> headers;
  std::string_view body;  // what follows the empty line, all of it
  bool is_text = true;

  // Any bytes at all. Nothing if there is no start line, no empty line, or a header line without a colon.
  static std::optional<SipMessage> parse(std::string_view text);

  bool is_request() const;
  std::string_view method() const;       // of a request
  std::string_view request_uri() const;  // of a request; may be empty on a malformed start line
  std::string_view version() const;      // last word of a request's start line, in any case
  int status() const;                    // of a response, 0 when malformed

  const HeaderField* first(HeaderName name) const;
  std::size_t count(HeaderName name) const;

 private:
  void parse_start_line(std::string_view line);
  bool parse_header(std::string_view line);
};

// The first header field's value; empty where there is none.
std::string_view value_of(const SipMessage& message, HeaderName name);
// Of a private header of ours, X-VAS-*, between the gateway and the stacks.
std::string_view private_value(const SipMessage& message, std::string_view name);
inline constexpr std::string_view kCallHeader = "X-VAS-Call";      // the session that a dialog belongs to
inline constexpr std::string_view kOriginHeader = "X-VAS-Origin";  // who sent what a node forwarded

// The tag of a From or To value, behind its address.
std::optional<std::string_view> tag_of(std::string_view value);
// A token of the grammar: a method, a header's name, a tag (RFC 3261 §25.1).
bool is_token(std::string_view text);
bool is_quoted_string(std::string_view text);

// The To header's tag: a request that has one says that it is inside a dialog.
std::optional<std::string_view> to_tag(const SipMessage& message);
std::optional<std::string_view> from_tag(const SipMessage& message);
inline bool has_to_tag(const SipMessage& message) { return to_tag(message).has_value(); }

// The end of a header value's first element:
// commas part elements outside quotes and angle brackets (RFC 3261 §7.3.1).
std::string_view first_element(std::string_view value);
std::string_view rest_elements(
    std::string_view value);  // what follows the first; empty where there is one only
std::vector<std::string_view> elements(std::string_view value, char separator = ',');

// The URI of a name-addr or addr-spec: `"Bob" <sip:bob@host>;x=y` and `sip:bob@host;x=y`.
std::string_view uri_of(std::string_view name_addr);

// A top Via element: `SIP/2.0/UDP host:port;branch=...` (RFC 3261 §20.42).
struct Via {
  std::string_view transport;  // "UDP"
  std::string_view host;
  std::uint16_t port = 0;  // 0: none written
  std::string_view branch;
  bool has_rport = false;
  std::string_view text;

  static std::optional<Via> parse(std::string_view element);
};

// The host and port of a sip: or sips: URI, its user, and its transport parameter.
struct SipUri {
  std::string_view scheme;
  std::string_view user;
  std::string_view host;
  std::uint16_t port = 0;       // 0: none written
  std::string_view parameters;  // from the first `;` behind the host on
  bool has_headers = false;     // `?` and what follows, which is left out

  static std::optional<SipUri> parse(std::string_view uri);
  template <std::same_as<std::string> Temporary>  // it would be gone before its parts are read
  static std::optional<SipUri> parse(Temporary&& uri) = delete;
  std::string_view transport() const;  // empty where none is written
};

}  // namespace vas::signaling

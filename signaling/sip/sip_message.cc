#include "signaling/sip/sip_message.h"

#include <algorithm>
#include <array>

#include "base/endpoint.h"
#include "base/text.h"

namespace vas::signaling {
namespace {

struct KnownName {
  std::string_view full;
  std::string_view compact;  // RFC 3261 §7.3.3
  HeaderName name;
};

constexpr std::array<KnownName, 17> kKnownNames = {{
    {"Via", "v", HeaderName::kVia},
    {"From", "f", HeaderName::kFrom},
    {"To", "t", HeaderName::kTo},
    {"Call-ID", "i", HeaderName::kCallId},
    {"CSeq", "", HeaderName::kCseq},
    {"Contact", "m", HeaderName::kContact},
    {"Record-Route", "", HeaderName::kRecordRoute},
    {"Route", "", HeaderName::kRoute},
    {"Max-Forwards", "", HeaderName::kMaxForwards},
    {"Content-Length", "l", HeaderName::kContentLength},
    {"Content-Type", "c", HeaderName::kContentType},
    {"Expires", "", HeaderName::kExpires},
    {"User-Agent", "", HeaderName::kUserAgent},
    {"Require", "", HeaderName::kRequire},
    {"Proxy-Require", "", HeaderName::kRequire},
    {"X-Cloudonix-Session", "", HeaderName::kSessionToken},
    {"X-Cloudonix-Domain", "", HeaderName::kSessionDomain},
}};

HeaderName header_name(std::string_view name) {
  for (const KnownName& known : kKnownNames) {
    // Lengths first: most names are none of these.
    if ((name.size() == known.full.size() && equals_ignoring_case(name, known.full)) ||
        (name.size() == known.compact.size() && !name.empty() && equals_ignoring_case(name, known.compact))) {
      return known.name;
    }
  }
  return starts_with_ignoring_case(name, "X-VAS-") ? HeaderName::kVasPrivate : HeaderName::kOther;
}

// Takes one line with the folded lines behind it; `text` moves past its line end. Nothing without a line end.
std::optional<std::string_view> pop_header_line(std::string_view& text) {
  std::size_t end = 0;
  for (std::size_t from = 0;;) {
    end = text.find('\n', from);
    if (end == std::string_view::npos) return {};
    const bool is_folded = end + 1 < text.size() && (text[end + 1] == ' ' || text[end + 1] == '\t');
    const bool is_empty_line = end == 0 || (end == 1 && text[0] == '\r');
    if (!is_folded || is_empty_line) break;
    from = end + 1;
  }
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// A line as it came is text, but for its folds and tabs. A CR that ends no line is none of these: what reads
// it as nothing and what reads it as a line end see different headers (decision 002).
bool is_text_line(std::string_view line) {
  if (is_printable(line)) return true;  // as nearly all are
  for (;;) {
    const auto blank = line.find_first_of("\t\n");
    std::string_view piece = line.substr(0, blank);
    const bool ends_line = blank != std::string_view::npos && line[blank] == '\n';
    if (ends_line && piece.ends_with('\r')) piece.remove_suffix(1);
    if (!is_printable(piece)) return false;
    if (blank == std::string_view::npos) return true;
    line.remove_prefix(blank + 1);
  }
}

// What tells of the sender, or is for others: a message goes on without it.
bool may_be_left_out(HeaderName name) {
  return name == HeaderName::kOther || name == HeaderName::kUserAgent || name == HeaderName::kVasPrivate;
}

// Calls `visit(position)` for every character outside quotes and angle brackets until it returns true.
template <typename Visit>
std::size_t scan_outside_quotes(std::string_view text, Visit&& visit) {
  bool in_quotes = false;
  int in_brackets = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_quotes) {
      if (c == '\\') ++i;
      if (c == '"') in_quotes = false;
      continue;
    }
    if (c == '"') in_quotes = true;
    if (c == '<') ++in_brackets;
    if (c == '>' && in_brackets > 0) --in_brackets;
    if (in_brackets == 0 && visit(c)) return i;
  }
  return std::string_view::npos;
}

// "host", "host:5060", "[2001:db8::1]:5060". False when malformed.
bool split_host_port(std::string_view text, std::string_view& host, std::uint16_t& port) {
  std::size_t host_end = text.starts_with('[') ? text.find(']') : text.find(':');
  if (text.starts_with('[')) {
    if (host_end == std::string_view::npos || !IpAddress::parse(text.substr(0, host_end + 1))) return false;
    ++host_end;
  }
  host = text.substr(0, host_end);
  if (host.empty()) return false;
  if (host_end == std::string_view::npos || host_end == text.size()) return true;
  if (text[host_end] != ':') return false;
  const auto number = parse_number<std::uint16_t>(text.substr(host_end + 1));
  if (!number || *number == 0) return false;
  port = *number;
  return true;
}

}  // namespace

void SipMessage::parse_start_line(std::string_view line) {
  constexpr std::size_t kStatusBytes = std::string_view("SIP/2.0 200 ").size();
  start_line = line;
  if (is_printable(line)) return;
  const bool is_phrase_alone = !is_request() && is_printable(line.substr(0, kStatusBytes));
  is_text = is_phrase_alone;
  if (is_phrase_alone) start_line = line.substr(0, kStatusBytes);
}

// False for a line without a name.
bool SipMessage::parse_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = trim(line.substr(0, colon));
  const HeaderField field{header_name(name), line, trim(line.substr(colon + 1))};
  const bool is_good_name = is_token(name);
  if (is_good_name && is_text_line(line)) {
    headers.push_back(field);
  } else if (!is_good_name || !may_be_left_out(field.name)) {
    headers.push_back(field);  // for the response that says so
    is_text = false;
  }
  return true;
}

std::optional<SipMessage> SipMessage::parse(std::string_view text) {
  if (text.size() > kMaxBytes) return {};
  SipMessage message;
  const auto start = pop_header_line(text);
  if (!start || start->empty() || start->size() > kMaxLineBytes) return {};
  message.parse_start_line(*start);

  for (std::size_t lines = 0;; ++lines) {
    const auto line = pop_header_line(text);
    if (!line || line->size() > kMaxLineBytes) return {};
    if (line->empty()) break;
    if (lines == kMaxHeaders || !message.parse_header(*line)) return {};
  }
  message.body = text;
  return message;
}

// The version is a token, and tokens have no case (RFC 3261 §7.3.1).
bool SipMessage::is_request() const { return !starts_with_ignoring_case(start_line, "SIP/"); }

std::string_view SipMessage::method() const { return start_line.substr(0, start_line.find(' ')); }

std::string_view SipMessage::request_uri() const {
  const auto first = start_line.find(' ');
  const auto last = start_line.rfind(' ');
  if (first == std::string_view::npos || last == first) return {};
  return start_line.substr(first + 1, last - first - 1);
}

std::string_view SipMessage::version() const {
  const auto last = start_line.rfind(' ');
  return last == std::string_view::npos ? std::string_view{} : start_line.substr(last + 1);
}

int SipMessage::status() const {
  constexpr std::string_view kPrefix = "SIP/2.0 ";
  if (!starts_with_ignoring_case(start_line, kPrefix)) return 0;
  return parse_number<int>(start_line.substr(kPrefix.size(), 3)).value_or(0);
}

const HeaderField* SipMessage::first(HeaderName name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const HeaderField& each) { return each.name == name; });
  return found == headers.end() ? nullptr : &*found;
}

std::size_t SipMessage::count(HeaderName name) const {
  return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(),
                                                [&](const HeaderField& each) { return each.name == name; }));
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "-.!%*_+`'~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_quoted_string(std::string_view text) {
  if (text.size() < 2 || text.front() != '"') return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1 == text.size();
    }
  }
  return false;
}

std::string_view value_of(const SipMessage& message, HeaderName name) {
  const HeaderField* header = message.first(name);
  return header == nullptr ? std::string_view() : header->value;
}

std::string_view private_value(const SipMessage& message, std::string_view name) {
  for (const HeaderField& header : message.headers) {
    if (header.name != HeaderName::kVasPrivate) continue;
    if (equals_ignoring_case(trim(header.line.substr(0, header.line.find(':'))), name)) return header.value;
  }
  return {};
}

std::optional<std::string_view> tag_of(std::string_view value) {
  const auto bracket = value.rfind('>');  // parameters behind it are the header's own
  return parameter(value.substr(bracket == std::string_view::npos ? 0 : bracket), "tag");
}

std::optional<std::string_view> to_tag(const SipMessage& message) {
  return tag_of(value_of(message, HeaderName::kTo));
}

std::optional<std::string_view> from_tag(const SipMessage& message) {
  return tag_of(value_of(message, HeaderName::kFrom));
}

std::string_view first_element(std::string_view value) {
  return trim(value.substr(0, scan_outside_quotes(value, [](char c) { return c == ','; })));
}

std::string_view rest_elements(std::string_view value) {
  const auto comma = scan_outside_quotes(value, [](char c) { return c == ','; });
  return comma == std::string_view::npos ? value.substr(value.size()) : trim(value.substr(comma + 1));
}

std::vector<std::string_view> elements(std::string_view value, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = scan_outside_quotes(value, [&](char c) { return c == separator; });
    parts.push_back(trim(value.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    value.remove_prefix(end + 1);
  }
}

std::string_view uri_of(std::string_view name_addr) {
  // The bracket that opens the URI is the first one outside the quoted display name.
  bool in_quotes = false;
  for (std::size_t i = 0; i < name_addr.size(); ++i) {
    if (in_quotes && name_addr[i] == '\\') {
      ++i;
    } else if (name_addr[i] == '"') {
      in_quotes = !in_quotes;
    } else if (!in_quotes && name_addr[i] == '<') {
      const auto close = name_addr.find('>', i);
      return close == std::string_view::npos ? std::string_view{}
                                             : trim(name_addr.substr(i + 1, close - i - 1));
    }
  }
  return trim(name_addr.substr(
      0, name_addr.find(';')));  // addr-spec: what follows `;` is the header's (RFC 3261 §20.10)
}

std::optional<Via> Via::parse(std::string_view element) {
  Via via{.text = element};
  const auto semicolon = element.find(';');
  std::string_view head = trim(element.substr(0, semicolon));
  const auto blank = head.find_last_of(" \t");
  if (blank == std::string_view::npos) return {};
  if (!split_host_port(trim(head.substr(blank + 1)), via.host, via.port)) return {};

  const std::string_view protocol = trim(head.substr(0, blank));
  const auto slash = protocol.rfind('/');
  if (slash == std::string_view::npos || !starts_with_ignoring_case(protocol, "SIP")) return {};
  via.transport = trim(protocol.substr(slash + 1));
  via.branch = parameter(element, "branch").value_or(std::string_view{});
  via.has_rport = parameter(element, "rport").has_value();
  return via;
}

std::optional<SipUri> SipUri::parse(std::string_view uri) {
  SipUri parsed;
  const auto colon = uri.find(':');
  if (colon == std::string_view::npos) return {};
  parsed.scheme = uri.substr(0, colon);
  if (!equals_ignoring_case(parsed.scheme, "sip") && !equals_ignoring_case(parsed.scheme, "sips")) return {};
  std::string_view rest = uri.substr(colon + 1);
  const auto at = rest.find('@');  // a user part may hold `?` and `;`, never `@` (RFC 3261 §25.1)
  if (at != std::string_view::npos) {
    parsed.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  const auto question = rest.find('?');
  parsed.has_headers = question != std::string_view::npos;
  rest = rest.substr(0, question);
  const auto semicolon = rest.find(';');
  if (semicolon != std::string_view::npos) parsed.parameters = rest.substr(semicolon);
  if (!split_host_port(trim(rest.substr(0, semicolon)), parsed.host, parsed.port)) return {};
  return parsed;
}

std::string_view SipUri::transport() const {
  return parameter(parameters, "transport").value_or(std::string_view{});
}

}  // namespace vas::signaling

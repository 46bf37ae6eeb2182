#include "vas/api/http_head.h"

#include <algorithm>

#include "base/text.h"

namespace vas::api {
namespace {

constexpr std::size_t kMaxLengthDigits = 18;  // fits 64 bits, whatever they are

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLengthDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The fields that say how long a request is and whom it is for.
struct Framing {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  std::string_view length;
  std::string_view encoding;
};

Framing framing_of(std::string_view fields) {
  Framing framing;
  for (std::string_view line : split(fields, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "host")) ++framing.hosts;
    if (equals_ignoring_case(name, "content-length")) {
      ++framing.lengths;
      framing.length = value;
    }
    if (equals_ignoring_case(name, "transfer-encoding")) {
      ++framing.encodings;
      framing.encoding = value;
    }
  }
  return framing;
}

}  // namespace

HeadScanner::Verdict HeadScanner::parse(std::string_view bytes) {
  for (const char byte : bytes) {
    const Verdict verdict = parse_byte(byte);
    if (verdict != Verdict::kMore) return verdict;
  }
  return Verdict::kMore;
}

HeadScanner::Verdict HeadScanner::parse_byte(char byte) {
  ++size_;
  if (is_after_cr_) {
    if (byte != '\n') return Verdict::kBad;
    const bool is_end = line_size_ == 0 && !is_first_line_;
    is_after_cr_ = is_first_line_ = false;
    line_size_ = 0;
    return is_end ? Verdict::kWhole : Verdict::kMore;
  }
  if (byte == '\r') {
    is_after_cr_ = true;
    return Verdict::kMore;
  }
  const bool is_blank = byte == ' ' || byte == '\t';
  if (is_blank && line_size_ == 0) return Verdict::kBad;
  const bool is_control = static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
  if (is_control && byte != '\t') return Verdict::kBad;
  ++line_size_;
  return Verdict::kMore;
}

std::optional<std::string> fault_of_head(std::string_view head) {
  const auto end_of_start = head.find("\r\n");
  if (end_of_start == std::string_view::npos) return "The request has no start line.";
  const bool is_http11 = head.substr(0, end_of_start).ends_with(" HTTP/1.1");
  const Framing framing = framing_of(head.substr(end_of_start + 2));

  if (framing.hosts > 1 || (is_http11 && framing.hosts == 0))
    return "The request must have one `Host` field (RFC 9112 §3.2).";
  if (framing.encodings > 0) {
    if (framing.lengths > 0)
      return "The request has both `Transfer-Encoding` and `Content-Length` (RFC 9112 §6.1).";
    if (framing.encodings > 1 || !is_http11 || !equals_ignoring_case(framing.encoding, "chunked"))
      return "The only `Transfer-Encoding` that is taken is `chunked`, once, of HTTP/1.1 (RFC 9112 §6.1).";
  }
  if (framing.lengths > 1 || (framing.lengths == 1 && !is_digits(framing.length)))
    return "`Content-Length` must be one number (RFC 9112 §6.3).";
  return {};
}

}  // namespace vas::api

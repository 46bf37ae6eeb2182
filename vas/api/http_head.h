// Judges the head of an HTTP/1.1 request, byte for byte, before a parser that forgives sees it. (RFC 9112)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vas::api {

// Where a head ends, found as its bytes come: each is looked at once.
//
// Refuses what two readers could take differently: a line feed without its carriage return and the other way
// round, control characters, a line that continues the one before (obs-fold, RFC 9112 §5.2).
class HeadScanner {
 public:
  enum class Verdict { kMore, kWhole, kBad };

  // The bytes that follow those of the last call.
  Verdict parse(std::string_view bytes);
  // Of the head, with its empty line; of what was taken, as long as it is not whole.
  std::size_t size() const { return size_; }

 private:
  Verdict parse_byte(char byte);

  std::size_t size_ = 0;
  std::size_t line_size_ = 0;
  bool is_first_line_ = true;
  bool is_after_cr_ = false;
};

// What is wrong with a whole head, as a sentence; nothing for one whose body has one meaning: one Host, and
// either no Transfer-Encoding or `chunked` alone, of HTTP/1.1, without a Content-Length, of which there is
// one at most, in digits (RFC 9112 §3.2, §6.1, §6.3).
std::optional<std::string> fault_of_head(std::string_view head);

}  // namespace vas::api

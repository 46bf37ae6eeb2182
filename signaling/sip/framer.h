// Cuts a stream into SIP messages by Content-Length. (RFC 3261 §18.3; keep-alives RFC 5626 §4.4.1)
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vas::signaling {

// Bounds: keeps less than one message and one read; a message over SipMessage::kMaxBytes ends the connection.
class Framer {
 public:
  struct Frame {
    enum class Kind { kMessage, kPing, kNeedMore, kBroken } kind;
    std::string text;  // of kMessage; of kBroken the head that cannot be followed, if it is one
  };

  void append(std::string_view bytes) { buffer_.append(bytes); }
  Frame next();
  bool holds_partial_message() const { return !buffer_.empty(); }

 private:
  std::string buffer_;
};

}  // namespace vas::signaling

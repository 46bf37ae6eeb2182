#include "signaling/sip/framer.h"

#include "base/text.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

// How much of `text` is nothing but `piece`, from its beginning on.
std::size_t bytes_of(std::string_view text, std::string_view piece) {
  std::size_t bytes = 0;
  while (text.substr(bytes).starts_with(piece)) bytes += piece.size();
  return bytes;
}

}  // namespace

Framer::Frame Framer::next() {
  // However many pings came at once, one pong says as much.
  if (const std::size_t pings = bytes_of(buffer_, "\r\n\r\n"); pings != 0) {
    buffer_.erase(0, pings);
    return {Frame::Kind::kPing, {}};
  }
  // A single CRLF is a pong, or stray line ends before a message (RFC 3261 §7.5).
  if (buffer_ == "\r" || buffer_ == "\r\n" || buffer_ == "\r\n\r") return {Frame::Kind::kNeedMore, {}};
  buffer_.erase(0, bytes_of(buffer_, "\r\n"));

  const auto end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) {
    const bool is_too_long = buffer_.size() > SipMessage::kMaxBytes;
    return {is_too_long ? Frame::Kind::kBroken : Frame::Kind::kNeedMore, {}};
  }
  const std::size_t head_bytes = end + 4;
  const auto head = SipMessage::parse(std::string_view(buffer_).substr(0, head_bytes));
  if (!head) return {Frame::Kind::kBroken, {}};
  const auto* length = head->first(HeaderName::kContentLength);
  const auto body_bytes =
      length == nullptr ? std::optional<std::size_t>(0) : parse_number<std::size_t>(length->value);
  if (!body_bytes || head->count(HeaderName::kContentLength) > 1 || *body_bytes > SipMessage::kMaxBytes ||
      head_bytes + *body_bytes > SipMessage::kMaxBytes) {
    return {Frame::Kind::kBroken, buffer_.substr(0, head_bytes)};
  }
  if (buffer_.size() < head_bytes + *body_bytes) return {Frame::Kind::kNeedMore, {}};

  Frame frame{Frame::Kind::kMessage, buffer_.substr(0, head_bytes + *body_bytes)};
  buffer_.erase(0, frame.text.size());
  return frame;
}

}  // namespace vas::signaling

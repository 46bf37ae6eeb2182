// A packet in a buffer that is larger than it: what encryption adds finds room behind it.
#pragma once

#include "base/bytes.h"
#include "base/check.h"

namespace vas::media {

// Lifetime: borrows the buffer.
class PacketBuffer {
 public:
  // A whole buffer, with no room behind it.
  PacketBuffer(MutableBytes packet) : buffer_(packet), size_(packet.size()) {}  // NOLINT: implicit by intent
  PacketBuffer(MutableBytes buffer, std::size_t size) : buffer_(buffer), size_(size) {
    VAS_CHECK(size <= buffer.size(), "a packet is inside its buffer");
  }

  MutableBytes bytes() const { return buffer_.first(size_); }
  std::size_t size() const { return size_; }
  std::size_t room() const { return buffer_.size() - size_; }

  void resize(std::size_t size) {
    VAS_CHECK(size <= buffer_.size(), "a packet is inside its buffer");
    size_ = size;
  }

 private:
  MutableBytes buffer_;
  std::size_t size_;
};

}  // namespace vas::media

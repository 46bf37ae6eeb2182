// The cryptography of one packet whose index is known: what turns it into its protected form, and back.
#pragma once

#include <memory>

#include <openssl/types.h>

#include "media/rtp/packet_buffer.h"
#include "media/rtp/rtp_types.h"
#include "media/srtp/srtp_key_derivation.h"

namespace vas::media {

// Keys and contexts for RTP, or for RTCP, in one direction. Allocates in its constructor only.
// Threads: its session's, whose owner is checked at the way in (srtp_session.h).
class SrtpCipher {
 public:
  enum class Direction { kSeal, kOpen };

  SrtpCipher(SrtpSuite suite, SrtpKeyUse use, const SrtpSessionKeys& keys, Direction direction);
  ~SrtpCipher();

  std::size_t tag_bytes() const { return tag_bytes_; }

  // `header_bytes` stay readable. `trailer` is what is authenticated behind the packet without being a part
  // of what is encrypted: SRTP's roll-over counter, SRTCP's index. The tag goes right behind the packet; the
  // buffer has room for it.
  void seal(PacketBuffer& packet, std::size_t header_bytes, Ssrc ssrc, std::uint64_t index, Bytes trailer);
  // The buffer's bytes end with the tag; without it when true is returned.
  bool open(PacketBuffer& packet, std::size_t header_bytes, Ssrc ssrc, std::uint64_t index, Bytes trailer);

 private:
  struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const;
  };
  struct FreeMac {
    void operator()(EVP_MAC_CTX* context) const;
  };

  std::array<std::uint8_t, 16> counter_of(Ssrc ssrc, std::uint64_t index) const;
  std::array<std::uint8_t, 12> nonce_of(Ssrc ssrc, std::uint64_t index) const;
  void count(MutableBytes payload, Ssrc ssrc, std::uint64_t index);
  std::array<std::uint8_t, SrtpSessionKeys::kAuthBytes> mac_of(Bytes packet, Bytes trailer);

  const bool is_aead_;
  const std::size_t tag_bytes_;
  std::array<std::uint8_t, 14> salt_{};
  std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> cipher_;
  std::unique_ptr<EVP_MAC_CTX, FreeMac> mac_;  // none for AEAD
};

}  // namespace vas::media

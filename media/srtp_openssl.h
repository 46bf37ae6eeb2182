// SRTP on OpenSSL's ciphers: indices, replay windows and streams are ours. (srtp_session.h)
#pragma once

#include "media/srtp_cipher.h"
#include "media/srtp_session.h"

namespace vas::media {

// Where the streams of one session stand.
class SrtpStreams {
 public:
  SrtpStreams();

  // Borrowed until the next add().
  SrtpStreamState* find(Ssrc ssrc);
  // Null when the table is full. Allocates only for one who has the key and changes its SSRC often.
  SrtpStreamState* add(Ssrc ssrc);
  const std::vector<SrtpStreamState>& all() const { return streams_; }

 private:
  static constexpr std::size_t kUsualStreams = 4;

  std::vector<SrtpStreamState> streams_;  // few: a search is as quick as a table
};

class OpensslProtector final : public SrtpProtector {
 public:
  explicit OpensslProtector(const SrtpKey& key);
  SrtpResult protect(PacketBuffer& rtp) override;
  SrtpResult protect_rtcp(PacketBuffer& compound) override;
  std::vector<SrtpStreamState> state() const override { return streams_.all(); }
  void restore(const std::vector<SrtpStreamState>& state) override;

 private:
  const bool is_aead_;
  SrtpCipher rtp_;
  SrtpCipher rtcp_;
  SrtpStreams streams_;
};

class OpensslUnprotector final : public SrtpUnprotector {
 public:
  explicit OpensslUnprotector(const SrtpKey& key);
  SrtpResult unprotect(PacketBuffer& rtp) override;
  SrtpResult unprotect_rtcp(PacketBuffer& compound) override;
  std::vector<SrtpStreamState> state() const override { return streams_.all(); }
  void restore(const std::vector<SrtpStreamState>& state) override;

 private:
  const bool is_aead_;
  SrtpCipher rtp_;
  SrtpCipher rtcp_;
  SrtpStreams streams_;
};

}  // namespace vas::media

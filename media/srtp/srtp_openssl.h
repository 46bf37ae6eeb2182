// SRTP on OpenSSL's ciphers: indices, replay windows and streams are ours. (srtp_session.h)
#pragma once

#include "media/srtp/srtp_cipher.h"
#include "media/srtp/srtp_session.h"
#include "media/srtp/srtp_streams.h"

namespace vas::media {

class OpensslProtector final : public SrtpProtector {
 public:
  explicit OpensslProtector(const SrtpKey& key);
  SrtpResult protect(PacketBuffer& rtp) override;
  SrtpResult protect_rtcp(PacketBuffer& compound) override;
  std::vector<SrtpStreamState> state() const override { return streams_.all(); }
  void restore(const std::vector<SrtpStreamState>& state) override;

 private:
  SrtpStreams::Stream* known(Ssrc ssrc);

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
  SrtpResult keep(SrtpStreams::Found& stream);

  const bool is_aead_;
  SrtpCipher rtp_;
  SrtpCipher rtcp_;
  SrtpStreams streams_;
};

}  // namespace vas::media

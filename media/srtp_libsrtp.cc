#include "media/srtp_libsrtp.h"

#include <srtp2/srtp.h>

#include <mutex>

#include "media/rtp_packet.h"
#include "vas/base/check.h"

namespace vas::media {
namespace {

constexpr std::size_t kRtcpHeaderBytes = 8;

void set_suite(SrtpSuite suite, srtp_policy_t& policy) {
  switch (suite) {
    case SrtpSuite::kAesCm128HmacSha1_80:
      srtp_crypto_policy_set_rtp_default(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      return;
    case SrtpSuite::kAesCm128HmacSha1_32:
      srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      return;
    case SrtpSuite::kAeadAes128Gcm:
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
      return;
    case SrtpSuite::kAeadAes256Gcm:
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
      return;
  }
}

SrtpResult result_of(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok: return SrtpResult::kOk;
    case srtp_err_status_auth_fail: return SrtpResult::kUnauthenticated;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old: return SrtpResult::kReplayed;
    case srtp_err_status_key_expired: return SrtpResult::kKeyUsedUp;
    case srtp_err_status_alloc_fail: return SrtpResult::kNoRoom;
    default: return SrtpResult::kMalformed;
  }
}

// A session in one direction. It reads headers without looking where the packet ends: what it is given was
// measured first, and has room behind it.
class Session {
 public:
  Session(const SrtpKey& key, srtp_ssrc_type_t direction) : suite_(key.suite()) {
    static std::once_flag is_initialized;
    std::call_once(is_initialized, [] { VAS_CHECK(srtp_init() == srtp_err_status_ok, "libsrtp2 starts"); });
    srtp_policy_t policy{};
    set_suite(key.suite(), policy);
    policy.ssrc.type = direction;
    policy.key = const_cast<unsigned char*>(key.master().data());  // read only, by an older interface
    policy.window_size = ReplayWindow::kBits;
    VAS_CHECK(srtp_create(&session_, &policy) == srtp_err_status_ok, "libsrtp2 has the suite");
  }
  ~Session() { srtp_dealloc(session_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  using Operation = srtp_err_status_t (*)(srtp_t, void*, int*);
  SrtpResult run(Operation operation, PacketBuffer& packet) {
    int bytes = static_cast<int>(packet.size());
    const SrtpResult result = result_of(operation(session_, packet.bytes().data(), &bytes));
    if (result == SrtpResult::kOk) packet.resize(static_cast<std::size_t>(bytes));
    return result;
  }
  const SrtpSuiteShape& shape() const { return shape_of(suite_); }

 private:
  const SrtpSuite suite_;
  srtp_t session_ = nullptr;
};

class LibsrtpProtector final : public SrtpProtector {
 public:
  explicit LibsrtpProtector(const SrtpKey& key) : session_(key, ssrc_any_outbound) {}
  SrtpResult protect(PacketBuffer& rtp) override {
    if (!rtp_header_bytes(rtp.bytes())) return SrtpResult::kMalformed;
    if (rtp.room() < SRTP_MAX_TRAILER_LEN) return SrtpResult::kNoRoom;
    return session_.run(srtp_protect, rtp);
  }
  SrtpResult protect_rtcp(PacketBuffer& compound) override {
    if (compound.size() < kRtcpHeaderBytes) return SrtpResult::kMalformed;
    if (compound.room() < SRTP_MAX_TRAILER_LEN + 4) return SrtpResult::kNoRoom;
    return session_.run(srtp_protect_rtcp, compound);
  }
  std::vector<SrtpStreamState> state() const override { return {}; }
  void restore(const std::vector<SrtpStreamState>&) override {}

 private:
  Session session_;
};

class LibsrtpUnprotector final : public SrtpUnprotector {
 public:
  explicit LibsrtpUnprotector(const SrtpKey& key) : session_(key, ssrc_any_inbound) {}
  SrtpResult unprotect(PacketBuffer& rtp) override {
    const auto header_bytes = rtp_header_bytes(rtp.bytes());
    if (!header_bytes || rtp.size() < *header_bytes + session_.shape().rtp_tag_bytes)
      return SrtpResult::kMalformed;
    return session_.run(srtp_unprotect, rtp);
  }
  SrtpResult unprotect_rtcp(PacketBuffer& compound) override {
    if (compound.size() < kRtcpHeaderBytes + session_.shape().rtcp_tag_bytes + 4)
      return SrtpResult::kMalformed;
    return session_.run(srtp_unprotect_rtcp, compound);
  }
  std::vector<SrtpStreamState> state() const override { return {}; }
  void restore(const std::vector<SrtpStreamState>&) override {}

 private:
  Session session_;
};

}  // namespace

std::unique_ptr<SrtpProtector> make_libsrtp_protector(const SrtpKey& key) {
  return std::make_unique<LibsrtpProtector>(key);
}

std::unique_ptr<SrtpUnprotector> make_libsrtp_unprotector(const SrtpKey& key) {
  return std::make_unique<LibsrtpUnprotector>(key);
}

}  // namespace vas::media

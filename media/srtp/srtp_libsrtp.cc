#include "media/srtp/srtp_libsrtp.h"

#include <arpa/inet.h>
#include <srtp2/srtp.h>

#include <mutex>

#include "base/check.h"
#include "media/rtp/rtp_packet.h"
#include "media/srtp/srtp_streams.h"

namespace vas::media {
namespace {

// Header and the sender's SSRC: what stays readable (RFC 3711 §3.4).
constexpr std::size_t kRtcpHeaderBytes = 8;
// With the bit that says whether it is encrypted (RFC 3711 §3.4).
constexpr std::size_t kRtcpIndexBytes = 4;
constexpr std::uint32_t kLastRtcpIndex = 0x7fffffff;  // the bit before it says that it is encrypted

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
// measured first, and has room behind it. Of streams it knows no bound: SrtpStreams has it give them up.
class Session {
 public:
  Session(const SrtpKey& key, srtp_ssrc_type_t direction) : key_(key) {
    static std::once_flag is_initialized;
    std::call_once(is_initialized, [] { VAS_CHECK(srtp_init() == srtp_err_status_ok, "libsrtp2 starts"); });
    const srtp_policy_t policy = policy_of(direction, {});
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

  void remove(Ssrc ssrc) { (void)srtp_remove_stream(session_, htonl(ssrc.value)); }
  // A stream that begins in a later round than the first.
  bool begin_at(Ssrc ssrc, std::uint64_t index) {
    const srtp_policy_t policy = policy_of(ssrc_specific, ssrc);
    return srtp_add_stream(session_, &policy) == srtp_err_status_ok &&
           srtp_set_stream_roc(session_, ssrc.value, static_cast<std::uint32_t>(index >> 16)) ==
               srtp_err_status_ok;
  }

  const SrtpSuiteShape& shape() const { return shape_of(key_.suite()); }

 private:
  srtp_policy_t policy_of(srtp_ssrc_type_t type, Ssrc ssrc) const {
    srtp_policy_t policy{};
    set_suite(key_.suite(), policy);
    policy.ssrc = {type, ssrc.value};
    policy.key = const_cast<unsigned char*>(key_.master().data());  // read only, by an older interface
    policy.window_size = ReplayWindow::kBits;
    return policy;
  }

  const SrtpKey key_;
  srtp_t session_ = nullptr;
};

// It cannot be told where SRTCP's index is to go on: a stream that was given up does not come again.
class LibsrtpProtector final : public SrtpProtector {
 public:
  explicit LibsrtpProtector(const SrtpKey& key) : session_(key, ssrc_any_outbound) {}
  SrtpResult protect(PacketBuffer& rtp) override {
    if (!rtp_header_bytes(rtp.bytes())) return SrtpResult::kMalformed;
    if (rtp.room() < SRTP_MAX_TRAILER_LEN) return SrtpResult::kNoRoom;
    return may_send({load_u32(rtp.bytes(), 8)}) ? session_.run(srtp_protect, rtp) : SrtpResult::kNoRoom;
  }
  SrtpResult protect_rtcp(PacketBuffer& compound) override {
    if (compound.size() < kRtcpHeaderBytes) return SrtpResult::kMalformed;
    if (compound.room() < SRTP_MAX_TRAILER_LEN + kRtcpIndexBytes) return SrtpResult::kNoRoom;
    return may_send({load_u32(compound.bytes(), 4)}) ? session_.run(srtp_protect_rtcp, compound)
                                                     : SrtpResult::kNoRoom;
  }
  std::vector<SrtpStreamState> state() const override { return {}; }
  void restore(const std::vector<SrtpStreamState>&) override {}

 private:
  bool may_send(Ssrc ssrc) {
    if (SrtpStreams::Stream* stream = streams_.find(ssrc)) {
      streams_.touch(*stream);
      return true;
    }
    const SrtpStreams::Stream fresh = streams_.unknown(ssrc);
    if (fresh.is_back) return false;
    const SrtpStreams::Added added = streams_.add(fresh);
    if (added.given_up) session_.remove(*added.given_up);
    return added.is_in;
  }

  Session session_;
  SrtpStreams streams_;  // their windows are not looked at
};

// libsrtp2's own windows judge a stream, until it has given it up: then what ours remember of it comes first.
class LibsrtpUnprotector final : public SrtpUnprotector {
 public:
  explicit LibsrtpUnprotector(const SrtpKey& key) : session_(key, ssrc_any_inbound) {}
  SrtpResult unprotect(PacketBuffer& rtp) override {
    const auto header_bytes = rtp_header_bytes(rtp.bytes());
    if (!header_bytes || rtp.size() < *header_bytes + session_.shape().rtp_tag_bytes)
      return SrtpResult::kMalformed;
    SrtpStreams::Found stream(streams_, {load_u32(rtp.bytes(), 8)});
    ReplayWindow& taken = stream->state.rtp;
    const std::uint64_t index = estimate_index(taken.highest(), {load_u16(rtp.bytes(), 2)});
    return run(srtp_unprotect, rtp, stream, taken, index);
  }
  SrtpResult unprotect_rtcp(PacketBuffer& compound) override {
    const SrtpSuiteShape& shape = session_.shape();
    if (compound.size() < kRtcpHeaderBytes + shape.rtcp_tag_bytes + kRtcpIndexBytes)
      return SrtpResult::kMalformed;
    SrtpStreams::Found stream(streams_, {load_u32(compound.bytes(), 4)});
    const std::size_t behind = kRtcpIndexBytes + (shape.is_aead ? 0 : shape.rtcp_tag_bytes);
    const std::uint64_t index = load_u32(compound.bytes(), compound.size() - behind) & kLastRtcpIndex;
    return run(srtp_unprotect_rtcp, compound, stream, stream->state.rtcp, index);
  }
  std::vector<SrtpStreamState> state() const override { return {}; }
  void restore(const std::vector<SrtpStreamState>&) override {}

 private:
  SrtpResult run(Session::Operation operation, PacketBuffer& packet, SrtpStreams::Found& stream,
                 ReplayWindow& taken, std::uint64_t index) {
    if (stream->is_back && taken.check(index) != ReplayWindow::Verdict::kFresh) return SrtpResult::kReplayed;
    const Ssrc ssrc = stream->state.ssrc;
    const bool is_coming_back = !stream.is_known() && stream->is_back;
    if (is_coming_back && !session_.begin_at(ssrc, stream->state.rtp.highest())) return SrtpResult::kNoRoom;
    const SrtpResult result = session_.run(operation, packet);
    if (result != SrtpResult::kOk) {
      if (is_coming_back) session_.remove(ssrc);
      return result;
    }
    taken.insert(index);
    if (stream.is_known()) {
      streams_.touch(*stream);
      return SrtpResult::kOk;
    }
    const SrtpStreams::Added added = streams_.add(*stream);
    const std::optional<Ssrc> leaves = added.is_in ? added.given_up : ssrc;
    if (leaves) session_.remove(*leaves);
    return added.is_in ? SrtpResult::kOk : SrtpResult::kNoRoom;
  }

  Session session_;
  SrtpStreams streams_;
};

}  // namespace

std::unique_ptr<SrtpProtector> make_libsrtp_protector(const SrtpKey& key) {
  return std::make_unique<LibsrtpProtector>(key);
}

std::unique_ptr<SrtpUnprotector> make_libsrtp_unprotector(const SrtpKey& key) {
  return std::make_unique<LibsrtpUnprotector>(key);
}

}  // namespace vas::media

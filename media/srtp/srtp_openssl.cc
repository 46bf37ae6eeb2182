#include "media/srtp/srtp_openssl.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "media/rtp/rtp_packet.h"

namespace vas::media {
namespace {

constexpr std::size_t kRtcpHeaderBytes = 8;  // with the sender's SSRC: what stays readable
// With the bit that says whether it is encrypted (RFC 3711 §3.4).
constexpr std::size_t kRtcpIndexBytes = 4;
// That bit.
constexpr std::uint32_t kIsEncrypted = 0x80000000;
// As many packets one key may protect (RFC 3711 §9.2): 48 bits of RTP, 31 of RTCP.
constexpr std::uint64_t kLastRtpIndex = (std::uint64_t{1} << 48) - 1;
constexpr std::uint64_t kLastRtcpIndex = (std::uint64_t{1} << 31) - 1;

using Word = std::array<std::uint8_t, 4>;

Word word_of(std::uint32_t value) {
  Word word{};
  store_u32(word, 0, value);
  return word;
}

// What CM suites authenticate behind an RTP packet (RFC 3711 §4.2); AEAD has it in its nonce.
Bytes trailer_of(const Word& roll_over_counter, bool is_aead) {
  return is_aead ? Bytes() : Bytes(roll_over_counter);
}

Word roll_over_counter(std::uint64_t index) { return word_of(static_cast<std::uint32_t>(index >> 16)); }

SrtpResult verdict_of(ReplayWindow::Verdict verdict) {
  return verdict == ReplayWindow::Verdict::kFresh ? SrtpResult::kOk : SrtpResult::kReplayed;
}

}  // namespace

OpensslProtector::OpensslProtector(const SrtpKey& key)
    : is_aead_(shape_of(key.suite()).is_aead),
      rtp_(key.suite(), SrtpKeyUse::kRtp, derive_session_keys(key, SrtpKeyUse::kRtp),
           SrtpCipher::Direction::kSeal),
      rtcp_(key.suite(), SrtpKeyUse::kRtcp, derive_session_keys(key, SrtpKeyUse::kRtcp),
            SrtpCipher::Direction::kSeal) {}

SrtpResult OpensslProtector::protect(PacketBuffer& rtp) {
  const auto header_bytes = rtp_header_bytes(rtp.bytes());
  if (!header_bytes) return SrtpResult::kMalformed;
  if (rtp.room() < rtp_.tag_bytes()) return SrtpResult::kNoRoom;
  const Ssrc ssrc{load_u32(rtp.bytes(), 8)};
  SrtpStreams::Stream* stream = known(ssrc);
  if (stream == nullptr) return SrtpResult::kNoRoom;
  ReplayWindow& sent = stream->state.rtp;
  const std::uint64_t index = estimate_index(sent.highest(), {load_u16(rtp.bytes(), 2)});
  if (index > kLastRtpIndex) return SrtpResult::kKeyUsedUp;
  if (const auto result = verdict_of(sent.check(index)); result != SrtpResult::kOk) return result;
  sent.insert(index);
  const Word counter = roll_over_counter(index);
  rtp_.seal(rtp, *header_bytes, ssrc, index, trailer_of(counter, is_aead_));
  return SrtpResult::kOk;
}

// RFC 3711 §3.4: the index stands before the tag; RFC 7714 §9.2: behind it.
SrtpResult OpensslProtector::protect_rtcp(PacketBuffer& compound) {
  if (compound.size() < kRtcpHeaderBytes) return SrtpResult::kMalformed;
  if (compound.room() < rtcp_.tag_bytes() + kRtcpIndexBytes) return SrtpResult::kNoRoom;
  const Ssrc ssrc{load_u32(compound.bytes(), 4)};
  SrtpStreams::Stream* stream = known(ssrc);
  if (stream == nullptr) return SrtpResult::kNoRoom;
  ReplayWindow& sent = stream->state.rtcp;
  const std::uint64_t index = sent.highest() + 1;
  if (index > kLastRtcpIndex) return SrtpResult::kKeyUsedUp;
  sent.insert(index);
  const Word word = word_of(static_cast<std::uint32_t>(index) | kIsEncrypted);
  const std::size_t plain_bytes = compound.size();
  rtcp_.seal(compound, kRtcpHeaderBytes, ssrc, index, word);
  compound.resize(compound.size() + kRtcpIndexBytes);
  std::uint8_t* tag = compound.bytes().data() + plain_bytes;
  if (!is_aead_) std::memmove(tag + kRtcpIndexBytes, tag, rtcp_.tag_bytes());
  std::copy(word.begin(), word.end(), is_aead_ ? tag + rtcp_.tag_bytes() : tag);
  return SrtpResult::kOk;
}

// What it sends is its own: a stream comes to be with its first packet, whatever becomes of that.
SrtpStreams::Stream* OpensslProtector::known(Ssrc ssrc) {
  SrtpStreams::Stream* stream = streams_.find(ssrc);
  if (stream != nullptr) {
    streams_.touch(*stream);
    return stream;
  }
  return streams_.add(streams_.unknown(ssrc)).is_in ? streams_.find(ssrc) : nullptr;
}

void OpensslProtector::restore(const std::vector<SrtpStreamState>& state) { streams_.restore(state, true); }

OpensslUnprotector::OpensslUnprotector(const SrtpKey& key)
    : is_aead_(shape_of(key.suite()).is_aead),
      rtp_(key.suite(), SrtpKeyUse::kRtp, derive_session_keys(key, SrtpKeyUse::kRtp),
           SrtpCipher::Direction::kOpen),
      rtcp_(key.suite(), SrtpKeyUse::kRtcp, derive_session_keys(key, SrtpKeyUse::kRtcp),
            SrtpCipher::Direction::kOpen) {}

SrtpResult OpensslUnprotector::unprotect(PacketBuffer& rtp) {
  const auto header_bytes = rtp_header_bytes(rtp.bytes());
  if (!header_bytes || rtp.size() < *header_bytes + rtp_.tag_bytes()) return SrtpResult::kMalformed;
  const Ssrc ssrc{load_u32(rtp.bytes(), 8)};
  SrtpStreams::Found stream(streams_, ssrc);
  ReplayWindow& taken = stream->state.rtp;
  const std::uint64_t index = estimate_index(taken.highest(), {load_u16(rtp.bytes(), 2)});
  if (index > kLastRtpIndex) return SrtpResult::kKeyUsedUp;
  if (const auto result = verdict_of(taken.check(index)); result != SrtpResult::kOk) return result;
  const Word counter = roll_over_counter(index);
  if (!rtp_.open(rtp, *header_bytes, ssrc, index, trailer_of(counter, is_aead_)))
    return SrtpResult::kUnauthenticated;
  taken.insert(index);
  return keep(stream);
}

SrtpResult OpensslUnprotector::unprotect_rtcp(PacketBuffer& compound) {
  const std::size_t added = rtcp_.tag_bytes() + kRtcpIndexBytes;
  if (compound.size() < kRtcpHeaderBytes + added) return SrtpResult::kMalformed;
  const std::size_t plain_bytes = compound.size() - added;
  std::uint8_t* behind = compound.bytes().data() + plain_bytes;
  Word word{};
  std::copy_n(is_aead_ ? behind + rtcp_.tag_bytes() : behind, word.size(), word.begin());
  // What is authenticated only is not ours: we have agreed on encryption.
  if ((load_u32(word, 0) & kIsEncrypted) == 0) return SrtpResult::kMalformed;
  const std::uint64_t index = load_u32(word, 0) & ~kIsEncrypted;
  const Ssrc ssrc{load_u32(compound.bytes(), 4)};
  SrtpStreams::Found stream(streams_, ssrc);
  ReplayWindow& taken = stream->state.rtcp;
  if (const auto result = verdict_of(taken.check(index)); result != SrtpResult::kOk) return result;
  if (!is_aead_) std::memmove(behind, behind + kRtcpIndexBytes, rtcp_.tag_bytes());
  compound.resize(plain_bytes + rtcp_.tag_bytes());
  if (!rtcp_.open(compound, kRtcpHeaderBytes, ssrc, index, word)) return SrtpResult::kUnauthenticated;
  taken.insert(index);
  return keep(stream);
}

// Only one who has the key makes a stream.
SrtpResult OpensslUnprotector::keep(SrtpStreams::Found& stream) {
  if (!stream.is_known()) return streams_.add(*stream).is_in ? SrtpResult::kOk : SrtpResult::kNoRoom;
  streams_.touch(*stream);
  return SrtpResult::kOk;
}

void OpensslUnprotector::restore(const std::vector<SrtpStreamState>& state) {
  streams_.restore(state, false);
}

}  // namespace vas::media

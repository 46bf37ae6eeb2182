// One direction of media under one master key: plain packets in, protected packets out, or back. (RFC 3711)
#pragma once

#include <memory>
#include <vector>

#include "media/rtp/packet_buffer.h"
#include "media/rtp/rtp_types.h"
#include "media/srtp/srtp_index.h"
#include "media/srtp/srtp_suite.h"

namespace vas::media {

enum class SrtpResult : std::uint8_t {
  kOk,
  kMalformed,        // no RTP or RTCP, or too short for what the suite adds
  kUnauthenticated,  // forged, damaged, or under another key
  kReplayed,         // was there before, or is too old to tell
  kNoRoom,           // the buffer, or no more streams can be remembered
  kKeyUsedUp,        // as many packets as one key may protect (RFC 3711 §9.2)
};

// All that must outlive a process besides the key: where each stream stands.
struct SrtpStreamState {
  Ssrc ssrc;
  ReplayWindow rtp;   // of 48-bit indices: roll-over counter and sequence number
  ReplayWindow rtcp;  // of 31-bit indices
  friend bool operator==(const SrtpStreamState&, const SrtpStreamState&) = default;
};

// More than any suite takes behind a packet; libsrtp2 asks for as much whatever the suite.
inline constexpr std::size_t kSrtpMaxRoom = 160;
// Streams (SSRCs) that one session knows; the one that is used least makes room, and is remembered.
inline constexpr std::size_t kSrtpMaxStreams = 64;
inline constexpr std::size_t kSrtpMostFormerStreams = 4096;

// What we send. An index is never used twice, whatever comes: equal indices under one key give both packets
// away.
// Threads: the worker that owns the leg; its ThreadCheck stands at the way in, not here for each packet.
class SrtpProtector {
 public:
  virtual ~SrtpProtector() = default;
  virtual SrtpResult protect(PacketBuffer& rtp) = 0;
  virtual SrtpResult protect_rtcp(PacketBuffer& compound) = 0;

  // Empty where the backend cannot say: its sessions end with the process.
  virtual std::vector<SrtpStreamState> state() const = 0;
  // Before the first packet. What the state has seen is never sent again, nor anything before it.
  virtual void restore(const std::vector<SrtpStreamState>& state) = 0;
};

// What we are sent. What fails leaves no trace in the state; its buffer's bytes are then of no use.
// Threads: the worker that owns the leg; its ThreadCheck stands at the way in, not here for each packet.
class SrtpUnprotector {
 public:
  virtual ~SrtpUnprotector() = default;
  virtual SrtpResult unprotect(PacketBuffer& rtp) = 0;
  virtual SrtpResult unprotect_rtcp(PacketBuffer& compound) = 0;
  virtual std::vector<SrtpStreamState> state() const = 0;
  virtual void restore(const std::vector<SrtpStreamState>& state) = 0;
};

// kOpenssl is the fast one; kLibsrtp is another implementation of the same, for comparison and for doubt.
enum class SrtpBackend : std::uint8_t { kOpenssl, kLibsrtp };

std::unique_ptr<SrtpProtector> make_srtp_protector(SrtpBackend backend, const SrtpKey& key);
std::unique_ptr<SrtpUnprotector> make_srtp_unprotector(SrtpBackend backend, const SrtpKey& key);

}  // namespace vas::media

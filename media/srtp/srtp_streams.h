// Where the streams (SSRCs) under one master key stand, and where those stood that were given up for others.
// (RFC 3711 §3.2.3, §3.3.2)
#pragma once

#include <optional>
#include <vector>

#include "media/srtp/srtp_session.h"

namespace vas::media {

// A phone draws a new SSRC for each hold, a media server one for each announcement: none of them may be
// refused for those that are over, and nothing of these may be sent or taken twice. So of a stream that makes
// room its highest indices are kept, which is little: it goes on behind them when it comes again.
//
// Threads: its session's, whose owner is checked at the way in (srtp_session.h).
// Bounds:  kSrtpMaxStreams, and kSrtpMostFormerStreams that are no more than their indices. Allocates only
//          for one who has the key and changes its SSRC often.
class SrtpStreams {
 public:
  struct Stream {
    SrtpStreamState state;
    std::uint64_t used = 0;  // the higher the later
    bool is_back = false;    // it was given up in between
  };

  SrtpStreams();

  // Borrowed until the next add().
  Stream* find(Ssrc ssrc);
  void touch(Stream& stream) { stream.used = ++uses_; }

  // What is to be assumed of a stream that find() does not know:
  // as though all had been there that may have been.
  Stream unknown(Ssrc ssrc) const;
  // A known one, or what is to be assumed of it. Lifetime: as find()'s.
  class Found {
   public:
    Found(SrtpStreams& streams, Ssrc ssrc) : known_(streams.find(ssrc)) {
      if (known_ == nullptr) unknown_ = streams.unknown(ssrc);
    }
    bool is_known() const { return known_ != nullptr; }
    Stream& operator*() { return known_ != nullptr ? *known_ : *unknown_; }
    Stream* operator->() { return &**this; }

   private:
    Stream* const known_;
    std::optional<Stream> unknown_;
  };
  struct Added {
    bool is_in = false;  // false: as many were given up as are remembered
    std::optional<Ssrc> given_up;
  };
  // Only for who has the key. The stream that was used least lately makes room.
  Added add(const Stream& stream);

  // The oldest first; restore() with an empty one makes the same of it.
  std::vector<SrtpStreamState> all() const;
  // As what each state says, or `as_sent`: nothing before its highest index may come again.
  void restore(const std::vector<SrtpStreamState>& states, bool as_sent);

 private:
  // Room is made for these at once; a party has one or two.
  static constexpr std::size_t kUsualStreams = 4;
  // The numbers behind the highest indices; 0: there was none.
  struct Former {
    std::uint32_t ssrc = 0;
    std::uint32_t next_rtcp = 0;
    std::uint64_t next_rtp = 0;
  };

  static SrtpStreamState state_of(const Former& former);
  std::vector<Former>::const_iterator place_of(Ssrc ssrc) const;
  const Former* former(Ssrc ssrc) const;
  std::optional<Ssrc> give_up_oldest();

  std::vector<Stream> streams_;  // few: a search is as quick as a table
  std::vector<Former> former_;   // by SSRC
  std::uint64_t uses_ = 0;
};

}  // namespace vas::media

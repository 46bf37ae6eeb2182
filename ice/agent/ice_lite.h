// The side of connectivity checks that responds to them: all of a lite agent, and of a full one what is left
// once a pair is nominated, beside ConsentChecks. (RFC 8445 §2.5; consent: RFC 7675)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/per_second.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "ice/stun/stun_message.h"

namespace vas::ice {

// RFC 8445 §6.1.1; a lite side is controlled.
enum class IceRole : std::uint8_t { kControlled, kControlling };

// RFC 8839 §5.4.
struct IceCredentials {
  std::string ufrag;
  std::string password;
  friend bool operator==(const IceCredentials&, const IceCredentials&) = default;
};
IceCredentials random_credentials();

// Whose check this says that it is: the part of USERNAME that names us. Nothing has been proved by it.
std::optional<std::string_view> local_ufrag_of(const StunMessage& check);

// One leg's. A check with the right USERNAME and MESSAGE-INTEGRITY proves its source address; one with
// USE-CANDIDATE chooses it. Anything else has no response and changes nothing. A peer whose address changes
// (another network, a NAT's new mapping) goes on with its next check from there, or, where it does not choose
// anew, once the address that it chose has been quiet for kAbandoned.
//
// Consent to be sent to (RFC 7675) lives by what the peer does. One that goes on checking for kAgreement is
// held to it: kConsent after its last check it is sent and heard no more. One that checks no more once it has
// chosen (RFC 5245) shows by media and keep-alives that it is still there; kConsent after the last of them it
// is sent nothing, until it shows itself again where it was proved.
//
// Cheap proof comes first, and only the party's own checks use up what the party may: another USERNAME costs
// a comparison. One that is right from an address that is not proved costs an HMAC, and where that comes out
// wrong it is a stranger's: those have a bucket of their own, the leg's and their worker's.
//
// Threads: its bridge's media worker only.
// Bounds:  kMaxProved addresses, kMaxChecksPerSecond responses, kMaxStrangersPerSecond HMACs for nothing.
class IceLite {
 public:
  static constexpr Duration kConsent = std::chrono::seconds(30);  // RFC 7675 §5.1
  static constexpr Duration kAbandoned =
      std::chrono::seconds(8);  // checks come each 4 to 6 s (RFC 7675 §5.1)
  static constexpr Duration kAgreement =
      std::chrono::seconds(15);  // longer than a list of checks is worked at
  static constexpr Duration kQuiet =
      std::chrono::seconds(20);  // of who checks no more: keep-alives come each 15 s (RFC 5245 §10)
  // A phone has a few interfaces, each with IPv4 and IPv6; the oldest is forgotten.
  static constexpr std::size_t kMaxProved = 8;
  // A party that works at its list of candidates sends one each 50 ms (RFC 8445 §14.2), and repeats some:
  // this is several times as much.
  static constexpr int kMaxChecksPerSecond = 100;
  // Each costs an HMAC and proves nothing.
  static constexpr int kMaxStrangersPerSecond = 20;

  // `strangers`: the bucket that all legs of a worker share; outlives this. None: the leg's own alone.
  IceLite(IceCredentials local, IceCredentials remote, IceRole role = IceRole::kControlled,
          PerSecond* strangers = nullptr)
      : current_{std::move(local), std::move(remote)}, role_(role), all_strangers_(strangers) {}

  // What was proved stays in force until the first check under the new credentials (RFC 8445 §9).
  void restart(IceCredentials local, IceCredentials remote);

  // The response, in `reply` (StunWriter::kMaxBytes or more), to be sent to `source`.
  std::optional<Bytes> on_check(Time now, const Endpoint& source, const StunMessage& check,
                                MutableBytes reply);

  // What a check of our own proved: as one of the peer's from there would have.
  void on_proved(Time now, const Endpoint& source, bool is_chosen);

  // It sent something else from there: media, which its key has opened if it has one, or a Binding
  // indication. No more than that: nothing is proved or chosen by it.
  void on_alive(Time now, const Endpoint& source);

  // Whether what comes from this address is the peer's: it has proved it lately, chosen or not; or media goes
  // there, and the peer is none that goes on checking.
  bool is_proved(Time now, const Endpoint& source) const;

  // Whether it still does so as often as it has to: nobody else can be there.
  bool is_in_use(Time now, const Endpoint& source) const;

  // Where media goes: what the peer chose last, or until it chooses the first that it proved. Unset when
  // there is none.
  const Endpoint& destination() const { return destination_; }

  // False once the peer has not shown itself there for kConsent: it must be sent nothing more.
  bool has_consent(Time now) const { return was_proved_within(kConsent, now, destination_); }

 private:
  struct Side {
    IceCredentials local;
    IceCredentials remote;
  };
  struct Proved {
    Endpoint source;
    Time at{};  // when it showed itself last
  };

  // Whose credentials it names; none: nobody's here.
  const Side* named_by(const StunMessage& check) const;
  bool is_signed(Time now, const Endpoint& source, const Side& side, const StunMessage& check);
  void begin_next();
  void remember(Time now, const Endpoint& source, bool is_chosen);
  void learn_habit(Time now);
  bool was_proved_within(Duration period, Time now, const Endpoint& source) const;

  Side current_;
  const IceRole role_;
  std::optional<Side> next_;  // after a restart
  std::vector<Proved> proved_;
  Endpoint destination_;
  bool is_chosen_ = false;

  // The peer's habit.
  std::optional<Time> last_check_;
  Time checks_since_{};          // without a pause of kAbandoned
  bool keeps_checking_ = false;  // has done so for kAgreement
  bool lives_by_media_ = false;  // has checked no more for kAbandoned, and is there

  PerSecond checks_{kMaxChecksPerSecond};  // the party's
  PerSecond strangers_{kMaxStrangersPerSecond};
  PerSecond* const all_strangers_;
  ThreadCheck thread_check_{"IceLite"};
};

}  // namespace vas::ice

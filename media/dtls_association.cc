#include "media/dtls_association.h"

#include <algorithm>
#include <utility>

namespace vas::media {

DtlsAssociation::DtlsAssociation(const DtlsContext& context, DtlsRole role, CertificateFingerprint peer,
                                 const Budgets& budgets)
    : context_(context), role_(role), peer_(std::move(peer)), budgets_(budgets) {}

const std::optional<DtlsKeys>& DtlsAssociation::keys() const {
  static const std::optional<DtlsKeys> kNone;
  return handshakes_.size() == 1 ? handshakes_.front().session->keys() : kNone;
}

const DtlsAssociation::Flight& DtlsAssociation::begin_as_client(Time now) {
  handshakes_.push_back({{}, {}, std::make_unique<DtlsSession>(context_, role_, peer_), now});
  return handshakes_.front().session->start(now);
}

const DtlsAssociation::Flight& DtlsAssociation::on_datagram(Time now, const Endpoint& source, DtlsSource from,
                                                            Bytes datagram) {
  flight_.clear();
  if (!may_be_handshake(datagram)) return flight_;
  const Endpoint key = role_ == DtlsRole::kClient || from == DtlsSource::kProved ? Endpoint{} : source;
  const auto hello = role_ == DtlsRole::kServer && !keys() ? ClientHello::parse(datagram) : std::nullopt;
  const bool is_known =
      !hello || std::any_of(handshakes_.begin(), handshakes_.end(), [&](const Handshake& each) {
        return each.source == key &&
               std::equal(hello->random.begin(), hello->random.end(), each.random.begin());
      });
  if (is_known) {
    feed(now, key, datagram);
  } else {
    take_hello(now, source, from, *hello, datagram);
  }
  return flight_;
}

// What is no hello is every handshake's of its sender: whose it is not, it ends, and that one alone.
void DtlsAssociation::feed(Time now, const Endpoint& source, Bytes datagram) {
  for (Handshake& each : handshakes_) {
    if (each.source != source) continue;
    const Flight& said = each.session->on_datagram(now, datagram);
    flight_.insert(flight_.end(), said.begin(), said.end());
    if (has_keys(each)) return keep_only(each);
  }
  drop_failed();
}

void DtlsAssociation::keep_only(Handshake& done) {
  std::swap(handshakes_.front(), done);
  handshakes_.erase(handshakes_.begin() + 1, handshakes_.end());
}

void DtlsAssociation::drop_failed() {
  if (role_ == DtlsRole::kClient) return;  // it begins anew by itself
  std::erase_if(handshakes_, [](const Handshake& each) { return each.session->is_fresh(); });
}

bool DtlsAssociation::may_begin(Time now, const Endpoint& source, DtlsSource from, const ClientHello& hello,
                                bool has_answered) {
  if (has_answered)
    return (from == DtlsSource::kCandidate ? of_candidates_ : of_peer_).take(now) &&
           make_room(now, source, from);
  if (from == DtlsSource::kProved && handshakes_.empty() && free_.take(now)) return true;
  if (hello.is_whole) flight_.push_back(cookies_.request(source, hello));
  return false;
}

// The same sender's earlier one goes, for it has begun anew; else the oldest, where it may be disturbed.
bool DtlsAssociation::make_room(Time now, const Endpoint& source, DtlsSource from) {
  if (from != DtlsSource::kProved) {
    std::erase_if(handshakes_, [&](const Handshake& each) { return each.source == source; });
  }
  if (handshakes_.size() < kMaxHandshakes) return true;
  const bool yields = from != DtlsSource::kCandidate || now - handshakes_.front().begun > kUndisturbed;
  if (yields) handshakes_.erase(handshakes_.begin());
  return yields;
}

void DtlsAssociation::take_hello(Time now, const Endpoint& source, DtlsSource from, const ClientHello& hello,
                                 Bytes datagram) {
  // One that is dropped comes again, and again later: a crowd is served in turn, and media in between.
  PerSecond* const budget = has_begun_ ? budgets_.again : budgets_.first;
  if (budget != nullptr && !budget->has_room(now)) return;
  const bool has_answered = cookies_.is_right(source, hello);
  if (!may_begin(now, source, from, hello, has_answered)) return;
  if (budget != nullptr) (void)budget->take(now);
  has_begun_ = true;

  Handshake& fresh = handshakes_.emplace_back();
  if (from != DtlsSource::kProved) fresh.source = source;
  std::copy(hello.random.begin(), hello.random.end(), fresh.random.begin());
  fresh.session = std::make_unique<DtlsSession>(context_, role_, peer_);
  fresh.begun = now;
  flight_ = has_answered ? fresh.session->on_verified_hello(now, datagram)
                         : fresh.session->on_datagram(now, datagram);
  drop_failed();
}

}  // namespace vas::media

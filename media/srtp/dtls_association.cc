#include "media/srtp/dtls_association.h"

#include <algorithm>
#include <utility>

namespace vas::media {

DtlsAssociation::DtlsAssociation(const DtlsContext& context, DtlsRole role, CertificateFingerprints peer,
                                 const Budgets& budgets, const HelloCookies& cookies)
    : context_(context), role_(role), peer_(std::move(peer)), budgets_(budgets), cookies_(cookies) {}

const std::optional<DtlsKeys>& DtlsAssociation::keys() const {
  static const std::optional<DtlsKeys> kNone;
  return done_ ? done_->session->keys() : kNone;
}

void DtlsAssociation::renew(bool is_due) {
  thread_check_.check();
  may_begin_ = true;
  is_to_begin_ = is_to_begin_ || is_due;
}

bool DtlsAssociation::is_of(const Handshake& handshake, const Endpoint& source,
                            const ClientHello& hello) const {
  return handshake.source == source &&
         std::equal(hello.random.begin(), hello.random.end(), handshake.random.begin());
}

bool DtlsAssociation::is_known(const Endpoint& source, const ClientHello& hello) const {
  return (done_ && is_of(*done_, source, hello)) ||
         std::any_of(handshakes_.begin(), handshakes_.end(),
                     [&](const Handshake& each) { return is_of(each, source, hello); });
}

bool DtlsAssociation::is_unannounced(const Endpoint& source, DtlsSource from, Bytes datagram) const {
  if (may_begin_ && role_ == DtlsRole::kServer) return false;
  const auto hello = ClientHello::parse(datagram);
  return hello && !is_known(key_of(source, from), *hello);
}

const DtlsAssociation::Flight& DtlsAssociation::begin_as_client(Time now) {
  is_to_begin_ = false;
  handshakes_.push_back({{}, {}, std::make_unique<DtlsSession>(context_, role_, peer_), now});
  return handshakes_.front().session->start(now);
}

const DtlsAssociation::Flight& DtlsAssociation::on_datagram(Time now, const Endpoint& source, DtlsSource from,
                                                            Bytes datagram) {
  thread_check_.check();
  flight_.clear();
  if (!may_be_handshake(datagram)) return flight_;
  const Endpoint key = key_of(source, from);
  const auto hello = role_ == DtlsRole::kServer ? ClientHello::parse(datagram) : std::nullopt;
  if (!hello || is_known(key, *hello)) {
    feed(now, key, datagram);
  } else if (may_begin_) {
    accept_hello(now, source, from, *hello, datagram);
  }
  return flight_;
}

// What is no hello is every handshake's of its sender: whose it is not, it ends, and that one alone.
void DtlsAssociation::feed(Time now, const Endpoint& source, Bytes datagram) {
  say_again(now, source, datagram);
  for (Handshake& each : handshakes_) {
    if (each.source != source) continue;
    const Flight& said = each.session->on_datagram(now, datagram);
    flight_.insert(flight_.end(), said.begin(), said.end());
    if (each.session->keys()) return keep_only(each);
  }
  drop_failed(now);
}

// The peer may not have heard the last flight of the handshake that is done.
void DtlsAssociation::say_again(Time now, const Endpoint& source, Bytes datagram) {
  if (!done_ || done_->source != source) return;
  const Flight& said = done_->session->on_datagram(now, datagram);
  flight_.insert(flight_.end(), said.begin(), said.end());
}

void DtlsAssociation::keep_only(Handshake& done) {
  done_ = std::move(done);
  handshakes_.clear();
  ++handshakes_done_;
  may_begin_ = is_to_begin_ = false;
}

void DtlsAssociation::drop_failed(Time now) {
  std::erase_if(handshakes_, [&](const Handshake& each) {
    if (role_ == DtlsRole::kServer) return each.session->is_fresh();
    return done_ && now - each.begun > kRenewal;  // else it begins anew by itself
  });
}

bool DtlsAssociation::may_begin(Time now, const Endpoint& source, DtlsSource from, const ClientHello& hello,
                                bool has_cookie) {
  if (has_cookie)
    return (from == DtlsSource::kCandidate ? of_candidates_ : of_peer_).draw(now) &&
           make_room(now, source, from);
  if (from == DtlsSource::kProved && handshakes_.empty() && free_.draw(now)) return true;
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

void DtlsAssociation::accept_hello(Time now, const Endpoint& source, DtlsSource from,
                                   const ClientHello& hello, Bytes datagram) {
  // One that is dropped comes again, and again later: a crowd is served in turn, and media in between.
  PerSecond* const budget = has_begun_ ? budgets_.again : budgets_.first;
  if (budget != nullptr && !budget->has_room(now)) return;
  const bool has_cookie = cookies_.is_right(source, hello);
  if (!may_begin(now, source, from, hello, has_cookie)) return;
  if (budget != nullptr) (void)budget->draw(now);
  has_begun_ = true;

  Handshake& fresh = handshakes_.emplace_back();
  if (from != DtlsSource::kProved) fresh.source = source;
  std::copy(hello.random.begin(), hello.random.end(), fresh.random.begin());
  fresh.session = std::make_unique<DtlsSession>(context_, role_, peer_);
  fresh.begun = now;
  flight_ = has_cookie ? fresh.session->on_verified_hello(now, datagram)
                       : fresh.session->on_datagram(now, datagram);
  drop_failed(now);
}

}  // namespace vas::media

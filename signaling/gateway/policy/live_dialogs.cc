#include "signaling/gateway/policy/live_dialogs.h"

#include <algorithm>
#include <functional>

#include "base/random.h"
#include "base/text.h"

namespace vas::signaling {
namespace {

// The lowest of the party's hash, which is given up for it.
constexpr std::uint64_t kProvedBit = 1;

}  // namespace

LiveDialogs::LiveDialogs(std::size_t slots)
    : secret_(random_hex(16)),
      buckets_(std::max<std::size_t>(1, slots / kBucket)),
      slots_(new Slot[buckets_ * kBucket]) {}

// The tag is ours and random, so nobody can choose where a dialog lands;
// the secret is for what strangers ask.
std::uint64_t LiveDialogs::hash(char kind, std::string_view first, std::string_view second) const {
  std::string text;
  text.reserve(secret_.size() + first.size() + second.size() + 2);
  text.append(secret_).append(1, kind).append(first).append(1, '\0').append(second);
  const std::uint64_t hashed = std::hash<std::string_view>{}(text);
  return hashed != 0 ? hashed : 1;
}

LiveDialogs::Key LiveDialogs::key_of(std::string_view call_id, std::string_view our_tag) const {
  return Key{hash('d', to_lower(our_tag), call_id)};
}

LiveDialogs::Key LiveDialogs::key_of_invite(std::string_view branch) const {
  return Key{hash('i', branch, {})};
}

std::uint64_t LiveDialogs::hash_of(const Flow& flow) const {
  const auto& address = flow.peer.address;
  const std::uint64_t hashed =
      hash('a', {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()},
           std::to_string(static_cast<int>(address.family)) + ":" + std::to_string(flow.peer.port) + ":" +
               to_string(flow.transport)) &
      ~kProvedBit;
  return hashed != 0 ? hashed : 2;
}

// Two buckets for each key: at half load both are full of what lives for one key in very many.
LiveDialogs::Slot* LiveDialogs::bucket(std::uint64_t key, int choice) const {
  const std::uint64_t half = choice == 0 ? key & 0xffffffff : key >> 32;
  return &slots_[half % buckets_ * kBucket];
}

LiveDialogs::Slot* LiveDialogs::at(std::uint64_t key) const {
  for (const int choice : {0, 1}) {
    Slot* const first = bucket(key, choice);
    for (Slot* slot = first; slot != first + kBucket; ++slot) {
      if (slot->key.load(std::memory_order_acquire) == key) return slot;
    }
  }
  return nullptr;
}

LiveDialogs::Slot* LiveDialogs::find(Key key, Time now) const {
  Slot* const slot = at(static_cast<std::uint64_t>(key));
  if (slot == nullptr) return nullptr;
  const Time::rep ends = slot->ends.load(std::memory_order_relaxed);
  return ends == kLives || now.time_since_epoch().count() < ends ? slot : nullptr;
}

// In the emptier bucket: one that was never used or is forgotten, else the one that would be forgotten next.
LiveDialogs::Slot* LiveDialogs::room_for(std::uint64_t key, Time now) const {
  Slot* best = nullptr;
  std::size_t most_free = 0;
  Slot* oldest = nullptr;
  for (const int choice : {0, 1}) {
    Slot* const first = bucket(key, choice);
    std::size_t free = 0;
    Slot* room = nullptr;
    for (Slot* slot = first; slot != first + kBucket; ++slot) {
      const Time::rep ends = slot->ends.load(std::memory_order_relaxed);
      const bool is_used = slot->key.load(std::memory_order_relaxed) != 0;
      if (!is_used || (ends != kLives && ends <= now.time_since_epoch().count())) {
        ++free;
        room = slot;
      } else if (ends != kLives &&
                 (oldest == nullptr || ends < oldest->ends.load(std::memory_order_relaxed))) {
        oldest = slot;
      }
    }
    if (free > most_free) {
      most_free = free;
      best = room;
    }
  }
  return best != nullptr ? best : oldest;
}

bool LiveDialogs::add(Key key, const Flow* party, Time now) {
  const auto value = static_cast<std::uint64_t>(key);
  const std::lock_guard lock(writers_);
  Slot* slot = at(value);
  const bool lives_already = slot != nullptr && slot->ends.load(std::memory_order_relaxed) == kLives;
  if (!lives_already && is_full()) return false;
  if (slot == nullptr) slot = room_for(value, now);
  if (slot == nullptr) return false;
  if (!lives_already) live_.fetch_add(1, std::memory_order_relaxed);
  // The key last: who finds it finds the rest.
  slot->key.store(0, std::memory_order_release);
  slot->party.store(party != nullptr ? hash_of(*party) : 0, std::memory_order_relaxed);
  slot->requests.store(0, std::memory_order_relaxed);
  slot->ends.store(kLives, std::memory_order_relaxed);
  slot->key.store(value, std::memory_order_release);
  return true;
}

void LiveDialogs::end(Key key, Time now) {
  const std::lock_guard lock(writers_);
  Slot* const slot = at(static_cast<std::uint64_t>(key));
  if (slot == nullptr || slot->ends.load(std::memory_order_relaxed) != kLives) return;
  slot->ends.store((now + kLinger).time_since_epoch().count(), std::memory_order_relaxed);
  live_.fetch_sub(1, std::memory_order_relaxed);
}

bool LiveDialogs::accepts_request(Key key, Time now) {
  thread_check_.check();
  Slot* const slot = find(key, now);
  if (slot == nullptr) return false;
  TokenBucket requests(slot->requests.load(std::memory_order_relaxed));
  if (!requests.draw({kRequestsPerSecond}, now)) return false;
  slot->requests.store(requests.state(), std::memory_order_relaxed);
  return true;
}

LiveDialogs::Party LiveDialogs::party(Key key, const Flow& source, Time now) const {
  const Slot* const slot = find(key, now);
  const std::uint64_t known = slot != nullptr ? slot->party.load(std::memory_order_relaxed) : 0;
  if (known == 0) return Party::kUnknown;
  if ((known & ~kProvedBit) != hash_of(source)) return Party::kOther;
  return (known & kProvedBit) != 0 ? Party::kProved : Party::kSame;
}

void LiveDialogs::set_party(Key key, const Flow& source, bool is_proved, Time now) {
  thread_check_.check();
  if (Slot* const slot = find(key, now))
    slot->party.store(hash_of(source) | (is_proved ? kProvedBit : 0), std::memory_order_relaxed);
}

}  // namespace vas::signaling

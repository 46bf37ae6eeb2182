// A pool that many draw from, with a share for each.
#pragma once

#include <cstddef>
#include <functional>
#include <unordered_map>

namespace vas {

// Bounds: `all` of it is out at once, `each` to one key; as many keys are remembered as have something.
template <typename Key, typename Hash = std::hash<Key>>
class SharedBudget {
 public:
  SharedBudget(std::size_t all, std::size_t each) : all_(all), each_(each) {}

  // False where the pool or the key's share would not hold it: then nothing is taken.
  bool draw(const Key& key, std::size_t amount) { return draw(key, amount, each_); }
  bool draw(const Key& key, std::size_t amount, std::size_t each) {
    const std::size_t held = of(key);
    if (amount > all_ - taken_ || held + amount > each) return false;
    taken_ += amount;
    shares_[key] = held + amount;
    return true;
  }
  void give_back(const Key& key, std::size_t amount) {
    const auto found = shares_.find(key);
    if (found == shares_.end()) return;
    amount = amount < found->second ? amount : found->second;
    taken_ -= amount;
    found->second -= amount;
    if (found->second == 0) shares_.erase(found);
  }

  std::size_t taken() const { return taken_; }
  std::size_t of(const Key& key) const {
    const auto found = shares_.find(key);
    return found == shares_.end() ? 0 : found->second;
  }

 private:
  const std::size_t all_;
  const std::size_t each_;
  std::size_t taken_ = 0;
  std::unordered_map<Key, std::size_t, Hash> shares_;
};

}  // namespace vas

// A bounded queue of messages into another thread, with a descriptor that becomes readable.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/thread_check.h"

namespace vas {

// Many producers, one consumer, no lock: each slot carries the turn it is ready for (Vyukov's bounded queue).
//
// Threads: push() from any; drain() and descriptor() by the consumer only.
// Bounds:  holds `capacity` messages (a power of two). A full inbox refuses;
//          the producer decides what that means.
template <typename Message>
class Inbox {
 public:
  explicit Inbox(std::size_t capacity)
      : mask_(capacity - 1), slots_(new Slot[capacity]), descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    VAS_CHECK((capacity & mask_) == 0, "an inbox's capacity is a power of two");
    VAS_CHECK(descriptor_ >= 0, "no descriptor is left to start with");
    for (std::size_t i = 0; i < capacity; ++i) slots_[i].turn.store(i, std::memory_order_relaxed);
  }
  ~Inbox() { close(descriptor_); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // False, and `message` untouched, when full.
  bool push(Message&& message) {
    std::size_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[position & mask_];
      const auto distance = static_cast<std::intptr_t>(slot.turn.load(std::memory_order_acquire)) -
                            static_cast<std::intptr_t>(position);
      if (distance < 0) return false;
      if (distance > 0) {
        position = tail_.load(std::memory_order_relaxed);
      } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        slot.message = std::move(message);
        slot.turn.store(position + 1, std::memory_order_release);
        wake();
        return true;
      }
    }
  }

  // Hands over at most `limit` messages; returns how many.
  // When some may be left, the descriptor stays readable.
  template <typename Consumer>
  std::size_t drain(Consumer&& consume, std::size_t limit = SIZE_MAX) {
    thread_check_.check();
    std::uint64_t count = 0;
    (void)!read(descriptor_, &count, sizeof count);
    awake_.store(false, std::memory_order_seq_cst);

    std::size_t taken = 0;
    for (; taken < limit; ++taken) {
      Slot& slot = slots_[head_ & mask_];
      if (slot.turn.load(std::memory_order_acquire) != head_ + 1) return taken;
      Message message = std::exchange(slot.message, Message{});
      slot.turn.store(head_ + mask_ + 1, std::memory_order_release);
      ++head_;
      consume(std::move(message));
    }
    wake();
    return taken;
  }

  // False when nothing was pushed before what the caller has just met, or all of it was handed over. Any
  // thread; costs one load.
  bool has_news() const { return awake_.load(std::memory_order_acquire); }

  int descriptor() const { return descriptor_; }

 private:
  struct Slot {
    std::atomic<std::size_t> turn{0};
    Message message{};
  };

  void wake() {
    if (awake_.exchange(true, std::memory_order_seq_cst)) return;  // one write wakes for all that follow
    const std::uint64_t one = 1;
    (void)!write(descriptor_, &one, sizeof one);
  }

  const std::size_t mask_;
  std::unique_ptr<Slot[]> slots_;
  const int descriptor_;
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::size_t head_ = 0;
  std::atomic<bool> awake_{false};
  ThreadCheck thread_check_{"Inbox"};
};

}  // namespace vas

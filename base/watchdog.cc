#include "base/watchdog.h"

#include <pthread.h>

#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace vas {
namespace {

void tell(const std::string& name, Pulse::State before, Pulse::State now) {
  switch (now) {
    case Pulse::State::kStuck:
      return log::error("", "{} is stuck: it has not answered for {} ms", name,
                        Watchdog::kPatience / std::chrono::milliseconds(1));
    case Pulse::State::kFailing: return log::error("", "{} fails; it is tried again (docs/health.md)", name);
    case Pulse::State::kWell:
      return log::info("", "{} is well again, {} no more", name,
                       before == Pulse::State::kStuck ? "stuck" : "failing");
  }
}

}  // namespace

Watchdog::Watchdog(std::vector<Part> parts)
    : parts_(std::move(parts)), told_(parts_.size(), Pulse::State::kWell) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-watchdog");
}

void Watchdog::run() {
  while (pause(kEach - kPatience)) {
    ask(monotonic_now());
    if (!pause(kPatience)) return;
    look(monotonic_now());
  }
}

bool Watchdog::pause(Duration time) {
  std::unique_lock lock(mutex_);
  return !wakeup_.wait_for(lock, time, [this] { return is_stopping_; });
}

void Watchdog::ask(Time now) {
  for (const Part& part : parts_) {
    if (part.ask) part.ask(now);
  }
}

void Watchdog::look(Time now) {
  const auto all = seen(now);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Pulse::State before = std::exchange(told_[i], all[i].reading.state);
    if (before != told_[i]) tell(all[i].name, before, told_[i]);
  }
}

std::vector<Watchdog::Seen> Watchdog::seen(Time now) const {
  // A look comes a little earlier than kPatience after its question, or a little later.
  constexpr Duration kTolerance = std::chrono::milliseconds(20);
  std::vector<Seen> all;
  for (const Part& part : parts_) {
    const Pulse::Reading reading = part.pulse->read(now, kPatience - kTolerance);
    const bool is_given_up =
        part.carries_calls && reading.state == Pulse::State::kStuck && now - reading.since >= kGivenUp;
    all.push_back({part.name, reading, is_given_up});
  }
  return all;
}

}  // namespace vas

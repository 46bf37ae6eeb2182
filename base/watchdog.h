// One who watches the threads of a program by their pulses.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/pulse.h"

namespace vas {

// Asks each part once in kEach, and looks kPatience later who has confirmed: what sticks or fails is known
// within two seconds, whoever asks seen(), and the log says it, even when the thread that sticks is the one
// that serves the API.
//
// Threads: seen() from any; `ask` of a part is called on the watchdog's own thread and must not wait. ask()
// and look()
//          are for tests, without start().
class Watchdog {
 public:
  // Costs an idle thread one wake-up.
  static constexpr Duration kEach = std::chrono::milliseconds(1000);
  // Within kEach, so that each question is confirmed before the next.
  static constexpr Duration kPatience = std::chrono::milliseconds(900);
  // Stuck that long, a part that carries calls will not come back: only a restart helps.
  static constexpr Duration kGivenUp = std::chrono::seconds(10);

  struct Part {
    std::string name;
    const Pulse* pulse;             // outlives the watchdog
    std::function<void(Time)> ask;  // asks that pulse, and wakes its thread; may be of several parts
    bool carries_calls = false;
  };
  struct Seen {
    std::string name;
    Pulse::Reading reading;
    bool is_given_up = false;
  };

  explicit Watchdog(std::vector<Part> parts);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start();
  std::vector<Seen> seen(Time now) const;

  void ask(Time now);
  void look(Time now);

 private:
  void run();
  bool pause(Duration time);

  const std::vector<Part> parts_;
  std::vector<Pulse::State> told_;  // what the log said last, by part
  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace vas

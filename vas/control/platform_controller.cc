#include "vas/control/platform_controller.h"

#include "base/clock.h"

namespace vas::control {
namespace {

const char* name_of(Pulse::State state) {
  switch (state) {
    case Pulse::State::kWell: return "well";
    case Pulse::State::kFailing: return "failing";
    case Pulse::State::kStuck: return "stuck";
  }
  return "?";
}

}  // namespace

std::vector<api::PartHealth> PlatformController::health() const {
  thread_check_.check();
  std::vector<api::PartHealth> parts;
  if (watchdog_ == nullptr) return parts;
  const Time now = monotonic_now();
  for (const Watchdog::Seen& each : watchdog_->seen(now)) {
    api::PartHealth part{.name = each.name, .state = name_of(each.reading.state)};
    part.needs_restart = each.is_given_up;
    if (each.reading.state != Pulse::State::kWell)
      part.since =
          wall_now() - std::chrono::duration_cast<std::chrono::milliseconds>(now - each.reading.since);
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace vas::control

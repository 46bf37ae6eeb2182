// The set of live dialogs against a simple model: any order of adding, ending, asking and waiting.
#include <cstdlib>
#include <map>
#include <string>

#include "signaling/gateway/policy/live_dialogs.h"

namespace {

using namespace vas;
using namespace vas::signaling;

void require(bool holds) {
  if (!holds) std::abort();
}

// One that is roomy knows exactly what the model knows; in one that is crowded what has ended may be
// forgotten early, and nothing else.
class Checked {
 public:
  explicit Checked(std::size_t slots, bool is_roomy) : dialogs_(slots), is_roomy_(is_roomy) {}

  void step(unsigned what, unsigned id, Time now) {
    const LiveDialogs::Key key = dialogs_.key_of("call" + std::to_string(id), "tag");
    const Flow flow{Transport::kUdp, {{}, static_cast<std::uint16_t>(id + 1)}, 0};
    switch (what) {
      case 0: return add(key, id, flow, now);
      case 1:
        dialogs_.end(key, now);
        if (lives(id)) model_[id] = now + LiveDialogs::kLinger;
        return;
      case 2: require(!dialogs_.accepts_request(key, now) || knows(id, now)); return;
      case 3:
        dialogs_.set_party(key, flow, true, now);
        if (dialogs_.contains(key, now))
          require(dialogs_.party(key, flow, now) == LiveDialogs::Party::kProved);
        return;
      default: return check(key, id, now);
    }
  }

 private:
  bool lives(unsigned id) const { return model_.contains(id) && model_.at(id) == kNever; }
  bool knows(unsigned id, Time now) const { return model_.contains(id) && now < model_.at(id); }

  std::size_t live() const {
    std::size_t count = 0;
    for (const auto& [id, ends] : model_) count += ends == kNever ? 1 : 0;
    return count;
  }

  void add(LiveDialogs::Key key, unsigned id, const Flow& flow, Time now) {
    const bool is_added = dialogs_.add(key, id % 2 == 0 ? &flow : nullptr, now);
    require(is_added == (lives(id) || live() < dialogs_.max_live()));
    if (is_added) model_[id] = kNever;
  }

  void check(LiveDialogs::Key key, unsigned id, Time now) {
    const bool is_there = dialogs_.contains(key, now);
    if (is_roomy_ || lives(id)) require(is_there == knows(id, now));
    if (is_there) require(knows(id, now));
    require(dialogs_.live() == live());
  }

  LiveDialogs dialogs_;
  const bool is_roomy_;
  std::map<unsigned, Time> model_;  // when each is forgotten
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Checked roomy(4096, true), crowded(16, false);
  Time now{Duration(1)};
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    now += std::chrono::milliseconds(data[i + 1] * 16);
    const unsigned what = data[i] & 7, id = data[i] >> 3;
    roomy.step(what, id, now);
    crowded.step(what, id, now);
  }
  return 0;
}

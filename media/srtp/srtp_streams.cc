#include "media/srtp/srtp_streams.h"

#include <algorithm>

namespace vas::media {
namespace {

std::uint64_t next_of(const ReplayWindow& window) { return window.has_any() ? window.highest() + 1 : 0; }

ReplayWindow window_before(std::uint64_t next) {
  return next == 0 ? ReplayWindow() : ReplayWindow::all_up_to(next - 1);
}

}  // namespace

SrtpStreams::SrtpStreams() { streams_.reserve(kUsualStreams); }

SrtpStreams::Stream* SrtpStreams::find(Ssrc ssrc) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const Stream& each) { return each.state.ssrc == ssrc; });
  return found == streams_.end() ? nullptr : &*found;
}

std::vector<SrtpStreams::Former>::const_iterator SrtpStreams::place_of(Ssrc ssrc) const {
  return std::lower_bound(former_.begin(), former_.end(), ssrc.value,
                          [](const Former& each, std::uint32_t value) { return each.ssrc < value; });
}

const SrtpStreams::Former* SrtpStreams::former(Ssrc ssrc) const {
  const auto place = place_of(ssrc);
  return place != former_.end() && place->ssrc == ssrc.value ? &*place : nullptr;
}

SrtpStreamState SrtpStreams::state_of(const Former& former) {
  return {
      .ssrc = {former.ssrc}, .rtp = window_before(former.next_rtp), .rtcp = window_before(former.next_rtcp)};
}

SrtpStreams::Stream SrtpStreams::unknown(Ssrc ssrc) const {
  const Former* before = former_.empty() ? nullptr : former(ssrc);
  if (before != nullptr) return {.state = state_of(*before), .is_back = true};
  return {.state = {.ssrc = ssrc, .rtp = {}, .rtcp = {}}};
}

SrtpStreams::Added SrtpStreams::add(const Stream& stream) {
  const auto place = place_of(stream.state.ssrc);
  if (place != former_.end() && place->ssrc == stream.state.ssrc.value) former_.erase(place);
  Added added{.is_in = true, .given_up = {}};
  if (streams_.size() == kSrtpMaxStreams) {
    added.given_up = give_up_oldest();
    if (!added.given_up) return {};
  }
  touch(streams_.emplace_back(stream));
  return added;
}

std::optional<Ssrc> SrtpStreams::give_up_oldest() {
  if (former_.size() == kSrtpMostFormerStreams) return {};
  const auto oldest =
      std::min_element(streams_.begin(), streams_.end(),
                       [](const Stream& one, const Stream& other) { return one.used < other.used; });
  const SrtpStreamState& state = oldest->state;
  const Ssrc ssrc = state.ssrc;
  former_.insert(place_of(ssrc),
                 {ssrc.value, static_cast<std::uint32_t>(next_of(state.rtcp)), next_of(state.rtp)});
  streams_.erase(oldest);
  return ssrc;
}

std::vector<SrtpStreamState> SrtpStreams::all() const {
  std::vector<SrtpStreamState> states;
  states.reserve(former_.size() + streams_.size());
  for (const Former& each : former_) states.push_back(state_of(each));
  std::vector<Stream> known = streams_;
  std::sort(known.begin(), known.end(),
            [](const Stream& one, const Stream& other) { return one.used < other.used; });
  for (const Stream& each : known) states.push_back(each.state);
  return states;
}

void SrtpStreams::restore(const std::vector<SrtpStreamState>& states, bool as_sent) {
  for (const SrtpStreamState& each : states) {
    SrtpStreamState state = each;
    if (as_sent) state = {each.ssrc, window_before(next_of(each.rtp)), window_before(next_of(each.rtcp))};
    if (!add({.state = state}).is_in) return;
  }
}

}  // namespace vas::media

#include "signaling/gateway/message_trace.h"

#include <algorithm>
#include <utility>

#include "vas/base/text.h"

namespace vas::signaling {
namespace {

constexpr std::size_t kHintDigits = 8;

// Blots out what stands from `from` to the next of `ends`, after `kept` characters.
void blot(std::string& text, std::size_t from, std::string_view ends, std::size_t kept) {
  const std::size_t end = std::min(text.find_first_of(ends, from), text.size());
  for (std::size_t i = from + kept; i < end; ++i) text[i] = 'x';
}

std::size_t find_ignoring_case(std::string_view text, std::string_view what, std::size_t from) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), what.begin(),
                                 what.end(), same);
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

void blot_all(std::string& text, std::string_view marker, std::string_view ends, std::size_t kept) {
  for (std::size_t at = 0; (at = find_ignoring_case(text, marker, at)) != std::string_view::npos;) {
    at += marker.size();
    const std::size_t value = std::min(text.find_first_not_of(" \t", at), text.size());
    blot(text, value, ends, kept);
  }
}

}  // namespace

std::string without_secrets(std::string_view text) {
  std::string shown(text);
  blot_all(shown, "X-Cloudonix-Session:", "\r\n", kHintDigits);
  blot_all(shown, "response=\"", "\"\r\n", 0);
  blot_all(shown, "inline:", "| \r\n", 0);
  blot_all(shown, "a=ice-pwd:", "\r\n", 0);
  return shown;
}

void MessageTrace::note(TracedMessage message, std::string_view call_id) {
  if (!is_on()) return;
  Entry entry{std::move(message), std::string(call_id)};
  bytes_ += cost_of(entry);
  dialogs_[entry.call_id].entries.push_back(first_ + ring_.size());
  ring_.push_back(std::move(entry));
  while (bytes_ > max_bytes_ && ring_.size() > 1) forget_oldest();
}

void MessageTrace::forget_oldest() {
  const Entry& oldest = ring_.front();
  const auto dialog = dialogs_.find(oldest.call_id);
  dialog->second.entries.pop_front();
  if (dialog->second.entries.empty()) {
    const auto token = by_token_.find(dialog->second.token);
    if (token != by_token_.end()) {
      token->second.erase(oldest.call_id);
      if (token->second.empty()) by_token_.erase(token);
    }
    dialogs_.erase(dialog);
  }
  bytes_ -= cost_of(oldest);
  ring_.pop_front();
  ++first_;
}

void MessageTrace::link(std::string_view token, std::string_view call_id) {
  const auto dialog = dialogs_.find(std::string(call_id));
  if (dialog == dialogs_.end() || !dialog->second.token.empty()) return;
  dialog->second.token = token;
  by_token_[std::string(token)].insert(std::string(call_id));
}

std::vector<TracedMessage> MessageTrace::of(std::string_view token) const {
  const auto calls = by_token_.lower_bound(token);
  if (token.empty() || calls == by_token_.end() || !calls->first.starts_with(token)) return {};
  const auto next = std::next(calls);
  const bool is_one_of_several =
      calls->first != token && next != by_token_.end() && next->first.starts_with(token);
  if (is_one_of_several) return {};
  std::vector<std::uint64_t> numbers;
  for (const std::string& call_id : calls->second) {
    const auto& entries = dialogs_.at(call_id).entries;
    numbers.insert(numbers.end(), entries.begin(), entries.end());
  }
  std::sort(numbers.begin(), numbers.end());
  std::vector<TracedMessage> messages;
  for (const std::uint64_t number : numbers) {
    messages.push_back(ring_[static_cast<std::size_t>(number - first_)].message);
    messages.back().text = without_secrets(messages.back().text);
  }
  return messages;
}

}  // namespace vas::signaling

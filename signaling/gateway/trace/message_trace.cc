#include "signaling/gateway/trace/message_trace.h"

#include <algorithm>
#include <utility>

#include "signaling/gateway/trace/message_secrets.h"

namespace vas::signaling {

void MessageTrace::keep(TracedMessage message, std::string_view call_id) {
  thread_check_.check();
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
  thread_check_.check();
  const auto dialog = dialogs_.find(std::string(call_id));
  if (dialog == dialogs_.end() || !dialog->second.token.empty()) return;
  dialog->second.token = token;
  by_token_[std::string(token)].insert(std::string(call_id));
}

std::vector<TracedMessage> MessageTrace::of(std::string_view token) const {
  thread_check_.check();
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
    messages.back().text = without_secrets(messages.back().text, calls->first);
  }
  return messages;
}

}  // namespace vas::signaling

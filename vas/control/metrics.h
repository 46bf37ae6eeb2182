// What an operator's Prometheus reads of this node.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/watchdog.h"
#include "bridge/plane/media_plane.h"
#include "signaling/gateway/gateway.h"
#include "vas/api/api.h"
#include "vas/control/call_controller.h"

namespace vas::control {

// The figures of one moment, collected when they are asked for.
struct Snapshot {
  std::size_t calls = 0;
  std::size_t sessions = 0;
  std::size_t polls_waiting = 0;
  std::size_t callbacks_waiting = 0;
  std::size_t broken_endpoints = 0;
  std::uint64_t sessions_created = 0;
  std::uint64_t callbacks_delivered = 0;
  std::uint64_t callback_tries_failed = 0;
  std::uint64_t callbacks_buried = 0;
  std::uint64_t rows_refused = 0;
  std::uint64_t sessions_refused = 0;
  QuotaCounters calls_refused;
  const calls::CallQuota* quota = nullptr;
  const std::unordered_map<std::int64_t, sessions::SessionRegistry::Use>* session_uses = nullptr;
  const directory::Directory* directory = nullptr;
  api::ApiCounters api;
  api::HttpCounters http;
  std::size_t webhooks_under_way = 0;
  bridge::MediaFigures media;
  std::vector<Watchdog::Seen> parts;
  const signaling::GatewayCounters* gateway = nullptr;
};

// Prometheus' text format.
std::string to_metrics_text(const Snapshot& snapshot);

}  // namespace vas::control

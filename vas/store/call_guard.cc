#include "vas/store/call_guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace vas::store {

CallGuard::Line::Line(CallGuard* guard) : guard_(guard) {
  if (guard_ == nullptr) return;
  const std::lock_guard lock(guard_->mutex_);
  guard_->lines_.push_back(this);
}

CallGuard::Line::~Line() {
  if (guard_ == nullptr) return;
  const std::lock_guard lock(guard_->mutex_);
  std::erase(guard_->lines_, this);
  if (socket_ >= 0) ::close(socket_);
}

void CallGuard::Line::watch(soci::session& database) {
  if (guard_ == nullptr) return;
  if (database.get_backend_name() != "postgresql") return;
  const auto* postgresql = static_cast<soci::postgresql_session_backend*>(database.get_backend());
  const bool is_connected = postgresql != nullptr && postgresql->conn_ != nullptr;
  const int socket = is_connected ? PQsocket(postgresql->conn_) : -1;
  const std::lock_guard lock(guard_->mutex_);
  if (socket_ >= 0) ::close(socket_);
  socket_ = socket >= 0 ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1;
}

void CallGuard::Line::begin() {
  if (guard_ == nullptr) return;
  const std::lock_guard lock(guard_->mutex_);
  step();
  if (guard_->is_asleep_) guard_->wakeup_.notify_one();
}

void CallGuard::Line::step() { began_at_.store(monotonic_now().time_since_epoch().count()); }

void CallGuard::Line::end() { began_at_.store(0); }

CallGuard::CallGuard(Duration longest) : longest_(longest) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-db-guard");
}

CallGuard::~CallGuard() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
}

void CallGuard::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (is_idle()) {
      is_asleep_ = true;
      wakeup_.wait(lock, [this] { return is_stopping_ || !is_idle(); });
      is_asleep_ = false;
    }
    wakeup_.wait_for(lock, cut_overdue(monotonic_now()), [this] { return is_stopping_; });
  }
}

bool CallGuard::is_idle() const {
  return std::ranges::all_of(lines_, [](const Line* line) { return line->began_at_.load() == 0; });
}

Duration CallGuard::cut_overdue(Time now) {
  Duration left = longest_;
  for (Line* line : lines_) {
    const Duration::rep began_at = line->began_at_.load();
    if (began_at == 0) continue;
    const Duration overdue_in = Time(Duration(began_at)) + longest_ - now;
    if (overdue_in > Duration::zero()) {
      left = std::min(left, overdue_in);
    } else if (line->socket_ >= 0) {
      log::warn("", "the database has not answered for {} ms: its connection is given up",
                longest_ / std::chrono::milliseconds(1));
      ::shutdown(line->socket_, SHUT_RDWR);
      ::close(std::exchange(line->socket_, -1));
    }
  }
  return left;
}

}  // namespace vas::store

// What a loop of GLib waits for.
#pragma once

#include <glib.h>

#include <utility>

namespace vas::ice {

// A source of the loop that calls `function(owner)`; destroyed with its holder.
class GlibSource {
 public:
  GlibSource() = default;
  GlibSource(GlibSource&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  GlibSource& operator=(GlibSource&& other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  GlibSource(GSource* source, GSourceFunc function, gpointer owner, GMainContext* context) : source_(source) {
    g_source_set_callback(source_, function, owner, nullptr);
    g_source_attach(source_, context);
  }
  ~GlibSource() {
    if (source_ == nullptr) return;
    g_source_destroy(source_);
    g_source_unref(source_);
  }

 private:
  GSource* source_ = nullptr;
};

}  // namespace vas::ice

// vas-caller: a simulated caller without a screen. Prints what it heard as JSON.
// SPDX-License-Identifier: GPL-3.0-or-later
#include <ortp/ortp.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>

#include "tools/vas-caller/caller.h"
#include "tools/vas-caller/tone.h"
#include "tools/vas-caller/wav.h"

namespace {

double rounded(double value) { return std::round(value * 1000) / 1000; }

std::string to_json(const vas::caller::CallerReport& report) {
  return boost::json::serialize(boost::json::object{{"outcome", report.outcome},
                                                    {"status", report.status},
                                                    {"talked_s", rounded(report.talked_s)},
                                                    {"ended_by", report.ended_by},
                                                    {"sent", report.sent},
                                                    {"received", report.received},
                                                    {"lost", report.lost},
                                                    {"jitter_max_ms", rounded(report.jitter_max_ms)},
                                                    {"tone_hz", report.tone_hz},
                                                    {"tone_share", rounded(report.tone_share)},
                                                    {"dtmf", report.digits}});
}

}  // namespace

int main(int argc, char** argv) {
  vas::caller::CallerOptions options;
  std::string listen = "127.0.0.1:0";
  std::string play;
  std::string record;
  double tone = 0;
  CLI::App app{"vas-caller: dials or answers one SIP call, plays, records, and prints what it heard as JSON"};
  app.add_option("--dial", options.dial, "sip:USER@ADDRESS:PORT to call; without it, waits for a call");
  app.add_option("--listen", listen, "SIP address and port of this caller")->capture_default_str();
  app.add_option("--from", options.from, "User part of From")->capture_default_str();
  app.add_option("--token", options.token, "Session token to present (X-Cloudonix-Session)");
  app.add_option("--domain", options.domain, "Domain to present (X-Cloudonix-Domain)");
  app.add_option("--play", play, "WAV to play in a circle: mono, 16 bit, 8000 Hz");
  app.add_option("--tone", tone, "Or a tone to play, in Hz");
  app.add_option("--record", record, "WAV to write what was heard to");
  app.add_option("--codec", options.codec, "PCMU or PCMA")
      ->check(CLI::IsMember({"PCMU", "PCMA"}))
      ->capture_default_str();
  app.add_option("--dtmf", options.press, "Digits to press after the answer");
  app.add_option("--seconds", options.seconds,
                 "Seconds to talk before hanging up; 0: until the other side does")
      ->capture_default_str();
  app.add_option("--wait", options.wait, "Seconds to wait for a call, or for its answer")
      ->capture_default_str();
  app.add_option("--reject", options.reject, "Respond to a call with this SIP code instead of taking it");
  app.add_flag("--announce", options.announces, "Print the SIP address on standard error when ready");
  CLI11_PARSE(app, argc, argv);

  const auto endpoint = vas::Endpoint::parse(listen);
  if (!endpoint) {
    std::fprintf(stderr, "vas-caller: --listen %s is no address with a port\n", listen.c_str());
    return 2;
  }
  options.listen = *endpoint;
  if (!play.empty()) {
    auto audio = vas::caller::read_wav(play);
    if (!audio) {
      std::fprintf(stderr, "vas-caller: %s\n", audio.error().c_str());
      return 2;
    }
    options.audio = std::move(*audio);
  } else if (tone > 0) {
    options.audio = vas::caller::make_tone(tone, 1);
  }

  spdlog::set_level(spdlog::level::err);
  ortp_init();
  ortp_set_log_level_mask(nullptr, ORTP_FATAL);
  vas::caller::CallerReport report;
  if (const auto failure = vas::caller::run_caller(options, report)) {
    std::fprintf(stderr, "vas-caller: %s\n", failure->c_str());
    return 2;
  }
  std::puts(to_json(report).c_str());
  if (!record.empty() && !vas::caller::write_wav(record, report.heard)) {
    std::fprintf(stderr, "vas-caller: cannot write %s\n", record.c_str());
    return 2;
  }
  return report.outcome == "answered" ? 0 : 1;
}

// vasctl: what operators ask of a node from its shell.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <deque>
#include <fstream>
#include <string>

#include "base/rotated_files.h"
#include "base/text.h"
#include "tools/vasctl/api_client.h"
#include "tools/vasctl/ladder.h"

namespace {

using namespace vas::vasctl;
using vas::printable;
using vas::to_string;

// One line a record that a person can scan; the JSON itself with --json.
std::string summary(const std::string& line) {
  boost::system::error_code failure;
  const auto value = boost::json::parse(line, failure);
  if (failure || !value.is_object()) return line;
  const auto& record = value.as_object();
  const auto text = [&record](const char* key) {
    const auto* field = record.if_contains(key);
    if (field == nullptr || field->is_null()) return std::string("-");
    return field->is_string() ? std::string(field->as_string()) : boost::json::serialize(*field);
  };
  return printable(text("start") + "  " + text("direction") + "  " + text("from") + " -> " + text("to") +
                   "  " + text("disposition") + "  " + text("billsec") + " s  " + text("termination_reason") +
                   " (" + text("ended_by") + ")  " + text("codec") + "  " + text("id"));
}

std::deque<std::string> last_lines(std::istream& in, std::size_t count) {
  std::deque<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    lines.push_back(std::move(line));
    if (lines.size() > count) lines.pop_front();
  }
  return lines;
}

int print_records(const std::string& data_dir, std::size_t last, bool as_json) {
  const auto paths = vas::rotated_files(data_dir, "records");
  std::deque<std::string> lines;
  for (auto path = paths.rbegin(); path != paths.rend() && lines.size() < last; ++path) {
    std::ifstream in(*path);
    if (!in) {
      std::fprintf(stderr, "vasctl: cannot read %s; is --data-dir the one that vas runs with?\n",
                   path->c_str());
      return 1;
    }
    std::deque<std::string> of_file = last_lines(in, last - lines.size());
    lines.insert(lines.begin(), std::make_move_iterator(of_file.begin()),
                 std::make_move_iterator(of_file.end()));
  }
  for (const std::string& line : lines) std::puts(as_json ? line.c_str() : summary(line).c_str());
  return 0;
}

int fail(const std::string& why) {
  std::fprintf(stderr, "vasctl: %s\n", why.c_str());
  return 1;
}

int print_bans(const ApiAccess& access) {
  const auto body = ask(access, "GET", "/gateway/bans");
  if (!body) return fail(body.error());
  const auto bans = boost::json::parse(*body).as_array();
  if (bans.empty()) std::puts("nobody is banned");
  for (const auto& each : bans) {
    const auto& ban = each.as_object();
    std::printf("%-40s %-10s %6lld s left  %llu dropped\n", ban.at("source").as_string().c_str(),
                ban.at("reason").as_string().c_str(),
                static_cast<long long>(ban.at("secondsLeft").to_number<std::int64_t>()),
                static_cast<unsigned long long>(ban.at("dropped").to_number<std::uint64_t>()));
  }
  return 0;
}

int lift_ban(const ApiAccess& access, const std::string& source) {
  const auto lifted = ask(access, "DELETE", "/gateway/bans/" + source);
  if (!lifted) return fail(lifted.error());
  std::printf("%s may call again\n", source.c_str());
  return 0;
}

// A message as it may go to a terminal, line by line.
std::string printable_lines(std::string_view text) {
  std::string shown;
  for (std::string_view line : vas::split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    shown += printable(line) + "\n";
  }
  return shown;
}

int print_trace(const ApiAccess& access, const std::string& token, const std::string& pcap_file,
                bool with_messages) {
  const auto body = ask(access, "GET", "/gateway/traces/" + token);
  if (!body) return fail(body.error());
  const auto messages = parse_trace(*body);
  if (!messages) return fail(messages.error());
  std::fputs(ladder(*messages).c_str(), stdout);
  if (with_messages) {
    for (const Message& each : *messages) {
      std::printf("\n---- %s  %s -> %s  %s\n%s", each.at.c_str(), to_string(each.from).c_str(),
                  to_string(each.to).c_str(), each.transport.c_str(), printable_lines(each.text).c_str());
    }
  }
  if (pcap_file.empty()) return 0;
  std::ofstream out(pcap_file, std::ios::binary);
  out << pcap(*messages);
  out.close();
  if (!out) return fail("cannot write " + pcap_file);
  std::printf("%zu messages written to %s\n", messages->size(), pcap_file.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"vasctl: looks into a VAS node"};
  app.require_subcommand(1);
  ApiAccess access;
  access.data_dir = "vas-data";
  app.add_option("--data-dir", access.data_dir, "Folder that vas keeps its data in")
      ->envname("VAS_DATA_DIR")
      ->capture_default_str();
  app.add_option("--url", access.url, "The node's API")->envname("VAS_URL")->capture_default_str();
  app.add_option("--key", access.key, "System key for the API (default: system.key of the data folder)")
      ->envname("VAS_KEY");

  auto* cdr = app.add_subcommand("cdr", "Print the last call records, oldest first");
  std::size_t last = 10;
  bool as_json = false;
  cdr->add_option("--last", last, "How many")->capture_default_str();
  cdr->add_flag("--json", as_json, "As JSON, one record a line");

  auto* bans = app.add_subcommand("bans", "Print the addresses that the gateway keeps out");
  std::string lifted;
  bans->add_option("--lift", lifted, "Let this address call again");

  auto* trace = app.add_subcommand("trace", "Print the SIP messages of a call as a ladder");
  std::string token, pcap_file;
  bool with_messages = false;
  trace->add_option("TOKEN", token, "The session's token, or the digits of it that the log shows")
      ->required();
  trace->add_option("--pcap", pcap_file, "Write them as a capture too, for Wireshark or sngrep");
  trace->add_flag("--messages", with_messages, "Print the messages whole too");
  CLI11_PARSE(app, argc, argv);

  if (*bans) return lifted.empty() ? print_bans(access) : lift_ban(access, lifted);
  if (*trace) return print_trace(access, token, pcap_file, with_messages);
  return print_records(access.data_dir, last, as_json);
}

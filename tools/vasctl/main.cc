// vasctl: what operators ask of a node from its shell.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <deque>
#include <fstream>
#include <string>

namespace {

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
  return text("start") + "  " + text("direction") + "  " + text("from") + " -> " + text("to") + "  " +
         text("disposition") + "  " + text("billsec") + " s  " + text("termination_reason") + " (" +
         text("ended_by") + ")  " + text("codec") + "  " + text("id");
}

int print_records(const std::string& data_dir, std::size_t last, bool as_json) {
  const std::string path = data_dir + "/records.jsonl";
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "vasctl: cannot read %s; is --data-dir the one that vas runs with?\n", path.c_str());
    return 1;
  }
  std::deque<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    lines.push_back(std::move(line));
    if (lines.size() > last) lines.pop_front();
  }
  for (const std::string& line : lines) std::puts(as_json ? line.c_str() : summary(line).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"vasctl: looks into a VAS node"};
  app.require_subcommand(1);
  std::string data_dir = "vas-data";
  app.add_option("--data-dir", data_dir, "Folder that vas keeps its data in")
      ->envname("VAS_DATA_DIR")
      ->capture_default_str();
  auto* cdr = app.add_subcommand("cdr", "Print the last call records, oldest first");
  std::size_t last = 10;
  bool as_json = false;
  cdr->add_option("--last", last, "How many")->capture_default_str();
  cdr->add_flag("--json", as_json, "As JSON, one record a line");
  CLI11_PARSE(app, argc, argv);
  return print_records(data_dir, last, as_json);
}

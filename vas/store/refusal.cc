#include "vas/store/refusal.h"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace vas::store {
namespace {

// Classes of SQLSTATE that speak of the connection, the server, its disk or the schema: nothing that another
// row would escape. (PostgreSQL, appendix A). Blank: the connection broke.
constexpr std::array<std::string_view, 18> kOfTheServer = {"  ", "08", "0A", "25", "26", "28",
                                                           "34", "3B", "3D", "3F", "40", "42",
                                                           "53", "55", "57", "58", "F0", "72"};

bool is_of_the_row(const soci::postgresql_soci_error& failure) {
  const std::string state = failure.sqlstate();
  const std::string_view state_class = std::string_view(state).substr(0, 2);
  return state_class.size() == 2 && std::ranges::find(kOfTheServer, state_class) == kOfTheServer.end();
}

bool is_of_the_row(const soci::sqlite3_soci_error& failure) {
  const int result = failure.result() & 0xff;
  return result == SQLITE_CONSTRAINT || result == SQLITE_TOOBIG || result == SQLITE_MISMATCH ||
         result == SQLITE_RANGE;
}

}  // namespace

bool is_of_the_row(const std::exception& failure) {
  if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&failure))
    return is_of_the_row(*postgresql);
  if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&failure))
    return is_of_the_row(*sqlite);
  return dynamic_cast<const soci::soci_error*>(&failure) == nullptr;  // it could not even be written out
}

std::string reason_of(const std::exception& failure) {
  const auto* of_soci = dynamic_cast<const soci::soci_error*>(&failure);
  std::string text = of_soci != nullptr ? of_soci->get_error_message() : failure.what();
  if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&failure))
    text = postgresql->sqlstate() + " " + text;
  return text.substr(0, text.find('\n'));
}

}  // namespace vas::store

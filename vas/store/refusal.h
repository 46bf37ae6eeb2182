// Whose fault it is that a statement failed: its row's, which would fail again for ever, or the database's.
#pragma once

#include <exception>
#include <string>

namespace vas::store {

bool is_of_the_row(const std::exception& failure);

// What the database said, as it may stand in a log: its first line. Those that follow, and what() of SOCI's,
// show the row.
std::string reason_of(const std::exception& failure);

}  // namespace vas::store

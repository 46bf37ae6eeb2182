// VAS_CHECK: for our own bugs only. No byte from the network may reach one.
#pragma once

#include <cstdio>
#include <cstdlib>

#define VAS_CHECK(condition, why)                                                                  \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, __LINE__, #condition, why); \
      std::abort();                                                                                \
    }                                                                                              \
  } while (false)

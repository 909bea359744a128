#pragma once
#include <cstdio>
#include <cstdlib>

namespace linegate {
[[noreturn, gnu::cold, gnu::noinline]] inline void CheckFailed(const char* expression, const char* file,
                                                               int line) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, expression);
  std::abort();
}
}  // namespace linegate

/// Own invariants only, never external input. LG_ASSERT: debug builds. LG_FATAL: always (start-up, exhausted memory).
#ifdef NDEBUG
#define LG_ASSERT(expression) ((void)sizeof(!(expression)))
#else
#define LG_ASSERT(expression) \
  ((expression) ? (void)0 : ::linegate::CheckFailed(#expression, __FILE__, __LINE__))
#endif
#define LG_FATAL(expression) \
  ((expression) ? (void)0 : ::linegate::CheckFailed(#expression, __FILE__, __LINE__))

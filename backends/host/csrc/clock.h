/* Seconds on a clock that never goes back, where the system has one. */
#ifndef BREAKEVEN_CLOCK_H
#define BREAKEVEN_CLOCK_H

#include <time.h>

static inline double now(void) {
  struct timespec t;
#if defined(CLOCK_MONOTONIC)
  clock_gettime(CLOCK_MONOTONIC, &t);
#else
  timespec_get(&t, TIME_UTC);
#endif
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif

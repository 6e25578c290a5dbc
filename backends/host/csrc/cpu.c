/* CPUID, where there is one. */
#include "cpu.h"

#include <string.h>

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#include <cpuid.h>

int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

int has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
}

void cpu_name(char *name) {
  unsigned words[12] = {0};
  memset(name, 0, 49);
  if (__get_cpuid_max(0x80000000u, 0) < 0x80000004u) return;
  for (unsigned i = 0; i < 3; i++) __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  memcpy(name, words, 48);
}

/* Leaf 4 (Intel) and 0x8000001D (AMD) share one layout: type, level, then ways, partitions, line size and sets, each less 1. */
static long cache_of_leaf(unsigned leaf, int level) {
  if (__get_cpuid_max(leaf & 0x80000000u, 0) < leaf) return 0;
  for (unsigned i = 0; i < 16; i++) {
    unsigned a, b, c, d;
    __cpuid_count(leaf, i, a, b, c, d);
    unsigned type = a & 31;
    if (type == 0) return 0;
    if ((type == 1 || type == 3) && (int)((a >> 5) & 7) == level) return (long)((b >> 22) + 1) * (((b >> 12) & 1023) + 1) * ((b & 4095) + 1) * ((long)c + 1);
  }
  return 0;
}

long cache_bytes(int level) {
  long bytes = cache_of_leaf(4, level);
  return bytes ? bytes : cache_of_leaf(0x8000001Du, level);
}
#else
int has_avx2(void) { return 0; }
int has_avx512(void) { return 0; }
void cpu_name(char *name) { memset(name, 0, 49); }
long cache_bytes(int level) { return level * 0L; }
#endif

/* What the processor says of itself. */
#ifndef BREAKEVEN_CPU_H
#define BREAKEVEN_CPU_H

/* Whether compiler, processor and operating system know the instruction set. */
int has_avx2(void);
int has_avx512(void);

/* Brand string ("" where the processor has none) into `name` of 49 bytes. */
void cpu_name(char *name);

/* Bytes of the data cache of `level` (1 to 3), or 0 where unknown. */
long cache_bytes(int level);

#endif

/* What the files share that copy vectors for AVX2. */
#ifndef BREAKEVEN_BANDS_SIMD_H
#define BREAKEVEN_BANDS_SIMD_H

#include "bands_internal.h"

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))
#define UNROLL _Pragma("GCC unroll 8")
#define INLINE static inline __attribute__((always_inline))

/* n floats; no loop over single floats, which would become a call of memcpy. */
INLINE void AVX2 store_some(float *to, __m128 four, int64_t n)
{
    if (n & 4) _mm_storeu_ps(to, four);
    if (n & 2) _mm_storel_pi((__m64 *)to, four), to += 2, four = _mm_movehl_ps(four, four);
    if (n & 1) _mm_store_ss(to, four);
}

/* n floats. The last vector covers some of the one before. */
INLINE void AVX2 copy(float *to, const float *from, int64_t n)
{
    if (n < BAND_LANES) {
        if (n & 4) _mm_storeu_ps(to, _mm_loadu_ps(from)), to += 4, from += 4;
        for (n &= 3; n > 0; n--) *to++ = *from++;
        return;
    }
    for (int64_t i = 0; i + BAND_LANES < n; i += BAND_LANES) _mm256_storeu_ps(to + i, _mm256_loadu_ps(from + i));
    _mm256_storeu_ps(to + n - BAND_LANES, _mm256_loadu_ps(from + n - BAND_LANES));
}

#endif

/* Probes for AVX-512; masked loads make the padding of im2col free. */
#include <immintrin.h>

#define LANES 16
#define SET probes_avx512
#define SET_NAME "avx512"

static inline __mmask16 first(int count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

static inline void copy_row_masked(float *out, const float *source, int lo, int hi, int count) {
  for (int x = 0; x < count; x += 16) {
    __mmask16 valid = (__mmask16)(first(hi - x) & ~first(lo - x));
    _mm512_mask_storeu_ps(out + x, first(count - x), _mm512_maskz_loadu_ps(valid, source + x));
  }
}
#define COPY_ROW copy_row_masked
#include "probe_body.h"

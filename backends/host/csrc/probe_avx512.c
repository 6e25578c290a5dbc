/* Probes for AVX-512; masked loads make the padding of im2col free. */
#include <immintrin.h>

#include "probe.h"

#define LANES 16
#define SET probes_avx512
#define SET_NAME "avx512"

static inline __mmask16 first(int count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

/* Rows of at most 8 pixels, in half vectors. */
static float *copy_narrow(const row_block *b, float *out, const float *limit) {
  const float *source = b->source;
  __mmask8 valid = (__mmask8)(first(b->hi) & ~first(b->lo)), all = (__mmask8)first(b->count);
  int row = 0;
  for (; row < b->rows && limit - out >= 8; row++, source += b->source_step, out += b->count)
    _mm256_storeu_ps(out, _mm256_maskz_loadu_ps(valid, source));
  for (; row < b->rows; row++, source += b->source_step, out += b->count) _mm256_mask_storeu_ps(out, all, _mm256_maskz_loadu_ps(valid, source));
  return out;
}

/* Strips of 16 pixels, one mask a strip, the last strip first. Whole vectors are stored, since masked stores are slow on some
   cores: what runs over the end of a row is overwritten by the strips and taps that follow, save near the limit. */
static float *copy_rows(const row_block *b, float *out, const float *limit) {
  if (b->count <= 8) return copy_narrow(b, out, limit);
  for (int x = (b->count - 1) / 16 * 16; x >= 0; x -= 16) {
    const float *source = b->source + x;
    float *target = out + x;
    __mmask16 valid = (__mmask16)(first(b->hi - x) & ~first(b->lo - x)), all = first(b->count - x);
    int row = 0;
    for (; row < b->rows && limit - target >= 16; row++, source += b->source_step, target += b->count)
      _mm512_storeu_ps(target, _mm512_maskz_loadu_ps(valid, source));
    for (; row < b->rows; row++, source += b->source_step, target += b->count)
      _mm512_mask_storeu_ps(target, all, _mm512_maskz_loadu_ps(valid, source));
  }
  return out + (ptrdiff_t)b->rows * b->count;
}
#define COPY_ROWS copy_rows
#include "probe_body.h"

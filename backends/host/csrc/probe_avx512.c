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

/* Which of the pixels 16 k ... 16 k + 15 of the source lie in [from, to). */
static inline __mmask16 between(int from, int to, int k) { return (__mmask16)(first(to - 16 * k) & ~first(from - 16 * k)); }

/* Pixels 0, 2, ... 30 of the source; those outside the masks read as zero. */
static inline __m512 every_second(const float *source, const __mmask16 *valid) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return _mm512_permutex2var_ps(_mm512_maskz_loadu_ps(valid[0], source), even, _mm512_maskz_loadu_ps(valid[1], source + 16));
}

/* A strip of 16 pixels that lie 1, 2 or 4 apart. */
static inline __m512 load_strip(const float *source, int stride, const __mmask16 *valid) {
  if (stride == 1) return _mm512_maskz_loadu_ps(valid[0], source);
  if (stride == 2) return every_second(source, valid);
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return _mm512_permutex2var_ps(every_second(source, valid), even, every_second(source + 32, valid + 2));
}

/* Strips of 16 pixels with the same masks for all rows, the last strip first. Whole vectors are stored, since masked stores are
   slow on some cores: what runs over the end of a row is overwritten by the strips and taps that follow, save near the limit. */
static inline float *copy_strips(const row_block *b, int stride, float *out, const float *limit) {
  for (int x = (b->count - 1) / 16 * 16; x >= 0; x -= 16) {
    const float *source = b->source + (ptrdiff_t)x * stride;
    float *target = out + x;
    int lo = b->lo - x, hi = b->hi - x > 16 ? 16 : b->hi - x, row = 0;
    int from = lo * stride, to = hi > 0 ? (hi - 1) * stride + 1 : 0;
    const __mmask16 all = first(b->count - x);
    const __mmask16 valid[4] = {between(from, to, 0), between(from, to, 1), between(from, to, 2), between(from, to, 3)};
    for (; row < b->rows && limit - target >= 16; row++, source += b->source_step, target += b->count)
      _mm512_storeu_ps(target, load_strip(source, stride, valid));
    for (; row < b->rows; row++, source += b->source_step, target += b->count)
      _mm512_mask_storeu_ps(target, all, load_strip(source, stride, valid));
  }
  return out + (ptrdiff_t)b->rows * b->count;
}

/* Constant strides let the compiler choose the loads once. */
static float *copy_rows(const row_block *b, int stride, float *out, const float *limit) {
  if (stride == 1 && b->count <= 8) return copy_narrow(b, out, limit);
  if (stride == 1) return copy_strips(b, 1, out, limit);
  return stride == 2 ? copy_strips(b, 2, out, limit) : copy_strips(b, 4, out, limit);
}
#define CAN_COPY(stride) ((stride) == 1 || (stride) == 2 || (stride) == 4)
#define COPY_ROWS copy_rows
#include "probe_body.h"

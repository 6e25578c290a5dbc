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

static inline __m512 load_between(const float *source, int from, int to) {
  return _mm512_maskz_loadu_ps((__mmask16)(first(to) & ~first(from)), source);
}

/* Pixels 0, 2, ... 30 of the source; those outside [from, to) read as zero. */
static inline __m512 every_second(const float *source, int from, int to) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return _mm512_permutex2var_ps(load_between(source, from, to), even, load_between(source + 16, from - 16, to - 16));
}

/* Pixels lo <= i < hi of a strip of 16 that lie 1, 2 or 4 apart; the others are zero. */
static inline __m512 load_strip(const float *source, int stride, int lo, int hi) {
  if (stride == 1) return load_between(source, lo, hi);
  int from = lo * stride, to = hi > 0 ? (hi - 1) * stride + 1 : 0;
  if (stride == 2) return every_second(source, from, to);
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return _mm512_permutex2var_ps(every_second(source, from, to), even, every_second(source + 32, from - 32, to - 32));
}

/* Strips of 16 pixels, one mask a strip, the last strip first. Whole vectors are stored, since masked stores are slow on some
   cores: what runs over the end of a row is overwritten by the strips and taps that follow, save near the limit. */
static inline float *copy_strips(const row_block *b, int stride, float *out, const float *limit) {
  for (int x = (b->count - 1) / 16 * 16; x >= 0; x -= 16) {
    const float *source = b->source + (ptrdiff_t)x * stride;
    float *target = out + x;
    __mmask16 all = first(b->count - x);
    int row = 0, lo = b->lo - x, hi = b->hi - x > 16 ? 16 : b->hi - x;
    for (; row < b->rows && limit - target >= 16; row++, source += b->source_step, target += b->count)
      _mm512_storeu_ps(target, load_strip(source, stride, lo, hi));
    for (; row < b->rows; row++, source += b->source_step, target += b->count)
      _mm512_mask_storeu_ps(target, all, load_strip(source, stride, lo, hi));
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

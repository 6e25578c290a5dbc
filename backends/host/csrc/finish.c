/* Epilogue of a matrix product: transpose back to channel-major, add the bias, clip at zero. */
#include "finish.h"

#define EDGE 4

#if defined(__GNUC__)
typedef float vec4 __attribute__((vector_size(16)));
typedef float vec4_any __attribute__((vector_size(16), aligned(4), may_alias));

static inline void transpose_block(const float *source, size_t from, float *target, size_t to) {
  vec4 a = *(const vec4_any *)source, b = *(const vec4_any *)(source + from);
  vec4 c = *(const vec4_any *)(source + 2 * from), d = *(const vec4_any *)(source + 3 * from);
  vec4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  vec4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(vec4_any *)target = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *(vec4_any *)(target + to) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *(vec4_any *)(target + 2 * to) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *(vec4_any *)(target + 3 * to) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}
#else
static inline void transpose_block(const float *source, size_t from, float *target, size_t to) {
  for (int i = 0; i < EDGE; i++)
    for (int j = 0; j < EDGE; j++) target[i * to + j] = source[j * from + i];
}
#endif

static void transpose_rows(const float *source, int pixels, int channels, int c0, int c1, float *target, size_t stride) {
  int p = 0;
  if (c1 - c0 == EDGE)
    for (; p + EDGE <= pixels; p += EDGE) transpose_block(source + (size_t)p * channels + c0, channels, target + c0 * stride + p, stride);
  for (; p < pixels; p++)
    for (int c = c0; c < c1; c++) target[c * stride + p] = source[(size_t)p * channels + c];
}

void finish_rows(float *rows, int count, int length, size_t stride, const float *bias, int relu) {
  for (int c = 0; c < count; c++) {
    float *row = rows + c * stride, add = bias ? bias[c] : 0;
    if (relu)
      for (int p = 0; p < length; p++) row[p] = row[p] + add > 0 ? row[p] + add : 0;
    else if (bias)
      for (int p = 0; p < length; p++) row[p] += add;
  }
}

void transpose_finish(const float *source, int pixels, int channels, float *target, size_t stride, const float *bias, int relu) {
  for (int c0 = 0; c0 < channels; c0 += EDGE) {
    int c1 = c0 + EDGE < channels ? c0 + EDGE : channels;
    transpose_rows(source, pixels, channels, c0, c1, target, stride);
    finish_rows(target + c0 * stride, c1 - c0, pixels, stride, bias ? bias + c0 : bias, relu);
  }
}

/* One vector of BK_VL floats through compiler vector extensions: the only file that knows an instruction set. */
#ifndef BREAKEVEN_VECTOR_H
#define BREAKEVEN_VECTOR_H

#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) && BK_VL >= 8
#include <immintrin.h>
#endif

typedef float vec __attribute__((vector_size(BK_VL * 4)));
typedef int32_t ivec __attribute__((vector_size(BK_VL * 4)));
typedef float loose_four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float loose_vec __attribute__((vector_size(BK_VL * 4), aligned(4), may_alias));

/* The same value in every lane; x - 0 is x for every x, so this is a bare broadcast. */
static inline vec splat(float x) { return x - (vec){0}; }

/* Lanes 1 .. VL-1 of a, then lane 0 of b. */
static inline vec slide_one(vec a, vec b)
{
#if defined(__clang__)
#define SHUFFLE(...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#if BK_VL == 16
    return SHUFFLE(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
#elif BK_VL == 8
    return SHUFFLE(1, 2, 3, 4, 5, 6, 7, 8);
#else
    return SHUFFLE(1, 2, 3, 4);
#endif
#undef SHUFFLE
}

/* The larger of two; a NaN in `a` stays. */
static inline vec maximum(vec a, vec b) { return (vec)(((ivec)b & (b > a)) | ((ivec)a & ~(b > a))); }

#if defined(__AVX512F__) && BK_VL == 16
#define LANES(n) ((__mmask16)((1u << (n)) - 1u))
static inline vec load_some(const float *p, int64_t n) { return (vec)_mm512_maskz_loadu_ps(LANES(n), p); }
static inline void store_some(float *p, vec v, int64_t n) { _mm512_mask_storeu_ps(p, LANES(n), (__m512)v); }
#elif defined(__AVX512VL__) && BK_VL == 8
#define LANES(n) ((__mmask8)((1u << (n)) - 1u))
static inline vec load_some(const float *p, int64_t n) { return (vec)_mm256_maskz_loadu_ps(LANES(n), p); }
static inline void store_some(float *p, vec v, int64_t n) { _mm256_mask_storeu_ps(p, LANES(n), (__m256)v); }
#else
#define NO_MASKS
#endif

/* dst[0..n) = src[0..n), any alignment; n = whole * VL + rest. */
static inline __attribute__((always_inline)) void copy_row(float *dst, const float *src, int64_t whole, int64_t rest)
{
    for (int64_t i = 0; i < whole; i++) ((loose_vec *)dst)[i] = ((const loose_vec *)src)[i];
    if (!rest) return;
    dst += whole * BK_VL;
    src += whole * BK_VL;
#ifndef NO_MASKS
    store_some(dst, load_some(src, rest), rest);
#else
    if (whole) *(loose_vec *)(dst + rest - BK_VL) = *(const loose_vec *)(src + rest - BK_VL); /* overlaps what is there */
    else if (rest >= 4) {
        *(loose_four *)dst = *(const loose_four *)src;
        *(loose_four *)(dst + rest - 4) = *(const loose_four *)(src + rest - 4);
    }
    else
        for (int64_t i = 0; i < rest; i++) dst[i] = src[i];
#endif
}

/* Copy `rows` rows of n floats; the usual short rows get loops of their own. */
static inline void copy_rows(float *dst, int64_t dst_pitch, const float *src, int64_t src_pitch, int64_t rows, int64_t n)
{
    const int64_t whole = n / BK_VL, rest = n % BK_VL;
#define EACH_ROW(whole, rest) for (int64_t j = 0; j < rows; j++) copy_row(dst + j * dst_pitch, src + j * src_pitch, whole, rest)
    if (whole == 0) EACH_ROW(0, rest);
    else if (whole == 1 && rest) EACH_ROW(1, rest);
    else if (whole == 2 && !rest) EACH_ROW(2, 0);
    else EACH_ROW(whole, rest);
#undef EACH_ROW
}

/* dst[i] = src[i * stride]. */
static inline void gather_row(float *dst, const float *src, int64_t n, int64_t stride)
{
    if (stride == 2)
        for (int64_t i = 0; i < n; i++) dst[i] = src[2 * i];
    else if (stride == 4)
        for (int64_t i = 0; i < n; i++) dst[i] = src[4 * i];
    else
        for (int64_t i = 0; i < n; i++) dst[i] = src[stride * i];
}

/* dst[0..n) = max(src[0..n) + bias, least). */
static inline void finish_row(float *dst, const float *src, int64_t n, float bias, float least)
{
    vec b = splat(bias), l = splat(least);
    int64_t i = 0;
    for (; i + BK_VL <= n; i += BK_VL) *(loose_vec *)(dst + i) = maximum(*(const loose_vec *)(src + i) + b, l);
    if (i == n) return;
#ifndef NO_MASKS
    store_some(dst + i, maximum(load_some(src + i, n - i) + b, l), n - i);
#else
    if (n >= BK_VL) *(loose_vec *)(dst + n - BK_VL) = maximum(*(const loose_vec *)(src + n - BK_VL) + b, l);
    else
        for (; i < n; i++) {
            float v = src[i] + bias;
            dst[i] = least > v ? least : v;
        }
#endif
}

#endif

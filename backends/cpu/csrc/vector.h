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

static inline vec maximum(vec a, vec b)
{
    return (vec)(((ivec)a & (a > b)) | ((ivec)b & ~(ivec)(a > b)));
}

#if defined(__AVX512F__) && BK_VL == 16
#define LANES(n) ((__mmask16)((1u << (n)) - 1u))
static inline vec load_some(const float *p, int64_t n) { return (vec)_mm512_maskz_loadu_ps(LANES(n), p); }
static inline void store_some(float *p, vec v, int64_t n) { _mm512_mask_storeu_ps(p, LANES(n), (__m512)v); }
#elif defined(__AVX512VL__) && BK_VL == 8
#define LANES(n) ((__mmask8)((1u << (n)) - 1u))
static inline vec load_some(const float *p, int64_t n) { return (vec)_mm256_maskz_loadu_ps(LANES(n), p); }
static inline void store_some(float *p, vec v, int64_t n) { _mm256_mask_storeu_ps(p, LANES(n), (__m256)v); }
#else
/* Fewer than VL floats, without masks: through a small buffer, so that nothing past p[n-1] is touched. */
static inline vec load_some(const float *p, int64_t n)
{
    union { float f[BK_VL]; vec v; } u = {{0}};
    for (int64_t i = 0; i < n; i++) u.f[i] = p[i];
    return u.v;
}
static inline void store_some(float *p, vec v, int64_t n)
{
    union { vec v; float f[BK_VL]; } u = {v};
    for (int64_t i = 0; i < n; i++) p[i] = u.f[i];
}
#endif

/* dst[0..n) = src[0..n), any alignment. */
static inline void copy_row(float *dst, const float *src, int64_t n)
{
    int64_t i = 0;
    for (; i + BK_VL <= n; i += BK_VL) *(loose_vec *)(dst + i) = *(const loose_vec *)(src + i);
    if (i < n) store_some(dst + i, load_some(src + i, n - i), n - i);
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
    if (i < n) store_some(dst + i, maximum(load_some(src + i, n - i) + b, l), n - i);
}

#endif

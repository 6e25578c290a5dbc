/* Generated code: making, running and freeing it. */
#include "jit_internal.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUMS_A_TILE = JIT_SUMS * JIT_LANES };

#define AVX512 __attribute__((target("avx512f")))

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

const char *bk_jit_obstacle(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? NULL : "this processor has no AVX-512";
}

/* The last copy may write whole vectors past the planes' end. */
static int64_t planes_floats(const struct bk_jit *jit) { return jit->in * jit->phases * jit->plane + JIT_LANES; }

static __mmask16 AVX512 low_lanes(int64_t n) { return n >= JIT_LANES ? 0xFFFF : (__mmask16)((1u << n) - 1u); }

/* Each writes whole vectors from `to` on: n floats, then zeros. */
static void AVX512 clear(float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i += JIT_LANES) _mm512_storeu_ps(to + i, _mm512_setzero_ps());
}

static void AVX512 copy(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + JIT_LANES <= n; i += JIT_LANES) _mm512_storeu_ps(to + i, _mm512_loadu_ps(from + i));
    if (i < n) _mm512_storeu_ps(to + i, _mm512_maskz_loadu_ps(low_lanes(n - i), from + i));
}

static __m512 AVX512 load_upto(const float *from, int64_t n) { return _mm512_maskz_loadu_ps(n > 0 ? low_lanes(n) : 0, from); }

static void AVX512 copy_every_second(float *to, const float *from, int64_t n)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    for (int64_t i = 0; i < n; i += JIT_LANES) {
        int64_t floats = 2 * (n - i) - 1; /* the last one needed is even, so nothing past it is touched */
        __m512 low = load_upto(from + 2 * i, floats);
        __m512 high = load_upto(from + 2 * i + JIT_LANES, floats - JIT_LANES);
        _mm512_storeu_ps(to + i, _mm512_maskz_permutex2var_ps(low_lanes(n - i), low, even, high));
    }
}

static void AVX512 copy_every_fourth(float *to, const float *from, int64_t n)
{
    const __m512i fourth = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    for (int64_t i = 0; i < n; i += JIT_LANES) {
        const float *first = from + 4 * i;
        int64_t floats = 4 * (n - i) - 3;
        __m512 low = _mm512_permutex2var_ps(load_upto(first, floats), fourth, load_upto(first + 16, floats - 16));
        __m512 high = _mm512_permutex2var_ps(load_upto(first + 32, floats - 32), fourth, load_upto(first + 48, floats - 48));
        _mm512_storeu_ps(to + i, _mm512_maskz_shuffle_f32x4(low_lanes(n - i), low, high, 0x44));
    }
}

static void AVX512 copy_strided(float *to, const float *from, int64_t n, int64_t stride)
{
    for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
    if (n % JIT_LANES) _mm512_mask_storeu_ps(to + n, low_lanes(JIT_LANES - n % JIT_LANES), _mm512_setzero_ps());
}

/* The planes of one strip of one group. */
static void AVX512 pack(const struct bk_jit *jit, const float *x, float *planes, int64_t strip)
{
    const struct jit_step *first = jit->steps + jit->step_start[strip], *end = jit->steps + jit->step_start[strip + 1];
    int64_t stride = jit->problem.sw, channel = jit->problem.ih * jit->problem.iw;
    for (int64_t c = 0; c < jit->in; c++, x += channel, planes += jit->phases * jit->plane)
        for (const struct jit_step *step = first; step < end; step++) {
            if (step->source < 0) clear(planes + step->target, step->count);
            else if (stride == 1) copy(planes + step->target, x + step->source, step->count);
            else if (stride == 2) copy_every_second(planes + step->target, x + step->source, step->count);
            else if (stride == 4) copy_every_fourth(planes + step->target, x + step->source, step->count);
            else copy_strided(planes + step->target, x + step->source, step->count, stride);
        }
}

/* One block over the tiles of a strip, part by part of its input channels; `last`: whether no block follows. */
static void run_block(const struct bk_jit *jit, const struct jit_block *block, int last, const float *planes, float *y, float *sums,
                      int64_t strip)
{
    int64_t first = strip * jit->strip_tiles, tiles = smaller(jit->strip_tiles, jit->tiles - first), lanes = jit->vectors * JIT_LANES;
    const struct jit_part *part = jit->part + (block - jit->block) * jit->parts;
    y += block->first * jit->problem.oh * jit->problem.ow;
    for (int64_t k = 0; k < jit->parts; k++, part++) {
        const struct jit_mark *marks = jit->marks + first * jit->vectors;
        const uint8_t *ahead = (const uint8_t *)(uintptr_t)(last && k == jit->parts - 1 ? part : part + 1)->code;
        for (int64_t t = 0; t < tiles; t++, ahead += part->ahead)
            part->code(planes + t * lanes, part->values, y, sums + t * SUMS_A_TILE, marks + t * jit->vectors, ahead);
    }
}

double bk_jit_run(const struct bk_jit *jit, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed, double (*clock)(void))
{
    const struct bk_problem *p = &jit->problem;
    int64_t b = unit % jit->blocks, source = unit / jit->blocks, strip = source % jit->strips;
    int64_t group = source / jit->strips % p->g, image = source / jit->strips / p->g;
    double start = 0, packing = 0;
    if (source != *packed) {
        if (clock) start = clock();
        pack(jit, x + (image * p->ic + group * jit->in) * p->ih * p->iw, scratch, strip);
        if (clock) packing = clock() - start;
        *packed = source;
    }
    float *channels = y + (image * p->oc + group * jit->out) * p->oh * p->ow;
    run_block(jit, jit->block + group * jit->blocks + b, b == jit->blocks - 1, scratch, channels, scratch + planes_floats(jit), strip);
    return packing;
}

struct bk_jit *bk_jit_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                           struct bk_jit_wish wish, char *message)
{
    const char *obstacle = bk_jit_obstacle();
    struct bk_jit *jit = obstacle ? NULL : calloc(1, sizeof *jit);
    if (!jit) {
        snprintf(message, BK_MESSAGE, "%s", obstacle ? obstacle : "no memory for the plan");
        return NULL;
    }
    jit->problem = *problem;
    jit->threads = threads < 1 ? 1 : threads;
    if (!jit_layout(jit, weight, wish, message) && !jit_generate(jit, weight, bias, relu, message)) return jit;
    bk_jit_free(jit);
    return NULL;
}

void bk_jit_free(struct bk_jit *jit)
{
    if (!jit) return;
    jit_release(&jit->pages);
    free(jit->tap);
    free(jit->marks);
    free(jit->steps);
    free(jit->step_start);
    free(jit->block);
    free(jit->part);
    free(jit);
}

void bk_jit_describe(const struct bk_jit *jit, struct bk_jit_info *info)
{
    const struct bk_problem *p = &jit->problem;
    *info = (struct bk_jit_info){
        .units = p->mb * p->g * jit->strips * jit->blocks,
        .scratch_floats = planes_floats(jit) + (jit->parts > 1 ? jit->strip_tiles * SUMS_A_TILE : 0),
        .channels = (jit->out + jit->blocks - 1) / jit->blocks,
        .vectors = jit->vectors,
        .tiles = jit->tiles,
        .strips = jit->strips,
        .blocks = jit->blocks,
        .parts = jit->parts,
        .pitch = jit->pitch,
        .nonzeros = jit->nonzeros,
        .code_bytes = (int64_t)jit->pages.code_bytes,
        .lanes = (double)(p->oh * p->ow) / (double)(jit->tiles * jit->vectors * JIT_LANES),
        .busiest = jit_share(jit, jit->threads, NULL) * jit->threads / jit_share(jit, 1, NULL),
    };
}

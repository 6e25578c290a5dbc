/* The kernels: compiled once per instruction set with BK_VL (floats a vector), BK_TILE (largest tile, in
 * vectors) and BK_ISA (the record's name).
 *
 * Sparse: for each non-zero, sums[t] += value * plane[offset + t] for all T vectors of the tile, sums in registers.
 * Bound: one aligned load and one FMA a vector, plus one broadcast a non-zero.
 * Dense: the same tile for four output channels; each vector loaded serves four FMAs.
 */
#include "conv.h"
#include "vector.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
#define EACH_VECTOR UNROLL for (int t = 0; t < T; t++)

/* Keep the address in one register: an FMA with an indexed address splits in two on Intel. */
#define ONE_REGISTER(p) __asm__("" : "+r"(p))

/* Finish one non-zero before the next: left alone, GCC chains the products of four per sum and runs out of registers. */
#if defined(__FMA__)
#define IN_ORDER(v)
#elif defined(__SSE2__)
#define IN_ORDER(v) __asm__("" : "+x"(v))
#elif defined(__aarch64__)
#define IN_ORDER(v) __asm__("" : "+w"(v))
#else
#define IN_ORDER(v)
#endif

/* Number i of the four 16-bit numbers that were loaded as one. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FIELD(four, i) ((four) >> (16 * (i)) & 0xffff)
#else
#define FIELD(four, i) ((four) >> (48 - 16 * (i)) & 0xffff)
#endif

/* ---- sums of one tile ---- */

INLINE void add_product(const int T, vec *a, const float *planes, uint64_t offset, float value)
{
    const vec *in = (const vec *)(planes + 2 * offset);
    vec w = splat(value);
    ONE_REGISTER(in);
    EACH_VECTOR
    {
        a[t] += w * in[t];
        IN_ORDER(a[t]);
    }
}

/* Small tiles keep two sets of sums, so that an FMA need not wait for the one before it. */
INLINE void sparse_tile(const int T, const float *planes, float *sums, const uint16_t *offset, const float *value, const uint16_t *count,
                        const int64_t *steps, int64_t segments, int first)
{
    const int odd = T <= 6;
    vec a[2][BK_TILE + 1];
    vec *out = (vec *)sums;
    UNROLL for (int t = 0; t <= T; t++) a[0][t] = a[1][t] = (vec){0};
    for (int64_t s = 0; s < segments; s++) {
        int64_t n = count[s];
        for (; n >= 4; n -= 4, offset += 4, value += 4) {
            uint64_t four;
            memcpy(&four, offset, sizeof four);
            UNROLL for (int i = 0; i < 4; i++) add_product(T, a[odd & i], planes, FIELD(four, i), value[i]);
        }
        for (; n > 0; n--, offset++, value++) add_product(T, a[0], planes, *offset, *value);
        for (int64_t i = 0; i < steps[s]; i++) {
            if (odd) EACH_VECTOR a[0][t] += a[1][t], a[1][t] = (vec){0};
            EACH_VECTOR a[0][t] = slide_one(a[0][t], a[0][t + 1]);
        }
    }
    if (odd) EACH_VECTOR a[0][t] += a[1][t];
    if (first) EACH_VECTOR out[t] = a[0][t];
    else EACH_VECTOR out[t] += a[0][t];
}

INLINE void dense_tile(const int T, const float *planes, float *sums, const uint32_t *offset, const float *weight, const uint32_t *count,
                       const int64_t *steps, int64_t segments, int first)
{
    vec a[BK_DENSE_CHANNELS][BK_TILE / BK_DENSE_CHANNELS + 1];
    vec *out = (vec *)sums;
    UNROLL for (int t = 0; t <= T; t++) UNROLL for (int k = 0; k < BK_DENSE_CHANNELS; k++) a[k][t] = (vec){0};
    for (int64_t s = 0; s < segments; s++) {
        const uint32_t *end = offset + count[s];
        for (; offset < end; offset++, weight += BK_DENSE_CHANNELS) {
            const vec *in = (const vec *)((const char *)planes + *offset);
            UNROLL for (int k = 0; k < BK_DENSE_CHANNELS; k++) {
                vec w = splat(weight[k]);
                EACH_VECTOR a[k][t] += w * in[t];
            }
        }
        for (int64_t i = 0; i < steps[s]; i++)
            UNROLL for (int k = 0; k < BK_DENSE_CHANNELS; k++) EACH_VECTOR a[k][t] = slide_one(a[k][t], a[k][t + 1]);
    }
    UNROLL for (int k = 0; k < BK_DENSE_CHANNELS; k++)
        EACH_VECTOR out[k * T + t] = first ? a[k][t] : out[k * T + t] + a[k][t];
}

#define SPARSE(T)                                                                                                                        \
    static void sparse_##T(const float *p, float *s, const uint16_t *o, const float *v, const uint16_t *c, const int64_t *d, int64_t n,  \
                           int f)                                                                                                        \
    {                                                                                                                                    \
        sparse_tile(T, p, s, o, v, c, d, n, f);                                                                                          \
    }
#define DENSE(T)                                                                                                                         \
    static void dense_##T(const float *p, float *s, const uint32_t *o, const float *w, const uint32_t *c, const int64_t *d, int64_t n,   \
                          int f)                                                                                                         \
    {                                                                                                                                    \
        dense_tile(T, p, s, o, w, c, d, n, f);                                                                                           \
    }

SPARSE(1) SPARSE(2) SPARSE(3) SPARSE(4) SPARSE(5) SPARSE(6) SPARSE(7) SPARSE(8) SPARSE(9) SPARSE(10) SPARSE(11) SPARSE(12)
DENSE(1) DENSE(2) DENSE(3)
#if BK_TILE > 12
SPARSE(13) SPARSE(14)
#endif
#if BK_TILE > 14
SPARSE(15) SPARSE(16) SPARSE(17) SPARSE(18) SPARSE(19) SPARSE(20) SPARSE(21) SPARSE(22) SPARSE(23) SPARSE(24)
SPARSE(25) SPARSE(26) SPARSE(27) SPARSE(28)
DENSE(4) DENSE(5) DENSE(6) DENSE(7)
#endif

static const bk_sparse_kernel sparse_kernels[BK_TILE + 1] = {
    NULL,      sparse_1,  sparse_2,  sparse_3,  sparse_4,  sparse_5,  sparse_6,  sparse_7,  sparse_8,  sparse_9,
    sparse_10, sparse_11, sparse_12,
#if BK_TILE > 12
    sparse_13, sparse_14,
#endif
#if BK_TILE > 14
    sparse_15, sparse_16, sparse_17, sparse_18, sparse_19, sparse_20, sparse_21, sparse_22,
    sparse_23, sparse_24, sparse_25, sparse_26, sparse_27, sparse_28,
#endif
};
static const bk_dense_kernel dense_kernels[BK_TILE / BK_DENSE_CHANNELS + 1] = {
    NULL, dense_1, dense_2, dense_3,
#if BK_TILE > 14
    dense_4, dense_5, dense_6, dense_7,
#endif
};

/* ---- one tile of one group ---- */

/* Lanes [lane, lane + width) of the tile belong to columns [x, x + width) of one image (row, when flat). */
struct piece {
    int64_t image, y, x, lane, width, outputs;
};

struct tile {
    const struct bk_plan *plan;
    int64_t group, first_lane, y, rows, vectors;
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static struct tile find_tile(const struct bk_plan *plan, int64_t group, int64_t index)
{
    const struct bk_layout *l = &plan->layout;
    struct tile t = {plan, group, index % l->tiles_x * l->usable, index / l->tiles_x * plan->choice.rows, 0, 0};
    t.rows = plan->choice.flat ? 1 : smaller(plan->choice.rows, plan->problem.oh - t.y);
    int64_t outputs = smaller(l->usable, (l->elements - 1) * l->period + plan->problem.ow - t.first_lane);
    int64_t needed = smaller(plan->choice.vectors, (outputs + l->slide + BK_VL - 1) / BK_VL);
    t.vectors = t.rows * (plan->choice.rows == 1 ? needed : plan->choice.vectors);
    return t;
}

/* The element's part of the tile; false when the tile ends before it. */
static int find_piece(const struct tile *t, int64_t element, struct piece *p)
{
    const struct bk_layout *l = &t->plan->layout;
    int64_t start = element * l->period - t->first_lane;
    if (element >= l->elements || start >= l->pitch) return 0;
    p->image = t->plan->choice.flat ? element / t->plan->problem.oh : element;
    p->y = t->plan->choice.flat ? element % t->plan->problem.oh : t->y;
    p->x = start < 0 ? -start : 0;
    p->lane = start < 0 ? 0 : start;
    p->width = smaller(l->period - p->x, l->pitch - p->lane);
    p->outputs = smaller(smaller(t->plan->problem.ow - p->x, p->width), l->usable - p->lane);
    return 1;
}

/* What plane (a, b) takes of each channel of a piece: `rows` rows of `width` floats; zero rows when all is padding. */
struct window {
    int64_t rows, width, source, target; /* offsets in floats from the channel's image and from the plane */
};

static struct window find_window(const struct tile *t, const struct piece *p, int64_t a, int64_t b)
{
    const struct bk_layout *l = &t->plan->layout;
    const struct bk_problem *q = &t->plan->problem;
    int64_t before = q->pw - l->column_start[b], past = q->iw + before; /* valid where before <= x * sw < past */
    int64_t low = before > p->x * q->sw ? (before + q->sw - 1) / q->sw : p->x;
    int64_t high = past > 0 ? smaller((past + q->sw - 1) / q->sw, p->x + p->width) : 0;
    int64_t y = p->y * q->sh + l->row_start[a] - q->ph; /* input row of plane row 0 */
    int64_t top = y < 0 ? (-y + q->sh - 1) / q->sh : 0;
    int64_t end = q->ih > y ? smaller(t->rows + l->plane_rows - t->plan->choice.rows, (q->ih - y + q->sh - 1) / q->sh) : 0;
    return (struct window){low < high && top < end ? end - top : 0, high - low, (y + top * q->sh) * q->iw + low * q->sw - before,
                           top * l->pitch + p->lane + low - p->x};
}

/* Copy the piece's part of `channels` channels into their planes; what lies in the padding stays zero. */
static void pack_piece(const struct tile *t, const struct piece *p, const float *image, float *planes, int64_t channels)
{
    const struct bk_layout *l = &t->plan->layout;
    const struct bk_problem *q = &t->plan->problem;
    for (int64_t a = 0; a < l->row_planes; a++)
        for (int64_t b = 0; b < l->column_planes; b++, planes += l->plane_rows * l->pitch) {
            const struct window w = find_window(t, p, a, b);
            for (int64_t c = 0; w.rows > 0 && c < channels; c++) {
                const float *src = image + c * q->ih * q->iw + w.source;
                float *dst = planes + c * l->channel + w.target;
                if (q->sw == 1) copy_rows(dst, l->pitch, src, q->sh * q->iw, w.rows, w.width);
                else
                    for (int64_t j = 0; j < w.rows; j++) gather_row(dst + j * l->pitch, src + j * q->sh * q->iw, w.width, q->sw);
            }
        }
}

static void pack(const struct tile *t, const float *x, float *planes, int64_t block)
{
    const struct bk_problem *q = &t->plan->problem;
    int64_t per_group = q->ic / q->g, from = block * t->plan->choice.channel_block;
    int64_t channels = smaller(t->plan->choice.channel_block, per_group - from);
    struct piece p;
    for (int64_t e = t->first_lane / t->plan->layout.period; find_piece(t, e, &p); e++)
        pack_piece(t, &p, x + (p.image * q->ic + t->group * per_group + from) * q->ih * q->iw, planes, channels);
}

/* Write the finished sums of output channel `oc` (over all groups), with bias and ReLU. */
static void unpack(const struct tile *t, const float *sums, float *y, int64_t oc)
{
    const struct bk_problem *q = &t->plan->problem;
    const float bias = t->plan->bias ? t->plan->bias[oc] : 0.0f, least = t->plan->relu ? 0.0f : -__builtin_inff();
    struct piece p;
    for (int64_t e = t->first_lane / t->plan->layout.period; find_piece(t, e, &p); e++) {
        float *dst = y + ((p.image * q->oc + oc) * q->oh + p.y) * q->ow + p.x;
        for (int64_t j = 0; j < t->rows && p.outputs > 0; j++)
            finish_row(dst + j * q->ow, sums + j * t->plan->layout.pitch + p.lane, p.outputs, bias, least);
    }
}

static void sparse_block(const struct tile *t, const float *planes, float *sums, float *y, int64_t block, int64_t from, int64_t to)
{
    const struct bk_plan *plan = t->plan;
    int64_t per_group = plan->problem.oc / plan->problem.g, segments = plan->layout.segments;
    int64_t step = plan->blocks > 1 ? t->vectors * BK_VL : 0;
    const uint32_t *start = plan->start + (t->group * plan->blocks + block) * per_group;
    const uint16_t *count = plan->count + (t->group * plan->blocks + block) * per_group * segments;
    bk_sparse_kernel kernel = sparse_kernels[t->vectors];
    for (int64_t o = from; o < to; o++, sums += step) {
        kernel(planes, sums, plan->offset16 + start[o], plan->value + start[o], count + o * segments, plan->layout.steps, segments, block == 0);
        if (block == plan->blocks - 1) unpack(t, sums, y, t->group * per_group + o);
    }
}

static void dense_block(const struct tile *t, const float *planes, float *sums, float *y, int64_t block, int64_t from, int64_t to)
{
    const struct bk_plan *plan = t->plan;
    const struct bk_problem *q = &plan->problem;
    int64_t per_group = q->oc / q->g, in = q->ic / q->g, taps = q->kh * q->kw;
    int64_t quads = (per_group + BK_DENSE_CHANNELS - 1) / BK_DENSE_CHANNELS;
    int64_t first = block * plan->choice.channel_block, channels = smaller(plan->choice.channel_block, in - first);
    int64_t step = plan->blocks > 1 ? t->vectors * BK_VL * BK_DENSE_CHANNELS : 0;
    const uint32_t *offset = plan->offset + first * taps;
    const float *weight = plan->weights + ((t->group * in + first) * quads) * taps * BK_DENSE_CHANNELS;
    const uint32_t *count = plan->offset + in * taps + block * plan->layout.segments;
    for (int64_t o = from; o < to; o += BK_DENSE_CHANNELS, sums += step) {
        dense_kernels[t->vectors](planes, sums, offset, weight + o * channels * taps, count, plan->layout.steps, plan->layout.segments,
                                  block == 0);
        for (int64_t k = 0; block == plan->blocks - 1 && k < BK_DENSE_CHANNELS && o + k < to; k++)
            unpack(t, sums + k * t->vectors * BK_VL, y, t->group * per_group + o + k);
    }
}

static double run_tile(const struct bk_plan *plan, const float *x, float *y, float *scratch, int64_t group, int64_t index, int64_t from,
                       int64_t to)
{
    struct tile t = find_tile(plan, group, index);
    double packing = 0;
    for (int64_t block = 0; block < plan->blocks; block++) {
        double start = bk_now();
        if (block == 0) memset(scratch, 0, (size_t)plan->planes_floats * sizeof(float));
        pack(&t, x, scratch, block);
        packing += bk_now() - start;
        if (plan->dense) dense_block(&t, scratch, scratch + plan->planes_floats, y, block, from, to);
        else sparse_block(&t, scratch, scratch + plan->planes_floats, y, block, from, to);
    }
    return packing;
}

const struct bk_isa BK_ISA = {BK_ISA_NAME, BK_VL, BK_TILE, run_tile};

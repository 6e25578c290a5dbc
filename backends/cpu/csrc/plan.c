/* Plans: checks, the order of the weights, the sizes of scratch memory. */
#include "conv.h"
#include "jit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SPARSE_PLANES (8ll * UINT16_MAX) /* bytes that 16-bit offsets reach */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Bytes of a float32 array must fit in a signed 64-bit number with room to spare. */
static int fits(int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t n;
    return !__builtin_mul_overflow(a, b, &n) && !__builtin_mul_overflow(n, c, &n) && !__builtin_mul_overflow(n, d, &n) && n < INT64_MAX / 64;
}

static int check_axis(const char *axis, int64_t i, int64_t o, int64_t k, int64_t s, int64_t p, int64_t d, char *message)
{
    int64_t span = (k - 1) * d + 1;
    if ((o - 1) * s + span > i + 2 * p)
        FAIL("o%s%lld does not fit the padded input of %lld", axis, (long long)o, (long long)(i + 2 * p));
    return 0;
}

static int check_problem(const struct bk_problem *p, char *message)
{
    const int64_t *field = (const int64_t *)p;
    static const char *const names[] = {"g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw"};
    for (int i = 0; i < 16; i++) {
        int64_t least = i == 12 || i == 13 ? 0 : 1;
        if (field[i] < least || field[i] > INT32_MAX)
            FAIL("%s is %lld; allowed: %lld to %d", names[i], (long long)field[i], (long long)least, INT32_MAX);
    }
    if (p->ic % p->g || p->oc % p->g) FAIL("ic%lld oc%lld do not divide by g%lld", (long long)p->ic, (long long)p->oc, (long long)p->g);
    if (check_axis("h", p->ih, p->oh, p->kh, p->sh, p->ph, p->dh, message)) return -1;
    if (check_axis("w", p->iw, p->ow, p->kw, p->sw, p->pw, p->dw, message)) return -1;
    if (!fits(p->mb, p->ic, p->ih, p->iw) || !fits(p->mb, p->oc, p->oh, p->ow) || !fits(p->oc, p->ic / p->g, p->kh, p->kw) ||
        p->oc * (p->ic / p->g) * p->kh * p->kw > UINT32_MAX)
        FAIL("an array of this problem is too large");
    return 0;
}

static int check_choice(const struct bk_problem *p, const struct bk_choice *c, const struct bk_isa *isa, int dense, char *message)
{
    int64_t most = dense ? isa->max_tile / BK_DENSE_CHANNELS : isa->max_tile;
    if (c->rows < 1 || c->vectors < 1 || c->rows > most || c->vectors > most || c->rows * c->vectors > most)
        FAIL("tile is %lldx%lld vectors; allowed: up to %lld in all", (long long)c->rows, (long long)c->vectors, (long long)most);
    if (c->flat && c->rows != 1) FAIL("a flat tile has %lld rows; allowed: 1", (long long)c->rows);
    if (c->channel_block < 1 || c->channel_block > p->ic / p->g)
        FAIL("channel block is %lld; allowed: 1 to %lld", (long long)c->channel_block, (long long)(p->ic / p->g));
    if (c->channel_block * p->kh * p->kw > UINT16_MAX && c->channel_block > 1)
        FAIL("channel block is %lld; allowed: up to %lld", (long long)c->channel_block, (long long)(UINT16_MAX / (p->kh * p->kw)));
    if (p->kh * p->kw > UINT16_MAX) FAIL("kernel has %lld taps; allowed: up to %d", (long long)(p->kh * p->kw), UINT16_MAX);
    if (c->chunks < 1 || c->chunks > p->oc / p->g)
        FAIL("%lld chunks of output channels; allowed: 1 to %lld", (long long)c->chunks, (long long)(p->oc / p->g));
    return 0;
}

/* Bytes from the tile's first vector to what tap (r, s) of the block's channel c reads. */
static uint32_t tap_offset(const struct bk_plan *plan, int64_t c, int64_t r, int64_t s)
{
    const struct bk_layout *l = &plan->layout;
    int64_t plane = l->row_plane[r] * l->column_planes + l->column_plane[s];
    return (uint32_t)((c * l->channel + (plane * l->plane_rows + l->row_shift[r]) * l->pitch) * 4);
}

/* Walk the taps of one block in kernel order: segment, input channel, kernel row, kernel column. */
#define EACH_TAP(plan, channels)                                                                        \
    for (int64_t seg = 0; seg < (plan)->layout.segments; seg++)                                         \
        for (int64_t c = 0; c < (channels); c++)                                                        \
            for (int64_t r = 0; r < (plan)->problem.kh; r++)                                            \
                for (int64_t s = 0; s < (plan)->problem.kw; s++)                                        \
                    if ((plan)->layout.column_segment[s] == seg)

static int order_sparse(struct bk_plan *plan, const float *weight)
{
    const struct bk_problem *p = &plan->problem;
    int64_t in = p->ic / p->g, out = p->oc / p->g, taps = p->kh * p->kw, n = 0, rows = p->g * plan->blocks * out;
    for (int64_t i = 0; i < p->oc * in * taps; i++) n += weight[i] != 0;
    plan->value = malloc((size_t)(n + 1) * sizeof *plan->value);
    plan->offset16 = malloc((size_t)(n + 1) * sizeof *plan->offset16);
    plan->start = malloc((size_t)rows * sizeof *plan->start);
    plan->count = calloc((size_t)(rows * plan->layout.segments), sizeof *plan->count);
    if (!plan->value || !plan->offset16 || !plan->start || !plan->count) return -1;
    plan->nonzero_count = n;
    n = 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t o = row % out, b = row / out % plan->blocks, g = row / out / plan->blocks, first = b * plan->choice.channel_block;
        const float *filter = weight + ((g * out + o) * in + first) * taps;
        plan->start[row] = (uint32_t)n;
        EACH_TAP(plan, smaller(plan->choice.channel_block, in - first))
        {
            float value = filter[(c * p->kh + r) * p->kw + s];
            if (value == 0) continue;
            plan->offset16[n] = (uint16_t)(tap_offset(plan, c, r, s) / 8);
            plan->value[n++] = value;
            plan->count[row * plan->layout.segments + seg]++;
        }
    }
    return 0;
}

static int order_dense(struct bk_plan *plan, const float *weight)
{
    const struct bk_problem *p = &plan->problem;
    int64_t in = p->ic / p->g, out = p->oc / p->g, taps = p->kh * p->kw, segments = plan->layout.segments;
    int64_t quads = (out + BK_DENSE_CHANNELS - 1) / BK_DENSE_CHANNELS;
    plan->weights = calloc((size_t)(p->g * quads * in * taps * BK_DENSE_CHANNELS), sizeof *plan->weights);
    plan->offset = calloc((size_t)(in * taps + plan->blocks * segments), sizeof *plan->offset);
    if (!plan->weights || !plan->offset) return -1;
    float *w = plan->weights;
    for (int64_t g = 0; g < p->g; g++)
        for (int64_t b = 0; b < plan->blocks; b++) {
            int64_t first = b * plan->choice.channel_block, channels = smaller(plan->choice.channel_block, in - first);
            uint32_t *offset = plan->offset + first * taps, *count = plan->offset + in * taps + b * segments;
            memset(count, 0, (size_t)segments * sizeof *count);
            EACH_TAP(plan, channels)
            {
                *offset++ = tap_offset(plan, c, r, s);
                count[seg]++;
            }
            for (int64_t o = 0; o < quads * BK_DENSE_CHANNELS; o += BK_DENSE_CHANNELS)
                EACH_TAP(plan, channels)
                {
                    for (int64_t k = 0; k < BK_DENSE_CHANNELS && o + k < out; k++)
                        w[k] = weight[(((g * out + o + k) * in + first + c) * p->kh + r) * p->kw + s];
                    w += BK_DENSE_CHANNELS;
                }
        }
    return 0;
}

/* Cut each group's output channels into chunks of about equal work: non-zeros, plus one for the row itself. */
static int cut_chunks(struct bk_plan *plan, const float *weight)
{
    const struct bk_problem *p = &plan->problem;
    int64_t out = p->oc / p->g, row = p->ic / p->g * p->kh * p->kw, chunks = plan->choice.chunks;
    int64_t *work = malloc((size_t)(out + 1) * sizeof *work);
    plan->chunk_start = malloc((size_t)(p->g * (chunks + 1)) * sizeof *plan->chunk_start);
    for (int64_t g = 0; work && plan->chunk_start && g < p->g; g++) {
        int64_t *start = plan->chunk_start + g * (chunks + 1), o = 0;
        work[0] = 0;
        for (int64_t i = 0; i < out; i++) {
            int64_t n = 1;
            for (int64_t k = 0; k < row; k++) n += plan->dense || weight[(g * out + i) * row + k] != 0;
            work[i + 1] = work[i] + n;
        }
        for (int64_t c = 0; c <= chunks; c++) {
            while (o < out && work[o] < work[out] / chunks * c) o++;
            if (plan->dense) o = (o + BK_DENSE_CHANNELS - 1) / BK_DENSE_CHANNELS * BK_DENSE_CHANNELS;
            start[c] = c == chunks ? out : smaller(o, out);
        }
    }
    free(work);
    return work && plan->chunk_start ? 0 : -1;
}

static void size_scratch(struct bk_plan *plan)
{
    int64_t most = 0, per_tile = plan->choice.rows * plan->layout.pitch * (plan->dense ? BK_DENSE_CHANNELS : 1);
    for (int64_t i = 0; i < plan->problem.g * (plan->choice.chunks + 1) - 1; i++) {
        int64_t n = plan->chunk_start[i + 1] - plan->chunk_start[i];
        if (n > most) most = n;
    }
    int64_t tiles = plan->blocks == 1 ? 1 : plan->dense ? (most + BK_DENSE_CHANNELS - 1) / BK_DENSE_CHANNELS : most;
    plan->planes_floats = plan->choice.channel_block * plan->layout.channel;
    plan->sums_floats = tiles * per_tile;
    plan->slice_floats = (plan->planes_floats + plan->sums_floats + 15) / 16 * 16;
}

/* What the threads of a call share: a lock, and the units, evenly. */
static int make_shared(struct bk_plan *plan, int64_t units, char *message)
{
    if (units > UINT32_MAX / 2) FAIL("%lld parts of a call are too many", (long long)units);
    plan->lock = malloc(sizeof(pthread_mutex_t));
    if (!plan->lock) FAIL("no memory for the plan");
    pthread_mutex_init(plan->lock, NULL);
    plan->share_start = malloc((size_t)(plan->threads + 1) * sizeof *plan->share_start);
    if (!plan->share_start) FAIL("no memory for the plan");
    for (int i = 0; i <= plan->threads; i++) plan->share_start[i] = units * i / plan->threads;
    return 0;
}

static int build(struct bk_plan *plan, const float *weight, const float *bias, char *message)
{
    const struct bk_problem *p = &plan->problem;
    if (check_problem(p, message) || check_choice(p, &plan->choice, plan->isa, plan->dense, message)) return -1;
    if (bk_layout_make(&plan->layout, p, &plan->choice, plan->isa->vl, message)) return -1;
    int64_t bytes;
    if (__builtin_mul_overflow(plan->layout.channel, plan->choice.channel_block * 4, &bytes) ||
        bytes > (plan->dense ? (int64_t)UINT32_MAX : MAX_SPARSE_PLANES))
        FAIL("planes of %lld channels are too large for their offsets", (long long)plan->choice.channel_block);
    plan->blocks = (p->ic / p->g + plan->choice.channel_block - 1) / plan->choice.channel_block;
    if (bias && !(plan->bias = malloc((size_t)p->oc * sizeof *bias))) FAIL("no memory for the plan");
    if (bias) memcpy(plan->bias, bias, (size_t)p->oc * sizeof *bias);
    if ((plan->dense ? order_dense : order_sparse)(plan, weight) || cut_chunks(plan, weight)) FAIL("no memory for the plan");
    size_scratch(plan);
    return make_shared(plan, p->g * plan->choice.chunks * plan->layout.tiles_x * plan->layout.tiles_y, message);
}

struct bk_plan *bk_plan_make(const struct bk_problem *problem, const struct bk_choice *choice, const struct bk_isa *isa, int dense,
                             const float *weight, const float *bias, int relu, int threads, char *message)
{
    struct bk_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        snprintf(message, BK_MESSAGE, "no memory for the plan");
        return NULL;
    }
    plan->problem = *problem;
    plan->choice = *choice;
    plan->isa = isa;
    plan->dense = dense;
    plan->relu = relu;
    plan->threads = threads < 1 ? 1 : threads;
    if (build(plan, weight, bias, message)) {
        bk_plan_free(plan);
        return NULL;
    }
    return plan;
}

static struct bk_plan *generated_plan(const struct bk_problem *problem, int relu, int threads)
{
    struct bk_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->problem = *problem;
    plan->relu = relu;
    plan->threads = threads < 1 ? 1 : threads;
    return plan;
}

static int add_jit(struct bk_plan *plan, const float *weight, const float *bias, struct bk_jit_wish wish, char *message)
{
    struct bk_jit_info info;
    if (check_problem(&plan->problem, message)) return -1;
    plan->jit = bk_jit_make(&plan->problem, weight, bias, plan->relu, plan->threads, wish, message);
    if (!plan->jit) return -1;
    bk_jit_describe(plan->jit, &info);
    plan->slice_floats = (info.scratch_floats + 15) / 16 * 16;
    if (make_shared(plan, info.units, message)) return -1;
    bk_jit_share(plan->jit, plan->threads, plan->share_start);
    return 0;
}

static int add_bands(struct bk_plan *plan, const float *weight, const float *bias, struct bk_bands_wish wish, char *message)
{
    struct bk_bands_info info;
    if (check_problem(&plan->problem, message)) return -1;
    plan->bands = bk_bands_make(&plan->problem, weight, bias, plan->relu, plan->threads, wish, message);
    if (!plan->bands) return -1;
    bk_bands_describe(plan->bands, &info);
    plan->slice_floats = (info.scratch_floats + 15) / 16 * 16;
    return make_shared(plan, info.units, message);
}

struct bk_plan *bk_plan_generate(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                                 struct bk_jit_wish wish, char *message)
{
    struct bk_plan *plan = generated_plan(problem, relu, threads);
    if (!plan) snprintf(message, BK_MESSAGE, "no memory for the plan");
    else if (!add_jit(plan, weight, bias, wish, message)) return plan;
    if (plan) bk_plan_free(plan);
    return NULL;
}

struct bk_plan *bk_plan_generate_bands(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                                       struct bk_bands_wish wish, char *message)
{
    struct bk_plan *plan = generated_plan(problem, relu, threads);
    if (!plan) snprintf(message, BK_MESSAGE, "no memory for the plan");
    else if (!add_bands(plan, weight, bias, wish, message)) return plan;
    if (plan) bk_plan_free(plan);
    return NULL;
}

void bk_plan_free(struct bk_plan *plan)
{
    bk_run_free(plan);
    if (plan->lock) pthread_mutex_destroy(plan->lock);
    free(plan->lock);
    bk_jit_free(plan->jit);
    bk_bands_free(plan->bands);
    free(plan->bias);
    free(plan->value);
    free(plan->offset16);
    free(plan->start);
    free(plan->count);
    free(plan->weights);
    free(plan->offset);
    free(plan->chunk_start);
    free(plan->share_start);
    bk_layout_free(&plan->layout);
    free(plan);
}

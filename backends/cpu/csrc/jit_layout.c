/* Generated code: from problem to planes, taps, tiles and strips. */
#include "axis.h"
#include "jit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For parts of the input channels: bytes of L1 for what a tile reads; multiply-adds a channel that hide L2 no more; least
 * multiply-adds of a part, below and above that; tiles that make it pay. Found by timing. */
enum { L1_SHARE = 20 << 10, FEW_FMAS = 16, LEAST_FMAS = 380, MANY_FMAS = 4000, LEAST_TILES = 6 };

static int64_t whole_vectors(int64_t lanes) { return ceil_div(lanes, JIT_LANES) * JIT_LANES; }

static int by_offset(const void *a, const void *b)
{
    const struct jit_tap *s = a, *t = b;
    return (s->offset > t->offset) - (s->offset < t->offset);
}

static int make_taps(struct bk_jit *jit, const struct axis *rows, const struct axis *columns)
{
    const struct bk_problem *p = &jit->problem;
    jit->tap = malloc((size_t)jit->taps * sizeof *jit->tap);
    if (!jit->tap) return -1;
    for (int64_t r = 0, k = 0; r < p->kh; r++)
        for (int64_t s = 0; s < p->kw; s++, k++) {
            int64_t phase = rows->which[r] * columns->phases + columns->which[s];
            jit->tap[k].index = (int32_t)k;
            jit->tap[k].offset = (int32_t)(phase * jit->plane + r * p->dh / p->sh * jit->pitch + s * p->dw / p->sw);
        }
    qsort(jit->tap, (size_t)jit->taps, sizeof *jit->tap, by_offset);
    return 0;
}

static int make_marks(struct bk_jit *jit)
{
    const struct bk_problem *p = &jit->problem;
    int64_t n = jit->tiles * jit->vectors;
    jit->marks = calloc((size_t)n, sizeof *jit->marks);
    if (!jit->marks) return -1;
    for (int64_t k = 0; k < n; k++) {
        struct jit_mark *mark = jit->marks + k;
        for (int64_t lane = JIT_LANES - 1; lane >= 0; lane--) {
            int64_t i = (k * JIT_LANES + lane) / jit->pitch, j = (k * JIT_LANES + lane) % jit->pitch;
            if (i >= p->oh || j >= p->ow) continue;
            mark->squeeze |= (uint16_t)(1u << lane);
            mark->store = (uint16_t)(mark->store << 1 | 1);
            mark->position = (int32_t)(i * p->ow + j);
        }
    }
    return 0;
}

/* Steps that fill one plane for a strip, in rising order: each writes whole vectors, so its tail may cover the next gap. */
static int64_t plane_steps(const struct bk_jit *jit, int64_t strip, int64_t a, int64_t b, int64_t target, struct jit_step *out)
{
    const struct bk_problem *p = &jit->problem;
    int64_t first = strip * jit->strip_tiles * jit->vectors * JIT_LANES, end = first + jit->plane, done = first, n = 0;
    for (int64_t i = first / jit->pitch; i * jit->pitch < end; i++) {
        int64_t y = i * p->sh + a - p->ph, start = i * jit->pitch;
        int64_t from = larger(start + lead(p, b), first), to = smaller(start + smaller(past(p, b), jit->pitch), end);
        if (y < 0 || y >= p->ih || from >= to) continue;
        int64_t source = y * p->iw + (from - start) * p->sw + b - p->pw;
        if (from > done) out[n++] = (struct jit_step){(int32_t)(target + done - first), (int32_t)(from - done), -1};
        out[n++] = (struct jit_step){(int32_t)(target + from - first), (int32_t)(to - from), source};
        done = from + whole_vectors(to - from);
    }
    if (done < end) out[n++] = (struct jit_step){(int32_t)(target + done - first), (int32_t)(end - done), -1};
    return n;
}

static int make_steps(struct bk_jit *jit, const struct axis *rows, const struct axis *columns)
{
    int64_t most = jit->strips * jit->phases * (2 * (jit->plane / jit->pitch + 2) + 1), n = 0;
    jit->steps = malloc((size_t)most * sizeof *jit->steps);
    jit->step_start = malloc((size_t)(jit->strips + 1) * sizeof *jit->step_start);
    if (!jit->steps || !jit->step_start) return -1;
    for (int64_t strip = 0; strip < jit->strips; strip++) {
        jit->step_start[strip] = n;
        for (int64_t k = 0; k < jit->phases; k++) {
            int64_t a = rows->phase[k / columns->phases], b = columns->phase[k % columns->phases];
            n += plane_steps(jit, strip, a, b, k * jit->plane, jit->steps + n);
        }
    }
    jit->step_start[jit->strips] = n;
    return 0;
}

/* Vectors that one tile of an input channel reads. */
static int64_t vectors_read(const struct bk_jit *jit)
{
    int64_t vectors = 0, seen = -1;
    for (int64_t t = 0; t < jit->taps; t++) {
        int64_t first = jit->tap[t].offset / JIT_LANES, last = (jit->tap[t].offset + JIT_LANES * jit->vectors - 1) / JIT_LANES;
        first = larger(first, seen + 1);
        vectors += larger(0, last - first + 1);
        seen = larger(seen, last);
    }
    return vectors;
}

/* Parts of the input channels: so many that what one tile reads is still in L1 for the next, which shares some of it. Worth it
 * where few multiply-adds hide the reading from L2, or where they are so many that saving sums between parts costs nothing. */
static int64_t find_parts(const struct bk_jit *jit, int64_t reach)
{
    int64_t fmas = jit->nonzeros * jit->vectors / (jit->problem.g * jit->blocks);
    int64_t wanted = ceil_div(jit->in * vectors_read(jit) * JIT_LANES * 4, L1_SHARE);
    int64_t most = fmas / (fmas < FEW_FMAS * jit->in ? LEAST_FMAS : MANY_FMAS);
    return reach == 0 || jit->strip_tiles < LEAST_TILES ? 1 : larger(1, smaller(smaller(wanted, most), jit->in));
}

static int place(struct bk_jit *jit, const float *weight, const struct axis *rows, const struct axis *columns, struct bk_jit_wish wish,
                 char *message)
{
    const struct bk_problem *p = &jit->problem;
    jit->pitch = find_pitch(p, columns);
    jit->phases = rows->phases * columns->phases;
    int64_t reach = (p->kh - 1) * p->dh / p->sh * jit->pitch + (p->kw - 1) * p->dw / p->sw, bytes;
    if (jit->pitch * p->oh > INT32_MAX / 8 || reach > INT32_MAX / 8) FAIL("an image is too large for generated code");
    if (p->oh * p->ow > INT32_MAX / 4 / JIT_SUMS)
        FAIL("%lldx%lld outputs are too many for generated code", (long long)p->oh, (long long)p->ow);
    if (jit_cut(jit, weight, (p->oh - 1) * jit->pitch + p->ow, reach, wish.strip_tiles)) FAIL("no memory for the plan");
    if (__builtin_mul_overflow(jit->in * jit->phases, jit->plane * 4, &bytes) || bytes > INT32_MAX / 2)
        FAIL("the planes of %lld channels are too large for generated code", (long long)jit->in);
    if (make_taps(jit, rows, columns)) FAIL("no memory for the plan");
    jit->parts = wish.parts > 0 ? smaller(wish.parts, jit->in) : find_parts(jit, reach);
    if (make_marks(jit) || make_steps(jit, rows, columns)) FAIL("no memory for the plan");
    return 0;
}

int jit_layout(struct bk_jit *jit, const float *weight, struct bk_jit_wish wish, char *message)
{
    struct bk_problem *p = &jit->problem;
    jit->in = p->ic / p->g;
    jit->out = p->oc / p->g;
    jit->taps = p->kh * p->kw;
    as_one_row(p);
    struct axis rows = {0}, columns = {0};
    int status = -1;
    if (make_axis(&rows, p->kh, p->dh, p->sh) || make_axis(&columns, p->kw, p->dw, p->sw))
        snprintf(message, BK_MESSAGE, "no memory for the plan");
    else
        status = place(jit, weight, &rows, &columns, wish, message);
    free(rows.phase);
    free(columns.phase);
    return status;
}

/* Rows and columns of a padded input in stride phases, laid out so that a tap is a fixed distance. */
#ifndef BREAKEVEN_AXIS_H
#define BREAKEVEN_AXIS_H

#include "problem.h"

#include <stdlib.h>

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }

/* The stride phases of one axis that taps use: phase[k] is the k-th in use, which[t] the one that tap t reads. */
struct axis {
    int64_t phases, *phase, *which;
};

/* -1 when memory ran out; free `phase` afterwards. */
static inline int make_axis(struct axis *axis, int64_t taps, int64_t dilation, int64_t stride)
{
    axis->phases = 0;
    axis->phase = calloc((size_t)(2 * taps), sizeof *axis->phase);
    if (!axis->phase) return -1;
    axis->which = axis->phase + taps;
    for (int64_t t = 0; t < taps; t++) {
        int64_t k = 0;
        while (k < axis->phases && axis->phase[k] != t * dilation % stride) k++;
        if (k == axis->phases) axis->phase[axis->phases++] = t * dilation % stride;
        axis->which[t] = k;
    }
    return 0;
}

/* First column of a plane row that holds input, and the first past it. */
static inline int64_t lead(const struct bk_problem *p, int64_t phase) { return ceil_div(p->pw - phase, p->sw); }
static inline int64_t past(const struct bk_problem *p, int64_t phase) { return ceil_div(p->iw + p->pw - phase, p->sw); }

/* Shortest distance between rows at which whatever a tap reads past its row's end is zero, as it would be in padding. */
static inline int64_t find_pitch(const struct bk_problem *p, const struct axis *columns)
{
    int64_t width = p->ow + (p->kw - 1) * p->dw / p->sw, leading = INT64_MAX, end = 0;
    for (int64_t k = 0; k < columns->phases; k++) {
        leading = smaller(leading, lead(p, columns->phase[k]));
        end = larger(end, past(p, columns->phase[k]));
    }
    return larger(p->ow, smaller(width, larger(end, width - leading)));
}

/* An unpadded 1x1 layer of stride 1 is one row of pixels; whether `p` was one. */
static inline int as_one_row(struct bk_problem *p)
{
    if (p->kh * p->kw != 1 || p->sh != 1 || p->sw != 1 || p->oh != p->ih || p->ow != p->iw || p->ph || p->pw) return 0;
    p->iw = p->ow = p->ih * p->iw;
    p->ih = p->oh = 1;
    return 1;
}

#endif

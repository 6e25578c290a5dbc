/* From problem and choice to the places of planes, taps and tiles. */
#include "conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }

/* Number the distinct values of value[0..n) in order of first sight: which[i] is the number of value[i]. */
static int64_t number_distinct(const int64_t *value, int64_t n, int64_t *distinct, int64_t *which)
{
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = 0;
        while (k < found && distinct[k] != value[i]) k++;
        if (k == found) distinct[found++] = value[i];
        which[i] = k;
    }
    return found;
}

/* Planes for one axis: a tap at distance t reads plane `start`, shifted by whole output pixels if `shifting`. */
static int64_t axis_planes(int64_t taps, int64_t dilation, int64_t stride, int shifting, int64_t *start, int64_t *which, int64_t *shift)
{
    for (int64_t t = 0; t < taps; t++) shift[t] = shifting ? t * dilation % stride : t * dilation;
    int64_t planes = number_distinct(shift, taps, start, which);
    for (int64_t t = 0; t < taps; t++) shift[t] = shifting ? t * dilation / stride : 0;
    return planes;
}

/* Column shifts become segments, largest first; steps[i] is the slide after segment i. */
static void make_segments(struct bk_layout *l, int64_t kw)
{
    int64_t shift = -1;
    l->segments = 0;
    for (int64_t s = kw - 1; s >= 0; s--) {
        int64_t here = l->column_segment[s];
        if (shift != here) {
            if (l->segments) l->steps[l->segments - 1] = shift - here;
            else l->slide = here;
            l->segments++;
        }
        shift = here;
        l->column_segment[s] = l->segments - 1;
    }
    l->steps[l->segments - 1] = shift;
}

/* Lanes at an element's end that hold zeros, as do the first lanes of the next: they can be the same lanes. */
static int64_t shared_lanes(const struct bk_layout *l, const struct bk_problem *p)
{
    int64_t low = l->column_start[0], high = low;
    for (int64_t i = 1; i < l->column_planes; i++) {
        if (l->column_start[i] < low) low = l->column_start[i];
        if (l->column_start[i] > high) high = l->column_start[i];
    }
    int64_t leading = ceil_div(p->pw - high, p->sw);
    int64_t first_past = ceil_div(p->iw + p->pw - low, p->sw);
    int64_t trailing = p->ow + l->slide - first_past;
    int64_t shared = least(least(leading, trailing), l->slide);
    return shared > 0 ? shared : 0;
}

static int allocate(struct bk_layout *l, int64_t kh, int64_t kw)
{
    int64_t *memory = calloc((size_t)(3 * kh + 4 * kw), sizeof *memory);
    if (!memory) return -1;
    l->row_start = memory;
    l->row_plane = memory + kh;
    l->row_shift = memory + 2 * kh;
    l->column_start = memory + 3 * kh;
    l->column_plane = memory + 3 * kh + kw;
    l->column_segment = memory + 3 * kh + 2 * kw;
    l->steps = memory + 3 * kh + 3 * kw;
    return 0;
}

int bk_layout_make(struct bk_layout *l, const struct bk_problem *p, const struct bk_choice *c, int vl, char *message)
{
    memset(l, 0, sizeof *l);
    if (p->kh > BK_MAX_SEGMENTS || p->kw > BK_MAX_SEGMENTS) {
        snprintf(message, BK_MESSAGE, "kernel is %lldx%lld; allowed: up to %d a side", (long long)p->kh, (long long)p->kw, BK_MAX_SEGMENTS);
        return -1;
    }
    if (allocate(l, p->kh, p->kw)) {
        snprintf(message, BK_MESSAGE, "no memory for the plan");
        return -1;
    }
    l->row_planes = axis_planes(p->kh, p->dh, p->sh, !c->flat, l->row_start, l->row_plane, l->row_shift);
    l->column_planes = axis_planes(p->kw, p->dw, p->sw, c->slide != 0, l->column_start, l->column_plane, l->column_segment);
    make_segments(l, p->kw);
    l->pitch = c->vectors * vl;
    l->plane_rows = c->rows + l->row_shift[p->kh - 1];
    l->channel = l->row_planes * l->column_planes * l->plane_rows * l->pitch;
    int64_t shared = shared_lanes(l, p);
    l->period = p->ow + l->slide - shared;
    l->elements = c->flat ? p->mb * p->oh : p->mb;
    int64_t length = (l->elements - 1) * l->period + p->ow;
    /* A tile that holds whole rows may let its last shifts run into the zeros that start the next plane row. */
    l->usable = length <= l->pitch - l->slide + shared ? length : l->pitch - l->slide;
    if (l->usable < 1) {
        snprintf(message, BK_MESSAGE, "a tile of %lld vectors has no room for a shift of %lld columns", (long long)c->vectors,
                 (long long)l->slide);
        return -1;
    }
    l->tiles_x = ceil_div(length, l->usable);
    l->tiles_y = c->flat ? 1 : ceil_div(p->oh, c->rows);
    return 0;
}

void bk_layout_free(struct bk_layout *l)
{
    free(l->row_start);
    l->row_start = NULL;
}

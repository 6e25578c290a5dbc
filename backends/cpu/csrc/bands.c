/* Code for AVX2: making, running and freeing it. */
#include "bands_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bk_bands_obstacle(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? NULL : "this processor has no AVX2 or FMA";
}

static int64_t phases(const struct bk_bands *b) { return b->row_axis.phases * b->column_axis.phases; }

/* Whether padded planes are made part by part, right before their only use, and not all of a group at once for all strips. */
static int flat_by_part(const struct bk_bands *b) { return b->strips * b->chunks == 1; }

/* Scratch memory: padded planes, the planes of a part, the sums of all blocks (the last quad may reach past them). */
static int64_t flat_floats(const struct bk_bands *b)
{
    return b->direct ? 0 : whole_lines((flat_by_part(b) ? b->part : b->in) * phases(b) * b->flat + BAND_LANES);
}
static int64_t block_floats(const struct bk_bands *b) { return b->most_tiles * BAND_SUMS * BAND_LANES; }
static int64_t scratch_floats(const struct bk_bands *b)
{
    return b->adjacent ? bands_row_floats(b) : flat_floats(b) + planes_floats(b) + b->blocks * block_floats(b);
}

/* The planes of a part. x: of the group. */
static void pack_part(const struct bk_bands *b, const struct bands_strip *strip, const float *x, float *scratch, int64_t part)
{
    int64_t from = b->in * part / b->parts, channels = b->in * (part + 1) / b->parts - from;
    const float *own = x + from * b->problem.ih * b->problem.iw;
    if (!b->direct) {
        own = flat_by_part(b) ? scratch : scratch + from * phases(b) * b->flat;
        if (flat_by_part(b)) bands_flatten(b, x + from * b->problem.ih * b->problem.iw, scratch, channels);
    }
    bands_pack(b, strip, own, scratch + flat_floats(b), channels);
}

/* One strip of one image and group, part by part; pieces go out while their sums are near. Returns the seconds spent on packing. */
static double run_strip(const struct bk_bands *b, const struct bands_strip *strip, const float *x, float *y, float *scratch, int64_t group,
                        int64_t chunk, double (*clock)(void))
{
    int64_t first = b->chunk_start[chunk], last = b->chunk_start[chunk + 1];
    float *planes = scratch + flat_floats(b);
    double packing = 0;
    for (int64_t part = 0; part < b->parts; part++) {
        double start = clock ? clock() : 0;
        pack_part(b, strip, x, scratch, part);
        if (clock) packing += clock() - start;
        const struct bands_piece *piece = b->code + (group * b->parts + part) * b->pieces;
        float *sums = planes + planes_floats(b);
        for (int64_t k = first; k < last; k++, sums += b->piece * block_floats(b)) {
            piece[k].code(planes, piece[k].values, sums, b->offset + strip->tile, strip->tiles);
            if (part < b->parts - 1) continue;
            bands_unpack(b, strip, sums, y, b->order + group * b->out, k * b->piece, smaller((k + 1) * b->piece, b->blocks));
        }
    }
    return packing;
}

double bk_bands_run(const struct bk_bands *b, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed,
                    double (*clock)(void))
{
    const struct bk_problem *p = &b->problem;
    int64_t chunk = unit % b->chunks, strip = unit / b->chunks % b->strips, source = unit / b->chunks / b->strips;
    int64_t group = source % p->g, image = source / p->g;
    double packing = 0;
    x += (image * p->ic + group * b->in) * p->ih * p->iw;
    y += (image * p->oc + group * b->out) * p->oh * p->ow;
    if (b->adjacent) return bands_run_row(b, b->strip + strip, x, y, scratch, group, chunk, clock);
    if (!b->direct && !flat_by_part(b) && source != *packed) {
        double start = clock ? clock() : 0;
        bands_flatten(b, x, scratch, b->in);
        if (clock) packing = clock() - start;
        *packed = source;
    }
    return packing + run_strip(b, b->strip + strip, x, y, scratch, group, chunk, clock);
}

static int build(struct bk_bands *b, const float *weight, const float *bias, struct bk_bands_wish wish, char *message)
{
    int64_t oc = b->problem.oc, weights = oc * (b->problem.ic / b->problem.g) * b->problem.kh * b->problem.kw;
    for (int64_t i = 0; i < weights; i++) b->nonzeros += weight[i] != 0;
    if (bias) {
        b->bias = malloc((size_t)oc * sizeof *bias);
        if (!b->bias) FAIL("no memory for the plan");
        memcpy(b->bias, bias, (size_t)oc * sizeof *bias);
    }
    if (bands_layout(b, wish, message)) return -1;
    if (bands_order(b, weight)) FAIL("no memory for the plan");
    return bands_generate(b, weight, message);
}

struct bk_bands *bk_bands_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                               struct bk_bands_wish wish, char *message)
{
    const char *obstacle = bk_bands_obstacle();
    struct bk_bands *b = obstacle ? NULL : calloc(1, sizeof *b);
    if (!b) {
        snprintf(message, BK_MESSAGE, "%s", obstacle ? obstacle : "no memory for the plan");
        return NULL;
    }
    b->problem = *problem;
    b->relu = relu;
    b->threads = threads < 1 ? 1 : threads;
    if (!build(b, weight, bias, wish, message)) return b;
    bk_bands_free(b);
    return NULL;
}

void bk_bands_free(struct bk_bands *b)
{
    if (!b) return;
    jit_release(&b->pages);
    free(b->row_axis.phase);
    free(b->column_axis.phase);
    free(b->order);
    free(b->tap);
    free(b->strip);
    free(b->offset);
    free(b->place);
    free(b->source);
    free(b->code);
    free(b->chunk_start);
    free(b->bias);
    free(b);
}

void bk_bands_describe(const struct bk_bands *b, struct bk_bands_info *info)
{
    const struct bk_problem *p = &b->problem;
    *info = (struct bk_bands_info){
        .units = p->mb * p->g * b->strips * b->chunks,
        .scratch_floats = scratch_floats(b),
        .channels = ceil_div(b->out, b->blocks),
        .vectors = BAND_VECTORS,
        .tiles = b->tiles,
        .strips = b->strips,
        .chunks = b->chunks,
        .parts = b->parts,
        .band = b->band,
        .columns = b->columns,
        .nonzeros = b->nonzeros,
        .code_bytes = (int64_t)b->pages.code_bytes,
        .planes_bytes = planes_floats(b) * 4,
        .adjacent = b->adjacent,
        .direct = b->direct,
        .split = b->split,
        .lanes = (double)(p->oh * p->ow) / (double)(b->tiles * BAND_VECTORS * BAND_LANES),
        .cycles = b->cycles,
    };
}

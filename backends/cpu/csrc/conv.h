/* Direct sparse and dense convolution on tiles: the records that pass between the C files.
 *
 * One output tile (rows x vectors of pixels, for one output channel) lives in registers. Each non-zero
 * weight is broadcast and multiplied with the same tile of one input plane at a fixed offset, so the
 * kernel never decodes (c, r, s). Inputs are packed per tile and per block of input channels into planes
 * small enough for L1. docs/kernels.md explains it with a picture.
 */
#ifndef BREAKEVEN_CONV_H
#define BREAKEVEN_CONV_H

#include "bands.h"
#include "jit.h"
#include "problem.h"

#include <stddef.h>

#define BK_ALIGN 64           /* bytes; one cache line, one AVX-512 vector */
#define BK_MAX_TILE 28        /* vectors of accumulators in registers, AVX-512 and NEON */
#define BK_DENSE_CHANNELS 4   /* output channels that one dense kernel call computes */
#define BK_MAX_SEGMENTS 4096  /* distinct column shifts of one problem */

/* What the planner chooses.
 * flat:   lay output rows side by side in the lanes, one plane per kernel row (else rows are stacked);
 * slide:  shift the sums between kernel columns (else one shifted copy of the input per kernel column);
 * rows, vectors: the tile; channel_block: input channels packed at a time; chunks: parts into which the
 * output channels are cut (for threads, and to keep the spilled sums in L2). */
struct bk_choice {
    int64_t flat, slide, rows, vectors, channel_block, chunks;
};

/* Where things lie in the packed planes; all lengths in floats unless said. */
struct bk_layout {
    int64_t pitch;           /* lanes of one plane row: vectors * vl */
    int64_t plane_rows;      /* rows of one plane */
    int64_t channel;         /* floats of all planes of one input channel */
    int64_t row_planes;      /* planes per channel that differ in their first row ... */
    int64_t column_planes;   /* ... and in their first column */
    int64_t *row_start;      /* [row_planes] input row of plane row 0 when the output row is 0, before padding */
    int64_t *column_start;   /* [column_planes] likewise for columns */
    int64_t *row_plane;      /* [kh] which row plane tap row r reads, and at which row of it */
    int64_t *row_shift;      /* [kh] */
    int64_t *column_plane;   /* [kw] which column plane tap column s reads, and in which segment it is summed */
    int64_t *column_segment; /* [kw] */
    int64_t segments;        /* distinct lane shifts, largest first */
    int64_t *steps;          /* [segments] lanes to slide the sums by after each segment */
    int64_t slide;           /* lanes at the end of a plane row that give no output: the largest shift */
    int64_t period;          /* lanes from one element (image, or image row when flat) to the next */
    int64_t elements;        /* images, or image rows when flat */
    int64_t usable;          /* output lanes of one tile */
    int64_t tiles_x, tiles_y;
};

struct bk_isa;

struct bk_arena;

struct bk_plan {
    struct bk_problem problem;
    int64_t x_shape[4], y_shape[4]; /* of the arrays that a caller may give (module.c) */
    struct bk_choice choice;
    struct bk_layout layout;
    const struct bk_isa *isa;
    int dense, relu, threads;
    int64_t blocks;              /* blocks of input channels in a group */
    float *bias;                 /* [oc] or NULL */
    /* sparse */
    float *value;                /* non-zeros ordered by group, block, output channel, segment, input channel, row, column */
    uint16_t *offset16;          /* their place from the tile's first input vector, in units of 8 bytes */
    uint32_t *start;             /* [g][blocks][oc/g]: first non-zero */
    uint16_t *count;             /* [g][blocks][oc/g][segments] */
    int64_t nonzero_count;
    /* dense: the same order, BK_DENSE_CHANNELS channels interleaved, offsets shared by all */
    float *weights;              /* [g][blocks][channel groups][taps of the block][BK_DENSE_CHANNELS] */
    uint32_t *offset;            /* [blocks][taps of a full block] */
    int64_t *chunk_start;        /* [g][chunks + 1] first output channel of each chunk, inside the group */
    /* scratch */
    int64_t planes_floats, sums_floats, slice_floats;
    struct bk_arena *idle;
    void *lock;
    int64_t *share_start; /* [threads + 1] first unit of each thread's own share */
    struct bk_jit *jit;     /* code for AVX-512 ... */
    struct bk_bands *bands; /* ... or AVX2, or NULL: with either, all of the above that describes tiles is unused */
};

/* What a call reports: seconds in all, and of these in packing and layout copies. */
struct bk_clock {
    double total_s, packing_s;
};

typedef void (*bk_sparse_kernel)(const float *planes, float *sums, const uint16_t *offset, const float *value, const uint16_t *count,
                                 const int64_t *steps, int64_t segments, int first);
typedef void (*bk_dense_kernel)(const float *planes, float *sums, const uint32_t *offset, const float *weight, const uint32_t *count,
                                const int64_t *steps, int64_t segments, int first);

/* One compiled copy of tile.c. */
struct bk_isa {
    const char *name; /* of the instruction set */
    int vl;           /* floats of one vector */
    int max_tile;     /* largest tile in vectors */
    /* Compute tile `tile` for output channels [from, to) of group `group`; returns seconds spent on packing. */
    double (*run_tile)(const struct bk_plan *plan, const float *x, float *y, float *scratch, int64_t group, int64_t tile, int64_t from,
                       int64_t to);
};

/* dispatch.c */
const struct bk_isa *bk_find_isa(const char *name, int vl); /* NULL: not compiled in, or this machine lacks it */
const struct bk_isa *bk_isa_at(int index);                  /* best first; NULL after the last that runs here */

/* layout.c */
int bk_layout_make(struct bk_layout *layout, const struct bk_problem *problem, const struct bk_choice *choice, int vl, char *message);
void bk_layout_free(struct bk_layout *layout);

/* plan.c: returns NULL and writes `message` when something does not fit. */
struct bk_plan *bk_plan_make(const struct bk_problem *problem, const struct bk_choice *choice, const struct bk_isa *isa, int dense,
                             const float *weight, const float *bias, int relu, int threads, char *message);
/* The same by code generated for AVX-512, and for AVX2. */
struct bk_plan *bk_plan_generate(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                                 struct bk_jit_wish wish, char *message);
struct bk_plan *bk_plan_generate_bands(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                                       struct bk_bands_wish wish, char *message);
void bk_plan_free(struct bk_plan *plan);

/* run.c: 0, or -1 when memory ran out. Freeing a plan ends with its scratch memory. */
void bk_run_free(struct bk_plan *plan);
int bk_plan_run(struct bk_plan *plan, const float *x, float *y, struct bk_clock *clock);

/* memory.c: 64-byte aligned; NULL when none is left. */
void *bk_alloc(size_t bytes);
void bk_free(void *memory);
double bk_now(void);

/* team.c: call work(context, 0) here and, for i in [1, members), work(context, i) on helpers that are awake in time, and wait for them.
 * So `work` must share out what there is to do by itself, and return only when nothing is left to begin. */
void bk_team_run(int members, void (*work)(void *context, int member), void *context);

#endif

/* Records that pass between the jit_*.c files. */
#ifndef BREAKEVEN_JIT_INTERNAL_H
#define BREAKEVEN_JIT_INTERNAL_H

#include "jit.h"
#include "jit_pages.h"

#define JIT_LANES 16
#define JIT_SUMS 28       /* registers that hold sums; the other four hold inputs */
#define JIT_MOST_VECTORS 8

/* Where the 16 lanes of one output vector go in y's channel. */
struct jit_mark {
    uint16_t squeeze;  /* lanes that are outputs */
    uint16_t store;    /* as many low bits */
    int32_t position;  /* floats from the channel's start */
};

/* One step of packing a channel: `count` floats of a plane from x (every sw-th float), or zeros where source < 0. */
struct jit_step {
    int32_t target, count;
    int64_t source;
};

struct jit_tap {
    int32_t index;  /* r * kw + s */
    int32_t offset; /* lanes from output to input, phase plane included */
};

typedef void (*jit_code)(const float *planes, const float *values, float *y, float *sums, const struct jit_mark *marks,
                         const uint8_t *ahead);

/* One part of the input channels of a block: bias and floor are among the values of the first and the last part.
 * One call asks for `ahead` bytes of the next part's code and values, so that the calls of a strip fetch all of it. */
struct jit_part {
    jit_code code;
    const float *values;
    int64_t ahead;
};

/* One block of output channels of a group. */
struct jit_block {
    int64_t first, channels, nonzeros;
    double tile_cycles; /* estimated */
};

struct bk_jit {
    struct bk_problem problem;        /* unpadded 1x1 layers: as one row */
    int64_t in, out, blocks;          /* per group */
    int64_t pitch, plane, phases;     /* floats of a row and of a plane; planes a channel */
    int64_t vectors, tiles;           /* output vectors a tile, tiles an image */
    int64_t strip_tiles, strips;
    int64_t taps, nonzeros;
    int threads;
    struct jit_tap *tap;              /* [taps] by offset */
    struct jit_mark *marks;           /* [tiles * vectors] */
    struct jit_step *steps;
    int64_t *step_start;              /* [strips + 1] */
    int64_t parts;                    /* of the input channels */
    struct jit_block *block;          /* [g][blocks] */
    struct jit_part *part;            /* [g][blocks][parts] */
    struct jit_pages pages;           /* code and values */
};

/* jit_layout.c: fill every field up to `block`; -1 with a message when something does not fit. */
int jit_layout(struct bk_jit *jit, const float *weight, struct bk_jit_wish wish, char *message);

/* jit_share.c: choose blocks, vectors, tiles, strips and strip_tiles, and count each block's non-zeros. `span`: lanes from an image's
 * first output to its last; `reach`: lanes past a tile that taps read. -1 when memory ran out. */
int jit_cut(struct bk_jit *jit, const float *weight, int64_t span, int64_t reach, int64_t strip_tiles);

/* Estimated cycles of the busiest thread; `start` as for bk_jit_share, or NULL. */
double jit_share(const struct bk_jit *jit, int threads, int64_t *start);

/* jit_code.c: fill part and the memory; -1 with a message. */
int jit_generate(struct bk_jit *jit, const float *weight, const float *bias, int relu, char *message);

#endif

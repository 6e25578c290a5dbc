/* Direct sparse convolution by machine code written for one layer's pattern of non-zeros (x86-64, AVX-512).
 *
 *   y[n][o][i][j] = max(bias[o] + sum over non-zeros (o, c, r, s) of w * x[n][c][i*sh + r*dh - ph][j*sw + s*dw - pw], floor)
 *   x, y: NCHW; weight: OIHW; floor is 0 with ReLU, else minus infinity.
 *
 * Layout. The outputs of an image are numbered q = i * pitch + j: rows side by side in the lanes, the zeros at a row's end
 * being those at the start of the next (pitch = iw + pw for stride 1). Each input channel becomes sh*sw planes (one per
 * stride phase in use) numbered the same way, so tap (r, s) of every output reads lane q + constant. Lanes between two rows
 * hold garbage and are squeezed out at the store.
 *
 * Code. A block of up to 28 output channels times 16 outputs (fewer channels: more outputs) is summed in registers over all
 * input channels, or over a few parts of them where that keeps the inputs of neighbouring tiles in L1. For each tap that any of
 * the block's channels uses, the input vector is made once: one or two aligned loads, shared between neighbouring taps, and a
 * shift across lanes (valignd). For each non-zero one FMA follows, with its value broadcast from memory by the FMA itself;
 * registers and offsets are in the instructions.
 *
 * Bound. One FMA a non-zero and 16 outputs; loads a FMA: half a slot (Zen 4) or one (Intel) for the value, 0.1 to 0.3 for
 * inputs at density 0.1. Code is 10 to 12 bytes a non-zero, fetched once a tile from L2 or L3.
 *
 * Parallel. Work units are (image, group, strip of tiles, block of output channels). A thread packs the planes of a strip into its
 * own scratch memory before the first of its units there, and needs nothing of the others.
 */
#ifndef BREAKEVEN_JIT_H
#define BREAKEVEN_JIT_H

#include "problem.h"

#include <stddef.h>

struct bk_jit;

struct bk_jit_info {
    int64_t units, scratch_floats; /* scratch of one thread */
    int64_t channels, vectors;     /* the largest block: output channels x vectors of 16 outputs */
    int64_t tiles, strips, blocks, parts, pitch, nonzeros;
    int64_t code_bytes;            /* code and values */
    double lanes;    /* share of computed lanes that are outputs */
    double busiest;  /* estimated time of the busiest thread over that of an even share, packing that is done twice included */
};

/* NULL if code can be generated for this machine, else why not. */
const char *bk_jit_obstacle(void);

/* Tiles packed at a time and parts of the input channels; 0 to choose. */
struct bk_jit_wish {
    int64_t strip_tiles, parts;
};

/* Write the code for `weight` (OIHW) of a problem that is known to be sound.
 * NULL with `message` when the problem is too large or the system refuses executable memory. */
struct bk_jit *bk_jit_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                           struct bk_jit_wish wish, char *message);
void bk_jit_free(struct bk_jit *jit);
void bk_jit_describe(const struct bk_jit *jit, struct bk_jit_info *info);

/* Cut the units into consecutive shares that take `threads` threads about equally long: start[threads + 1]. */
void bk_jit_share(const struct bk_jit *jit, int threads, int64_t *start);

/* One unit of a call; returns the seconds spent on packing if `clock` is given. scratch: 64-byte aligned; packed: which input it
 * holds, -1 at first. */
double bk_jit_run(const struct bk_jit *jit, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed, double (*clock)(void));

#endif

/* Direct sparse convolution by machine code written for one layer's pattern of non-zeros (x86-64, AVX2 and FMA).
 *
 * Where jit.h has 28 registers for sums and a multiply-add that broadcasts by itself, AVX2 has 16 registers in all and needs a load
 * for what AVX-512 gets for nothing; two loads a cycle are what bounds it. So every load is aligned and serves as many
 * multiply-adds as can be.
 *
 * Bands. The outputs of an image are numbered q = i * pitch + j, rows side by side as in jit.h, and cut into eight bands of equal length:
 * lane l of vector k is position l * band + k. A tap (r, s) of vector k is then vector k + r * pitch + s, whole and aligned whatever
 * s is; neighbouring outputs and neighbouring taps share input vectors. Unpadded 1x1 layers need no shift: there lane l of vector k
 * is pixel 8 * k + l.
 *
 * Code. A block of up to 6 output channels times 2 neighbouring vectors is summed in 12 registers. Of the other four, two hold input
 * vectors, one holds four values and one a value in all lanes: a shuffle makes it, which multiply-adds leave room for, where a
 * broadcast would be another load. At density 0.1 a multiply-add takes 0.8 loads.
 *
 * Strips and parts. A strip is a few columns of all bands, a part some of the input channels: few enough for L1, or more where reading
 * them from L2 costs less than saving sums. Parts are packed one after the other, straight from the input where its stride is 1; all blocks
 * run over them, their sums saved in between. A few blocks at a time loop over the tiles of the strip, so that their code is fetched from L2
 * or L3 once a strip.
 *
 * Parallel. Work units are (image, group, strip, chunk of output channels); each needs nothing of the others.
 */
#ifndef BREAKEVEN_BANDS_H
#define BREAKEVEN_BANDS_H

#include "problem.h"

struct bk_bands;

struct bk_bands_info {
    int64_t units, scratch_floats;    /* scratch of one thread */
    int64_t channels, vectors;        /* the largest block */
    int64_t tiles, strips, chunks, parts, band, columns, nonzeros;
    int64_t code_bytes;               /* code and values */
    int64_t planes_bytes;             /* of one strip of one part */
    int adjacent;                     /* lanes are neighbouring outputs, not a band apart */
    int direct;                       /* packed from the input itself, not from padded copies */
    int split;                        /* only every second channel is packed if the others are aligned */
    double lanes;                     /* share of computed lanes that are outputs */
    double cycles;                    /* estimated, of one image on one thread */
};

/* NULL if code can be generated for this machine, else why not. */
const char *bk_bands_obstacle(void);

/* Columns of a strip and input channels of a part; 0 to choose. */
struct bk_bands_wish {
    int64_t columns, part;
};

/* Write the code for `weight` (OIHW) of a problem that is known to be sound.
 * NULL with `message` when the problem is too large or the system refuses executable memory. */
struct bk_bands *bk_bands_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                               struct bk_bands_wish wish, char *message);
void bk_bands_free(struct bk_bands *bands);
void bk_bands_describe(const struct bk_bands *bands, struct bk_bands_info *info);

/* One unit of a call; returns the seconds spent on packing if `clock` is given. scratch: 64-byte aligned; `packed`: the number of the
 * input that it holds, -1 at first. */
double bk_bands_run(const struct bk_bands *bands, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed,
                    double (*clock)(void));

#endif

/* Records that pass between the bands_*.c files. */
#ifndef BREAKEVEN_BANDS_INTERNAL_H
#define BREAKEVEN_BANDS_INTERNAL_H

#include "axis.h"
#include "bands.h"
#include "jit_pages.h"

#include <stddef.h>

#define BAND_LANES 8
#define BAND_CHANNELS 6
#define BAND_VECTORS 2
#define BAND_SUMS (BAND_CHANNELS * BAND_VECTORS) /* registers that hold sums, and vectors of sums of a tile */
#define BAND_QUAD 4                              /* columns packed and unpacked at a time */

struct bands_tap {
    int32_t index;  /* r * kw + s */
    int32_t vector; /* vectors from an output to its input, phase plane included */
};

/* One lane of four neighbouring columns: `count` outputs go side by side to `position` of y's channel, chosen by `pick`; zeros between
 * rows are left out. `loose`: what a whole store writes past them is written later. */
struct bands_place {
    int32_t pick[BAND_QUAD];
    int32_t position, count, loose;
};

/* Whether every lane of a quad gives four outputs side by side, or may at least write four floats. */
enum { QUAD_EXACT, QUAD_LOOSE, QUAD_WHOLE };

/* Four columns of one row of a strip: the tile that holds the first of them, and how many there are. */
struct bands_quad {
    int32_t tile, columns, kind;
    struct bands_place place[BAND_LANES];
};

/* Where four neighbouring vectors of a plane come from in the channel: four floats a lane, of which `pick` says which byte goes where
 * (0x80: a zero; halves of a pair are lanes l and l + 4). `whole`: all of them in order. */
struct bands_source {
    int32_t from[BAND_LANES];
    int32_t whole;
    uint8_t pick[BAND_LANES / 2][BAND_LANES * 4];
};

/* Tiles, quads and first column of a strip. */
struct bands_strip {
    int64_t column, columns, tile, tiles, quad, quads;
};

/* Where code finds a tile of a row of pixels: in even and odd channels of the part, and in channel 0 of the group's outputs. */
struct bands_stop {
    const float *input[2];
    float *output;
};

/* `tiles`: what each tile has, as offsets from planes, with `sums` tile after tile; for rows of pixels stops, and these alone. */
typedef void (*bands_code)(const float *planes, const float *values, float *sums, const void *tiles, int64_t count);

/* Some blocks of output channels over one part of the input channels. */
struct bands_piece {
    bands_code code;
    const float *values;
};

struct bk_bands {
    struct bk_problem problem;  /* unpadded 1x1 layers: as one row */
    int adjacent;               /* lanes are neighbouring pixels, not bands; sums wait in y itself */
    int split;                  /* of these: every second channel is read where it lies, if it is aligned there */
    int relu, threads;
    int64_t in, out;            /* channels of a group */
    int64_t taps, nonzeros;
    int64_t pitch, band;        /* floats from row to row; lanes' distance */
    int64_t row_reach, column_reach; /* rows and columns past a strip's outputs that taps read */
    struct axis row_axis, column_axis;
    int direct;                 /* planes are packed from the input itself, not from padded copies */
    int64_t flat;               /* floats of a padded plane in row order */
    int run;                    /* whether a strip is a whole band, as one long row */
    int64_t rows;               /* rows of a band */
    int64_t width;              /* columns worth computing */
    int64_t columns;            /* of a strip */
    int64_t plane_width, plane; /* vectors of a row of a strip's plane; of all planes of a channel */
    int64_t row_step;           /* vectors from an output to the input of the tap below */
    int64_t part, parts;        /* input channels packed at a time */
    int64_t blocks, piece;      /* blocks of output channels in a group; blocks of a piece */
    int64_t chunks, pieces;     /* pieces a group; chunks of them */
    int64_t strips, tiles, quads, most_tiles;
    double cycles;
    int32_t *order;             /* [oc] output channels of each group, block after block */
    struct bands_tap *tap;      /* [taps] by vector */
    struct bands_strip *strip;  /* [strips] */
    int32_t *offset;            /* [tiles] bytes from a plane's start */
    struct bands_source *source; /* [strips][sources], if direct */
    int64_t sources;            /* of a strip */
    struct bands_quad *place;   /* [quads] */
    struct bands_piece *code;   /* [g][parts][pieces] */
    int64_t *chunk_start;       /* [chunks + 1] pieces */
    float *bias;                /* [oc] or NULL */
    struct jit_pages pages;
};

/* bands_layout.c: fill every field up to `place`; -1 with a message when something does not fit. */
int bands_layout(struct bk_bands *bands, struct bk_bands_wish wish, char *message);

/* bands_order.c: fill order; -1 when memory ran out. */
int bands_order(struct bk_bands *bands, const float *weight);

/* bands_code.c: fill code and pages; -1 with a message. */
int bands_generate(struct bk_bands *bands, const float *weight, char *message);

/* bands_pack.c */
/* The padded planes of `channels` channels in row order. */
void bands_flatten(const struct bk_bands *bands, const float *x, float *flat, int64_t channels);
/* The planes of one strip of `channels` channels, from `flat` or from x itself. */
void bands_pack(const struct bk_bands *bands, const struct bands_strip *strip, const float *source, float *planes, int64_t channels);
/* The outputs of one strip of blocks [from, to) of a group, whose `order` it is. */
void bands_unpack(const struct bk_bands *bands, const struct bands_strip *strip, const float *sums, float *y, const int32_t *order,
                  int64_t from, int64_t to);

/* bands_row.c: scratch of one thread, and one strip of one image and group; returns the seconds spent on packing. */
int64_t bands_row_floats(const struct bk_bands *bands);
double bands_run_row(const struct bk_bands *bands, const struct bands_strip *strip, const float *x, float *y, float *scratch, int64_t group,
                     int64_t chunk, double (*clock)(void));

/* Where the output channels of a block begin in `order`. */
static inline int64_t bands_first(const struct bk_bands *bands, int64_t block) { return bands->out * block / bands->blocks; }

/* Bytes from a channel's planes to the next one's. */
static inline int64_t bands_distance(const struct bk_bands *bands)
{
    return (bands->split ? bands->problem.iw : bands->plane * BAND_LANES) * (int64_t)sizeof(float);
}

/* Floats from a channel's sums in a row of pixels to the next one's: those of y, but room for a tile. */
static inline int64_t bands_row_distance(const struct bk_bands *bands)
{
    return larger(bands->problem.ow, BAND_VECTORS * BAND_LANES);
}

static inline int64_t whole_lines(int64_t floats) { return ceil_div(floats, 16) * 16; }

/* The planes of a part; the last quad may reach past them. */
static inline int64_t planes_floats(const struct bk_bands *bands)
{
    return whole_lines((bands->part * bands->plane + BAND_QUAD) * BAND_LANES);
}

#endif

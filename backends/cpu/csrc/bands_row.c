/* Code for AVX2: unpadded 1x1 layers, whose lanes are neighbouring pixels.
 *
 * Sums wait in y itself, where the last part leaves them as outputs. Inputs are read where they lie if that is aligned: with pixels
 * that are four more than a number of whole vectors (14x14: 196), each second channel is, and the others are copied to places as far apart.
 * The last tile may hold pixels past a channel's end: its inputs are always copied, and its sums wait in scratch.
 */
#include "bands_simd.h"

enum { TILE = BAND_VECTORS * BAND_LANES };

/* Pixels of the last tile if it is not whole, else 0. */
static int64_t left_over(const struct bk_bands *b) { return b->problem.iw % TILE; }

/* Scratch memory: copied inputs (of even channels, then of odd ones), sums of the last tile at y's distances, a stop for each tile. */
static int64_t side_floats(const struct bk_bands *b) { return b->split ? whole_lines(b->part * b->problem.iw + TILE) : 0; }
static int64_t input_floats(const struct bk_bands *b) { return b->split ? 2 * side_floats(b) + TILE : planes_floats(b); }
static int64_t last_floats(const struct bk_bands *b) { return left_over(b) ? whole_lines(b->out * bands_row_distance(b) + TILE) : 0; }
static int64_t stop_floats(const struct bk_bands *b) { return b->most_tiles * (int64_t)(sizeof(struct bands_stop) / sizeof(float)); }

int64_t bands_row_floats(const struct bk_bands *b) { return input_floats(b) + last_floats(b) + stop_floats(b); }

/* Where copies of the part's even (0) or odd channels lie: half a vector further, odd ones are aligned. */
static float *side(const struct bk_bands *b, float *scratch, int odd)
{
    return scratch + (odd ? side_floats(b) + BAND_LANES / 2 : 0);
}

static int aligned(const float *pixels) { return (uintptr_t)pixels % (BAND_LANES * sizeof(float)) == 0; }

/* Pixels [from, to) of every second channel, with zeros behind them where the last tile reads on. */
static void AVX2 copy_side(const struct bk_bands *b, float *planes, const float *x, int64_t channels, int64_t from, int64_t to)
{
    int64_t pixels = b->problem.iw, last = to == pixels;
    for (int64_t c = 0; c < channels; c += 2, x += 2 * pixels, planes += 2 * pixels) {
        for (int64_t k = 0; k < last * TILE; k += BAND_LANES) _mm256_storeu_ps(planes + to + k, _mm256_setzero_ps());
        copy(planes + from, x + from, to - from);
    }
}

static void AVX2 pack_row(const struct bk_bands *b, const struct bands_strip *strip, const float *x, float *scratch, int64_t channels)
{
    int64_t pixels = b->problem.iw, from = strip->column * BAND_LANES, to = smaller(from + strip->columns * BAND_LANES, pixels);
    int64_t whole = to == pixels ? to - left_over(b) : to;
    for (int64_t c = 0; c < channels && !b->split; c++) copy(scratch + c * b->plane * BAND_LANES, x + c * pixels + from, to - from);
    for (int odd = 0; odd < 2 && b->split; odd++) {
        const float *first = x + odd * pixels;
        copy_side(b, side(b, scratch, odd) + odd * pixels, first, channels - odd, aligned(first) ? whole : from, to);
    }
}

/* x: of the part's first channel; y: of the group. */
static void find_stops(const struct bk_bands *b, const struct bands_strip *strip, const float *x, float *y, float *scratch,
                       struct bands_stop *stop)
{
    int64_t pixels = b->problem.iw;
    for (int64_t t = 0; t < strip->tiles; t++) {
        int64_t q = strip->column * BAND_LANES + t * TILE;
        int whole = q + TILE <= pixels;
        for (int odd = 0; odd < 2; odd++)
            if (b->split) stop[t].input[odd] = (whole && aligned(x + odd * pixels) ? x : side(b, scratch, odd)) + q;
            else stop[t].input[odd] = scratch + t * TILE;
        stop[t].output = whole ? y + q : scratch + input_floats(b);
    }
}

/* The last tile's outputs of the channels from `order` to `end`. */
static void AVX2 write_last(const struct bk_bands *b, const float *sums, float *y, const int32_t *order, const int32_t *end)
{
    int64_t pixels = b->problem.iw, n = left_over(b);
    for (; order < end; order++) copy(y + (*order + 1) * pixels - n, sums + *order * bands_row_distance(b), n);
}

double bands_run_row(const struct bk_bands *b, const struct bands_strip *strip, const float *x, float *y, float *scratch, int64_t group,
                     int64_t chunk, double (*clock)(void))
{
    float *last = scratch + input_floats(b);
    struct bands_stop *stop = (struct bands_stop *)(last + last_floats(b));
    int ends = left_over(b) && strip == b->strip + b->strips - 1;
    const int32_t *order = b->order + group * b->out;
    double packing = 0;
    for (int64_t part = 0; part < b->parts; part++) {
        int64_t from = b->in * part / b->parts, channels = b->in * (part + 1) / b->parts - from;
        double start = clock ? clock() : 0;
        pack_row(b, strip, x + from * b->problem.iw, scratch, channels);
        if (clock) packing += clock() - start;
        find_stops(b, strip, x + from * b->problem.iw, y, scratch, stop);
        const struct bands_piece *piece = b->code + (group * b->parts + part) * b->pieces;
        for (int64_t k = b->chunk_start[chunk]; k < b->chunk_start[chunk + 1]; k++) {
            piece[k].code(NULL, piece[k].values, NULL, stop, strip->tiles);
            if (!ends || part + 1 < b->parts) continue;
            write_last(b, last, y, order + bands_first(b, k * b->piece), order + bands_first(b, smaller((k + 1) * b->piece, b->blocks)));
        }
    }
    return packing;
}

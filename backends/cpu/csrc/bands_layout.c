/* Code for AVX2: from problem to bands, strips, parts and pieces. */
#include "bands_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of L1 for what all blocks of a part read, of code that tiles run over again, and of code that L2 has room for. */
enum { MOST_SOURCES = 1 << 20, PLANES_BYTES = 28 << 10, PIECE_BYTES = 7 << 10, NEAR_CODE = 640 << 10, CODE_BYTES = 24, MOST_PIECE = 8 };

/* Cycles: two multiply-adds; a vector of sums loaded and saved, in scratch and in y; a byte of code fetched from L2 and from L3; four
 * vectors of outputs written, and a line of them begun; a piece begun; a line of inputs that L1 had no room for read again by a piece.
 * Rounded from 136 timings of 12 layers on a Zen 4 server (4 % off on average). */
static const double MULTIPLIED = 0.98, SAVED[] = {0.65, 1.4}, NEAR = 1.0 / 32, FAR = 1.0 / 12, WRITTEN = 21, LINE = 1.2, BEGUN = 120;
static const double AGAIN = 0.65;

/* A vector packed, of adjacent pixels (all channels and every second), straight from the input and from padded planes; for the latter two,
 * where a strip is a whole band and where it is a few columns of it; a vector of padded planes. */
static const double ADJACENT[] = {2.1, 1.7}, DIRECT[] = {3.5, 5}, PADDED[] = {2, 2.8}, FLATTENED = 5.8;

/* Parts to try, as shares of PLANES_BYTES: larger ones read inputs from L2, but save fewer sums. */
static const double ROOM[] = {0.75, 1, 1.25, 1.5, 2, 2.5, 3.25, 4};

static int64_t phases(const struct bk_bands *b) { return b->row_axis.phases * b->column_axis.phases; }

/* Bands of equal length over all positions, or over whole rows where the columns between rows then need no computing. */
static void set_bands(struct bk_bands *b)
{
    const struct bk_problem *p = &b->problem;
    int64_t span = (p->oh - 1) * b->pitch + p->ow, rows = ceil_div(p->oh, BAND_LANES);
    b->band = ceil_div(span, BAND_LANES);
    if (!b->adjacent && rows * p->ow <= b->band) b->band = rows * b->pitch;
}

/* A band as rows of which a strip takes some columns, or (`run`) as one long row, where whole rows share the columns between them. */
static void set_rows(struct bk_bands *b, int run)
{
    const struct bk_problem *p = &b->problem;
    int64_t row_reach = (p->kh - 1) * p->dh / p->sh, column_reach = (p->kw - 1) * p->dw / p->sw;
    b->run = run;
    b->rows = run ? 1 : ceil_div(b->band, b->pitch);
    b->width = run ? b->band : b->band % b->pitch ? smaller(b->pitch, b->band) : p->ow;
    b->row_reach = run ? 0 : row_reach;
    b->column_reach = column_reach + (run ? row_reach * b->pitch : 0);
}

/* Columns [column, column + columns) of a band's row `row` that exist. */
static int64_t columns_of(const struct bk_bands *b, int64_t row, int64_t column, int64_t columns)
{
    return larger(0, smaller(smaller(columns, b->width - column), b->band - row * b->pitch - column));
}

static void set_columns(struct bk_bands *b, int64_t columns)
{
    b->columns = columns;
    b->strips = ceil_div(b->width, columns);
    b->plane_width = ceil_div(columns, BAND_VECTORS) * BAND_VECTORS + b->column_reach;
    b->plane = (b->rows + b->row_reach) * b->plane_width * phases(b);
    b->row_step = b->run ? b->pitch : b->plane_width;
    b->tiles = b->quads = b->most_tiles = 0;
    for (int64_t s = 0; s < b->strips; s++) {
        int64_t tiles = 0;
        for (int64_t i = 0; i < b->rows; i++) {
            int64_t n = columns_of(b, i, s * columns, columns);
            tiles += ceil_div(n, BAND_VECTORS);
            b->quads += ceil_div(n, BAND_QUAD);
        }
        b->tiles += tiles;
        b->most_tiles = larger(b->most_tiles, tiles);
    }
}

static void set_part(struct bk_bands *b, int64_t part)
{
    b->parts = ceil_div(b->in, larger(1, smaller(part, b->in)));
    b->part = ceil_div(b->in, b->parts);
    int64_t bytes = b->nonzeros / b->problem.g / b->blocks / b->parts * CODE_BYTES + 1;
    b->piece = smaller(smaller(larger(1, PIECE_BYTES / bytes), MOST_PIECE), b->blocks);
    b->pieces = ceil_div(b->blocks, b->piece);
}

static double packing_cycles(const struct bk_bands *b)
{
    double packed = (double)(b->strips * b->in * b->plane);
    if (b->adjacent) return packed * ADJACENT[b->split];
    if (b->direct) return packed * DIRECT[!b->run];
    return (double)(b->in * phases(b) * b->flat) / BAND_LANES * FLATTENED + packed * PADDED[!b->run];
}

/* Inputs of a part that outgrow L1 are read from L2 by each piece. */
static double reading_again(const struct bk_bands *b)
{
    double bytes = (double)(b->part * b->plane * BAND_LANES) * sizeof(float), missing = bytes > PLANES_BYTES ? 1 - PLANES_BYTES / bytes : 0;
    return (double)(b->strips * b->parts * b->pieces) * bytes / 64 * missing * AGAIN;
}

/* Cycles of one image on one thread. */
static double estimate(const struct bk_bands *b)
{
    double nonzeros = (double)(b->nonzeros / b->problem.g), vectors = (double)(b->tiles * BAND_VECTORS), strips = (double)b->strips;
    double outputs = (double)b->out, lines = strips * (double)(b->rows * BAND_LANES) * (1 + (double)b->columns / 16) * outputs;
    double code = strips * nonzeros * CODE_BYTES * (b->nonzeros * CODE_BYTES > NEAR_CODE ? FAR : NEAR);
    double saved = vectors * outputs * (double)b->parts * SAVED[b->adjacent];
    double written = b->adjacent ? 0 : (double)b->quads * outputs * WRITTEN + lines * LINE;
    double begun = strips * (double)(b->parts * b->pieces) * BEGUN + reading_again(b);
    return (double)b->problem.g * (nonzeros * vectors / 2 * MULTIPLIED + code + saved + written + packing_cycles(b) + begun);
}

static double try_columns(struct bk_bands *b, int64_t columns, int64_t part, double room)
{
    int run = columns >= b->pitch || b->adjacent;
    if (b->adjacent) columns = ceil_div(columns, BAND_VECTORS) * BAND_VECTORS; /* y holds each tile's sums once */
    set_rows(b, run);
    set_columns(b, run && !b->adjacent ? b->width : smaller(columns, b->width));
    set_part(b, part > 0 ? part : (int64_t)(PLANES_BYTES * room) / (b->plane * BAND_LANES * (int64_t)sizeof(float)));
    return b->cycles = estimate(b);
}

/* Few columns leave room for many input channels, many use code and packed rows longer: take the cheapest. */
static void choose_strips(struct bk_bands *b, struct bk_bands_wish wish)
{
    int64_t best = 0, most = b->adjacent ? b->band : b->pitch;
    double fewest = -1, room = 1;
    int64_t columns = wish.columns > 0 ? wish.columns : BAND_VECTORS;
    do {
        for (size_t k = 0; k < sizeof ROOM / sizeof *ROOM; k++) {
            double cycles = try_columns(b, columns, wish.part, ROOM[k]);
            if (fewest >= 0 && cycles >= fewest) continue;
            fewest = cycles;
            best = columns;
            room = ROOM[k];
        }
        columns += BAND_VECTORS;
    } while (wish.columns <= 0 && columns < most + BAND_VECTORS);
    try_columns(b, best, wish.part, room);
}

/* As few chunks as keep all threads busy, since every chunk packs its input again. */
static int make_chunks(struct bk_bands *b)
{
    int64_t units = b->problem.mb * b->problem.g * b->strips;
    b->chunks = 1;
    while (b->chunks < b->pieces && units * b->chunks % b->threads && units * b->chunks < 4 * b->threads) b->chunks++;
    b->chunk_start = malloc((size_t)(b->chunks + 1) * sizeof *b->chunk_start);
    for (int64_t c = 0; b->chunk_start && c <= b->chunks; c++) b->chunk_start[c] = b->pieces * c / b->chunks;
    return b->chunk_start ? 0 : -1;
}

static int by_vector(const void *a, const void *b)
{
    const struct bands_tap *s = a, *t = b;
    return (s->vector > t->vector) - (s->vector < t->vector);
}

static int make_taps(struct bk_bands *b)
{
    const struct bk_problem *p = &b->problem;
    int64_t plane = (b->rows + b->row_reach) * b->plane_width;
    b->tap = malloc((size_t)b->taps * sizeof *b->tap);
    if (!b->tap) return -1;
    for (int64_t r = 0, k = 0; r < p->kh; r++)
        for (int64_t s = 0; s < p->kw; s++, k++) {
            int64_t phase = b->row_axis.which[r] * b->column_axis.phases + b->column_axis.which[s];
            int64_t vector = phase * plane + r * p->dh / p->sh * b->row_step + s * p->dw / p->sw;
            b->tap[k] = (struct bands_tap){(int32_t)k, (int32_t)vector};
        }
    qsort(b->tap, (size_t)b->taps, sizeof *b->tap, by_vector);
    return 0;
}

/* Where lane `lane` of `columns` columns from (row, column) of the bands on goes in y's channel. */
static struct bands_place find_place(const struct bk_bands *b, int64_t lane, int64_t row, int64_t column, int64_t columns)
{
    const struct bk_problem *p = &b->problem;
    struct bands_place place = {.count = 0};
    for (int64_t k = 0; k < columns; k++) {
        int64_t q = lane * b->band + row * b->pitch + column + k, i = q / b->pitch, j = q % b->pitch;
        if (i >= p->oh || j >= p->ow) continue;
        if (place.count == 0) place.position = (int32_t)(i * p->ow + j);
        place.pick[place.count++] = (int32_t)k;
    }
    return place;
}

/* The last quad of a row is exact; one before it may write what the next will write over. */
static void loosen(struct bands_quad *quad, const struct bands_quad *next)
{
    quad->kind = QUAD_WHOLE;
    for (int64_t l = 0; l < BAND_LANES; l++) {
        struct bands_place *place = quad->place + l;
        place->loose = place->count == BAND_QUAD || (next && place->count > 0 && place->count + next->place[l].count >= BAND_QUAD);
        quad->kind = (int32_t)smaller(quad->kind, !place->loose ? QUAD_EXACT : place->count < BAND_QUAD ? QUAD_LOOSE : QUAD_WHOLE);
    }
}

static void add_row(struct bk_bands *b, struct bands_strip *strip, int64_t row)
{
    int64_t columns = columns_of(b, row, strip->column, strip->columns), quads = ceil_div(columns, BAND_QUAD);
    struct bands_quad *quad = b->place + strip->quad + strip->quads;
    for (int64_t k = 0; k < quads && !b->adjacent; k++) {
        int64_t n = smaller(BAND_QUAD, columns - k * BAND_QUAD);
        quad[k].tile = (int32_t)(strip->tiles + k * BAND_QUAD / BAND_VECTORS);
        quad[k].columns = (int32_t)n;
        for (int64_t l = 0; l < BAND_LANES; l++) quad[k].place[l] = find_place(b, l, row, strip->column + k * BAND_QUAD, n);
    }
    for (int64_t k = 0; k < quads && !b->adjacent; k++) loosen(quad + k, k + 1 < quads ? quad + k + 1 : NULL);
    strip->quads += quads;
    for (int64_t c = 0; c < columns; c += BAND_VECTORS)
        b->offset[strip->tile + strip->tiles++] = (int32_t)((row * b->plane_width + c) * BAND_LANES * (int64_t)sizeof(float));
}

/* Position q of the padded rows side by side in the channel, -1 in the padding. Only for stride 1. */
static int64_t find_input(const struct bk_bands *b, int64_t q)
{
    const struct bk_problem *p = &b->problem;
    int64_t y = q / b->pitch - p->ph, x = q % b->pitch - p->pw;
    return y < 0 || y >= p->ih || x < 0 || x >= p->iw ? -1 : y * p->iw + x;
}

/* Four columns of one lane from position q on: as padding lies only between rows, its input is consecutive. */
static void add_lane(const struct bk_bands *b, struct bands_source *source, int64_t lane, int64_t q)
{
    uint8_t *pick = source->pick[lane % 4] + lane / 4 * BAND_QUAD * sizeof(float);
    int64_t from = -1;
    for (int64_t k = 0; k < BAND_QUAD; k++) {
        int64_t input = find_input(b, q + k);
        if (input >= 0 && from < 0) from = smaller(input, b->problem.ih * b->problem.iw - BAND_QUAD);
        source->whole &= input == from + k && input >= 0;
        for (int64_t byte = 0; byte < 4; byte++) *pick++ = (uint8_t)(input < 0 ? 0x80 : (input - from) * 4 + byte);
    }
    source->from[lane] = (int32_t)larger(from, 0);
}

/* Input of stride 1 whose rows are used as a whole need not be copied before it is packed. */
static int packs_directly(const struct bk_bands *b)
{
    const struct bk_problem *p = &b->problem;
    return !b->adjacent && p->sh == 1 && p->sw == 1 && p->iw + p->pw <= b->pitch && p->ih * p->iw >= BAND_QUAD;
}

static int make_sources(struct bk_bands *b)
{
    int64_t quads = ceil_div(b->plane_width, BAND_QUAD);
    b->sources = (b->rows + b->row_reach) * quads;
    b->direct &= b->strips * b->sources * (int64_t)sizeof *b->source <= MOST_SOURCES;
    if (!b->direct) return 0;
    b->source = malloc((size_t)(b->strips * b->sources) * sizeof *b->source);
    for (int64_t k = 0; b->source && k < b->strips * b->sources; k++) {
        int64_t row = k % b->sources / quads, column = k / b->sources * b->columns + k % quads * BAND_QUAD;
        b->source[k].whole = 1;
        for (int64_t l = 0; l < BAND_LANES; l++) add_lane(b, b->source + k, l, l * b->band + row * b->pitch + column);
    }
    return b->source ? 0 : -1;
}

static int make_strips(struct bk_bands *b)
{
    b->strip = calloc((size_t)b->strips, sizeof *b->strip);
    b->offset = malloc((size_t)b->tiles * sizeof *b->offset);
    b->place = malloc((size_t)b->quads * sizeof *b->place);
    if (!b->strip || !b->offset || !b->place) return -1;
    for (int64_t s = 0, tile = 0, quad = 0; s < b->strips; s++) {
        struct bands_strip *strip = b->strip + s;
        strip->column = s * b->columns;
        strip->columns = smaller(b->columns, b->width - strip->column);
        strip->tile = tile;
        strip->quad = quad;
        for (int64_t row = 0; row < b->rows; row++) add_row(b, strip, row);
        tile += strip->tiles;
        quad += strip->quads;
    }
    return 0;
}

int bands_layout(struct bk_bands *b, struct bk_bands_wish wish, char *message)
{
    struct bk_problem *p = &b->problem;
    b->in = p->ic / p->g;
    b->out = p->oc / p->g;
    b->taps = p->kh * p->kw;
    b->blocks = ceil_div(b->out, BAND_CHANNELS);
    b->adjacent = as_one_row(p);
    if (make_axis(&b->row_axis, p->kh, p->dh, p->sh) || make_axis(&b->column_axis, p->kw, p->dw, p->sw)) FAIL("no memory for the plan");
    b->pitch = find_pitch(p, &b->column_axis);
    int64_t most = INT32_MAX / 64, reach = (p->kh - 1) * p->dh / p->sh * b->pitch + (p->kw - 1) * p->dw / p->sw;
    if (b->pitch * p->oh > most || reach > most || p->oh * p->ow > most) FAIL("an image is too large for generated code");
    set_bands(b);
    b->flat = BAND_LANES * b->band + reach + 2 * b->pitch + BAND_VECTORS + BAND_QUAD;
    b->direct = packs_directly(b);
    b->split = b->adjacent && p->iw % BAND_LANES == BAND_LANES / 2;
    choose_strips(b, wish);
    int64_t bytes = BAND_LANES * (int64_t)sizeof(float);
    if (b->adjacent && b->out * bands_row_distance(b) > INT32_MAX / 8) FAIL("an image's outputs are too large for generated code");
    if (b->plane > most || b->part * b->plane > INT32_MAX / 2 / bytes || b->piece * b->most_tiles > INT32_MAX / 2 / bytes / BAND_SUMS)
        FAIL("the planes of %lld channels are too large for generated code", (long long)b->part);
    if (make_chunks(b) || make_taps(b) || make_sources(b) || make_strips(b)) FAIL("no memory for the plan");
    return 0;
}

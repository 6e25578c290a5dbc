/* Code for AVX2: the instructions of each piece of blocks. */
#include "bands_internal.h"
#include "emit_vex.h"

#include <stdio.h>
#include <stdlib.h>

/* Registers: four values, one value in all lanes, input vectors (even and odd ones), sums. */
enum { FOUR = 0, SPREAD = 1, FIRST_INPUT = 2, FIRST_SUM = 4 };
enum { NOWHERE = -1, LINE = 64, VECTOR_BYTES = BAND_LANES * 4, FRAME_BYTES = 128, CODE_A_NONZERO = 24, HUGE_CODE = 1 << 20 };

/* The non-zeros of one tap of one input channel in a block. */
struct used_tap {
    int32_t vector, count;
    uint8_t channel[BAND_CHANNELS];
    float value[BAND_CHANNELS];
};

struct writer {
    const struct bk_bands *bands;
    struct emitter e;
    float *value;             /* of this piece ... */
    int64_t values;           /* ... so far */
    int64_t four;             /* number of the four values that a register holds */
    int32_t input[2];         /* vector number in the two input registers */
    struct used_tap *used;
    int64_t used_taps;
};

/* The non-zeros of input channel c by tap, in order of vector. `order`: the block's output channels, of the group with `weight`. */
static void collect(struct writer *w, const float *weight, const int32_t *order, int64_t channels, int64_t c)
{
    const struct bk_bands *b = w->bands;
    w->used_taps = 0;
    for (int64_t t = 0; t < b->taps; t++) {
        struct used_tap *used = w->used + w->used_taps;
        used->vector = b->tap[t].vector;
        used->count = 0;
        for (int64_t o = 0; o < channels; o++) {
            float value = weight[(order[o] * b->in + c) * b->taps + b->tap[t].index];
            if (value == 0) continue;
            used->channel[used->count] = (uint8_t)o;
            used->value[used->count++] = value;
        }
        w->used_taps += used->count > 0;
    }
}

/* Load the input vectors of a tap that serve more than one multiply-add, here or for the next tap, unless registers hold them. */
static void load_inputs(struct writer *w, const struct used_tap *tap, int32_t next, int pointer, int32_t base)
{
    for (int32_t v = 0; v < BAND_VECTORS; v++) {
        int32_t vector = tap->vector + v;
        if (w->input[vector & 1] == vector || (tap->count == 1 && (next == NOWHERE || next > vector))) continue;
        vex_load(&w->e, FIRST_INPUT + (vector & 1), pointer, base + vector * VECTOR_BYTES);
        w->input[vector & 1] = vector;
    }
}

static void spread_next_value(struct writer *w, float value)
{
    if (w->four != w->values / 4) vex_load_four(&w->e, FOUR, REG_RSI, (int32_t)(w->values & ~(int64_t)3) * 4);
    w->four = w->values / 4;
    vex_spread(&w->e, SPREAD, FOUR, (int)(w->values % 4));
    w->value[w->values++] = value;
}

/* All multiply-adds of one input channel, whose planes lie `base` bytes from the pointer. */
static void write_channel(struct writer *w, int pointer, int32_t base)
{
    w->input[0] = w->input[1] = NOWHERE;
    for (int64_t t = 0; t < w->used_taps; t++) {
        const struct used_tap *tap = w->used + t;
        load_inputs(w, tap, t + 1 < w->used_taps ? tap[1].vector : NOWHERE, pointer, base);
        for (int32_t k = 0; k < tap->count; k++) {
            spread_next_value(w, tap->value[k]);
            for (int32_t v = 0; v < BAND_VECTORS; v++) {
                int32_t vector = tap->vector + v;
                int sum = FIRST_SUM + tap->channel[k] * BAND_VECTORS + v;
                if (w->input[vector & 1] == vector) vex_fma(&w->e, sum, SPREAD, FIRST_INPUT + (vector & 1));
                else vex_fma_memory(&w->e, sum, SPREAD, pointer, base + vector * VECTOR_BYTES);
            }
        }
    }
}

/* The first part begins with the bias. */
static void begin_sums(struct writer *w, const int32_t *order, int64_t channels, const float *bias)
{
    for (int r = 0; r < channels; r++) {
        int sum = FIRST_SUM + r * BAND_VECTORS;
        if (bias) {
            vex_broadcast(&w->e, sum, REG_RSI, (int32_t)w->values * 4);
            w->value[w->values++] = bias[order[r]];
        } else vex_zero(&w->e, sum);
        for (int v = 1; v < BAND_VECTORS; v++) vex_move(&w->e, sum + v, sum);
    }
}

/* The last part ends with ReLU. */
static void floor_sums(struct writer *w, int64_t channels)
{
    vex_zero(&w->e, FOUR);
    w->four = NOWHERE;
    for (int i = 0; i < channels * BAND_VECTORS; i++) vex_at_least(&w->e, FIRST_SUM + i, FOUR);
}

/* Load (or store) the sums of a block, number `number` of its piece. */
static void move_sums(struct writer *w, const int32_t *order, int64_t channels, int64_t number, int save)
{
    const struct bk_bands *b = w->bands;
    int64_t scratch = number * b->most_tiles * BAND_SUMS * VECTOR_BYTES;
    for (int r = 0; r < channels; r++)
        for (int v = 0; v < BAND_VECTORS; v++) {
            int64_t place = b->adjacent ? order[r] * bands_row_distance(b) * 4 : scratch + r * BAND_VECTORS * VECTOR_BYTES;
            (save ? vex_store : vex_load)(&w->e, FIRST_SUM + r * BAND_VECTORS + v, REG_RDX, (int32_t)place + v * VECTOR_BYTES);
        }
}

/* One block over one part; `number`: of the block in its piece; `weight`, `bias`, `order`: of the group. */
static void write_block(struct writer *w, int64_t block, int64_t number, int64_t part, const float *weight, const float *bias,
                        const int32_t *order)
{
    const struct bk_bands *b = w->bands;
    int64_t channels = bands_first(b, block + 1) - bands_first(b, block);
    int64_t start = b->in * part / b->parts, end = b->in * (part + 1) / b->parts;
    order += bands_first(b, block);
    if (part == 0) begin_sums(w, order, channels, bias);
    else move_sums(w, order, channels, number, 0);
    for (int64_t c = start; c < end; c++) {
        collect(w, weight, order, channels, c);
        write_channel(w, b->split && (c - start) % 2 ? REG_RDI : REG_RAX, (int32_t)((c - start) * bands_distance(b)));
    }
    if (b->relu && part == b->parts - 1) floor_sums(w, channels);
    move_sums(w, order, channels, number, 1);
}

static void align(struct writer *w) { w->e.at += -(uintptr_t)w->e.at & (LINE - 1); }

/* Blocks [from, to) of a group: code that walks the tiles of a strip, then its values. */
static void write_piece(struct writer *w, struct bands_piece *piece, int64_t from, int64_t to, int64_t part, const float *weight,
                        int64_t group)
{
    const struct bk_bands *b = w->bands;
    int64_t first = group * b->out;
    align(w);
    piece->code = (bands_code)(uintptr_t)w->e.at;
    vex_begin(&w->e);
    const uint8_t *loop = w->e.at;
    if (b->adjacent) vex_find_stop(&w->e);
    else vex_find_planes(&w->e);
    w->values = 0;
    w->four = NOWHERE;
    for (int64_t block = from; block < to; block++)
        write_block(w, block, block - from, part, weight + first * b->in * b->taps, b->bias ? b->bias + first : NULL, b->order + first);
    if (b->adjacent) vex_next_stop(&w->e);
    else vex_next_planes(&w->e, BAND_SUMS * VECTOR_BYTES);
    vex_leave(&w->e, loop);
    align(w);
    piece->values = (const float *)w->e.at;
    while (w->values % 4) w->value[w->values++] = 0;
    emit_bytes(&w->e, w->value, (size_t)w->values * sizeof *w->value);
}

static void write_pieces(struct writer *w, const float *weight)
{
    const struct bk_bands *b = w->bands;
    struct bands_piece *piece = b->code;
    for (int64_t g = 0; g < b->problem.g; g++)
        for (int64_t part = 0; part < b->parts; part++)
            for (int64_t k = 0; k < b->pieces; k++, piece++)
                write_piece(w, piece, k * b->piece, smaller((k + 1) * b->piece, b->blocks), part, weight, g);
}

/* The most that all pieces can take: each non-zero with its value, each channel's sums of each part and its bias, and the frames. */
static int64_t most_bytes(const struct bk_bands *b)
{
    int64_t pieces = b->problem.g * b->parts * b->pieces;
    int64_t tile = BAND_VECTORS * VEX_LONGEST;
    return b->nonzeros * (2 * VEX_LONGEST + 2 * tile + 4) + b->problem.oc * ((b->parts + 1) * 2 * tile + 4) + pieces * (FRAME_BYTES + 2 * LINE);
}

int bands_generate(struct bk_bands *b, const float *weight, char *message)
{
    int64_t most = most_bytes(b);
    if (most > (int64_t)1 << 32) FAIL("%lld non-zeros are too many for generated code", (long long)b->nonzeros);
    b->code = calloc((size_t)(b->problem.g * b->parts * b->pieces), sizeof *b->code);
    struct used_tap *used = malloc((size_t)(b->taps + 1) * sizeof *used);
    float *value = malloc((size_t)(b->nonzeros + b->problem.oc + 4) * sizeof *value);
    int status = -1;
    if (!b->code || !used || !value) {
        snprintf(message, BK_MESSAGE, "no memory for the plan");
    } else if (!jit_reserve(&b->pages, most, b->nonzeros * CODE_A_NONZERO >= HUGE_CODE, message)) {
        struct writer w = {.bands = b, .e = {b->pages.memory}, .value = value, .used = used};
        write_pieces(&w, weight);
        status = jit_seal(&b->pages, w.e.at, message);
    }
    free(used);
    free(value);
    return status;
}

/* Generated code: the instructions of each block of output channels. */
#include "jit_emit.h"
#include "jit_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOWHERE = INT32_MIN };
/* Registers: 0 to 27 sums, 28 and 29 aligned input vectors (even and odd ones), 30 and 31 shifted ones. */
enum { FIRST_ALIGNED = 28, FIRST_SHIFTED = 30, FLOOR = 28, FIRST_SQUEEZED = 29 };
/* A small displacement reaches this many bytes either way: floats for values, vectors for inputs. */
enum { VALUE_REACH = 512, INPUT_REACH = 8192 };
/* Code and values that leave no room in L2 are fetched ahead, unless a strip has so many tiles that it hardly matters. */
enum { LINE = 64, BYTES_AN_FMA = 15, AHEAD_CODE = 384 << 10, AHEAD_TILES = 24, FAR_OUTPUTS = 4 << 20, HUGE_CODE = 1 << 20 };

/* The non-zeros of one tap of one input channel in a block. */
struct used_tap {
    int32_t offset, count;
    uint8_t channel[JIT_SUMS];
    float value[JIT_SUMS];
};

struct writer {
    const struct bk_jit *jit;
    struct emitter e;
    const uint8_t *end;
    int64_t vectors, channels;
    int32_t input_base, value_base; /* bytes that rdi and rsi have moved on */
    float *value;                   /* of this part ... */
    int64_t values;                 /* ... so far */
    int32_t aligned[2];             /* vector number in registers 28 and 29 */
    int shifted;
    int64_t fma_a_line, fmas, lines; /* one line fetched ahead every so many FMAs, 0 for none */
    struct used_tap *used;
    int64_t used_taps;
};

/* The channel's non-zeros by tap, in order of offset. `weight`: the block's first filter at this input channel. */
static int64_t collect(struct writer *w, const float *weight, int64_t filter)
{
    int64_t nonzeros = 0;
    w->used_taps = 0;
    for (int64_t t = 0; t < w->jit->taps; t++) {
        struct used_tap *used = w->used + w->used_taps;
        used->offset = w->jit->tap[t].offset;
        used->count = 0;
        for (int64_t o = 0; o < w->channels; o++) {
            float value = weight[o * filter + w->jit->tap[t].index];
            if (value == 0) continue;
            used->channel[used->count] = (uint8_t)o;
            used->value[used->count++] = value;
        }
        nonzeros += used->count;
        w->used_taps += used->count > 0;
    }
    return nonzeros;
}

static void load_aligned(struct writer *w, int32_t vector, int32_t displacement)
{
    if (w->aligned[vector & 1] == vector) return;
    emit_load(&w->e, FIRST_ALIGNED + (vector & 1), REG_RDI, displacement + vector * 64);
    w->aligned[vector & 1] = vector;
}

/* The register that holds lanes [offset, offset + 16) from `displacement` on; `next`: the offset after it. */
static int input_vector(struct writer *w, int32_t offset, int32_t next, int32_t displacement)
{
    int32_t vector = offset / JIT_LANES, shift = offset % JIT_LANES, following = next == NOWHERE ? NOWHERE : next / JIT_LANES;
    if (shift == 0) {
        load_aligned(w, vector, displacement);
        return FIRST_ALIGNED + (vector & 1);
    }
    int to = FIRST_SHIFTED + (w->shifted ^= 1);
    int have = w->aligned[vector & 1] == vector || w->aligned[(vector + 1) & 1] == vector + 1;
    if (!have && following != vector && following != vector + 1) { /* nothing to share: one load that crosses lines */
        emit_load(&w->e, to, REG_RDI, displacement + offset * 4);
        return to;
    }
    load_aligned(w, vector, displacement);
    load_aligned(w, vector + 1, displacement);
    emit_align(&w->e, to, FIRST_ALIGNED + ((vector + 1) & 1), FIRST_ALIGNED + (vector & 1), shift);
    return to;
}

static int32_t value_displacement(struct writer *w, int64_t number)
{
    int32_t displacement = (int32_t)(number * 4 - w->value_base);
    if (w->vectors > 1 || displacement < VALUE_REACH) return displacement;
    emit_add(&w->e, REG_RSI, 2 * VALUE_REACH);
    w->value_base += 2 * VALUE_REACH;
    return displacement - 2 * VALUE_REACH;
}

/* Before a channel's instructions: move the pointers on when its inputs or values are out of reach. */
static void advance(struct writer *w, int32_t input, int64_t nonzeros)
{
    int32_t last = w->used[w->used_taps - 1].offset * 4 + (int32_t)w->vectors * 64;
    if (input + last - w->input_base >= INPUT_REACH) {
        emit_add(&w->e, REG_RDI, input + INPUT_REACH - w->input_base);
        w->input_base = input + INPUT_REACH;
    }
    int32_t value = (int32_t)(w->values * 4);
    if (w->vectors > 1 && value + nonzeros * 4 - w->value_base > VALUE_REACH) {
        emit_add(&w->e, REG_RSI, value + VALUE_REACH - w->value_base);
        w->value_base = value + VALUE_REACH;
    }
}

static void fetch_ahead(struct writer *w)
{
    if (!w->fma_a_line || ++w->fmas % w->fma_a_line) return;
    emit_prefetch(&w->e, (int32_t)(w->lines++ * LINE));
}

static void write_channel(struct writer *w, int32_t input, int64_t nonzeros)
{
    advance(w, input, nonzeros);
    for (int64_t v = 0; v < w->vectors; v++) {
        int64_t number = w->values;
        w->aligned[0] = w->aligned[1] = NOWHERE;
        for (int64_t t = 0; t < w->used_taps; t++) {
            const struct used_tap *used = w->used + t;
            int32_t next = t + 1 < w->used_taps ? used[1].offset : NOWHERE;
            int x = input_vector(w, used->offset, next, input - w->input_base + (int32_t)v * 64);
            for (int32_t k = 0; k < used->count; k++, number++) {
                int32_t displacement = value_displacement(w, number);
                emit_fma_broadcast(&w->e, (int)(used->channel[k] * w->vectors + v), x, REG_RSI, displacement);
                w->value[number] = used->value[k];
                fetch_ahead(w);
            }
        }
    }
    w->values += nonzeros;
}

static int64_t output_channel(const struct writer *w) { return w->jit->problem.oh * w->jit->problem.ow * (int64_t)sizeof(float); }

/* Outputs that miss the caches stall the stores of a tile: ask for the next tile's lines while this one is summed. */
static void fetch_outputs(struct writer *w)
{
    if (w->vectors > 1 || output_channel(w) * w->jit->problem.oc < FAR_OUTPUTS) return;
    emit_mark(&w->e, 0);
    for (int64_t o = 0; o < w->channels; o++) emit_prefetch_write(&w->e, (int32_t)(o * output_channel(w)) + LINE);
}

/* A value that is no weight: a bias or the floor. */
static int32_t append(struct writer *w, float value)
{
    int32_t displacement = value_displacement(w, w->values);
    w->value[w->values++] = value;
    return displacement;
}

/* The sums start as biases, or as what the part before left. */
static void write_start(struct writer *w, const struct jit_block *block, const float *bias, int first)
{
    int64_t vectors = w->vectors;
    emit_enter(&w->e);
    emit_add(&w->e, REG_RSI, VALUE_REACH);
    w->value_base = VALUE_REACH;
    w->input_base = 0;
    w->values = w->fmas = w->lines = 0;
    for (int64_t i = 0; !first && i < block->channels * vectors; i++) emit_load(&w->e, (int)i, REG_RCX, (int32_t)i * 64);
    for (int64_t o = 0; first && o < block->channels; o++) {
        emit_broadcast(&w->e, (int)(o * vectors), REG_RSI, append(w, bias ? bias[o] : 0.0f));
        for (int64_t v = 1; v < vectors; v++) emit_copy(&w->e, (int)(o * vectors + v), (int)(o * vectors));
    }
}

static void write_sums(struct writer *w)
{
    for (int64_t i = 0; i < w->channels * w->vectors; i++) emit_save(&w->e, (int)i, REG_RCX, (int32_t)i * 64);
}

static void write_outputs(struct writer *w, int relu)
{
    emit_broadcast(&w->e, FLOOR, REG_RSI, append(w, relu ? 0.0f : -INFINITY));
    for (int64_t v = 0; v < w->vectors; v++) {
        emit_mark(&w->e, (int)(v * (int64_t)sizeof(struct jit_mark)));
        for (int64_t o = 0; o < w->channels; o++) {
            int sum = (int)(o * w->vectors + v), squeezed = FIRST_SQUEEZED + (int)(o % 3);
            emit_max(&w->e, sum, FLOOR);
            emit_compress(&w->e, squeezed, sum);
            emit_store(&w->e, squeezed, (int32_t)(o * output_channel(w)));
        }
    }
}

/* Most bytes that the code of one channel, or the start and end of a block, can take. */
static int64_t channel_bytes(const struct bk_jit *jit, int64_t used_taps, int64_t nonzeros)
{
    return jit->vectors * (used_taps * (3 * EMIT_LONGEST) + nonzeros * 3 * EMIT_LONGEST) + 2 * EMIT_LONGEST;
}
enum { FRAME_BYTES = 64 + JIT_SUMS * 6 * EMIT_LONGEST + JIT_MOST_VECTORS * 3 * EMIT_LONGEST };

/* Values lie behind their part's code, so that both are fetched ahead by the same pointer. */
static int place_values(struct writer *w, struct jit_part *part)
{
    w->e.at += -(uintptr_t)w->e.at & (LINE - 1);
    if (w->end - w->e.at < w->values * (int64_t)sizeof *w->value) return -1;
    part->values = (const float *)w->e.at;
    part->ahead = w->lines * LINE;
    emit_bytes(&w->e, w->value, (size_t)w->values * sizeof *w->value);
    return 0;
}

/* Part k of a block; `weight` and `bias` are those of its first output channel. */
static int write_part(struct writer *w, struct jit_block *block, int64_t k, const float *weight, const float *bias, int relu)
{
    const struct bk_jit *jit = w->jit;
    struct jit_part *part = jit->part + (block - jit->block) * jit->parts + k;
    int64_t filter = jit->in * jit->taps, end = jit->in * (k + 1) / jit->parts;
    w->e.at += -(uintptr_t)w->e.at & (LINE - 1);
    if (w->end - w->e.at < 2 * FRAME_BYTES) return -1;
    part->code = (jit_code)(uintptr_t)w->e.at;
    write_start(w, block, bias, k == 0);
    if (k == jit->parts - 1) fetch_outputs(w);
    for (int64_t c = jit->in * k / jit->parts; c < end; c++) {
        int64_t nonzeros = collect(w, weight + c * jit->taps, filter);
        if (w->end - w->e.at < channel_bytes(jit, w->used_taps, nonzeros) + FRAME_BYTES) return -1;
        if (nonzeros) write_channel(w, (int32_t)(c * jit->phases * jit->plane * 4), nonzeros);
    }
    if (k == jit->parts - 1) write_outputs(w, relu);
    else write_sums(w);
    emit_return(&w->e);
    return place_values(w, part);
}

/* Each group's output channels in blocks of equal size. */
static int write_blocks(struct bk_jit *jit, struct writer *w, const float *weight, const float *bias, int relu)
{
    for (int64_t i = 0; i < jit->problem.g * jit->blocks; i++) {
        struct jit_block *block = jit->block + i;
        w->channels = block->channels;
        int64_t oc = i / jit->blocks * jit->out + block->first;
        for (int64_t k = 0; k < jit->parts; k++)
            if (write_part(w, block, k, weight + oc * jit->in * jit->taps, bias ? bias + oc : NULL, relu)) return -1;
    }
    return 0;
}

int jit_generate(struct bk_jit *jit, const float *weight, const float *bias, int relu, char *message)
{
    int64_t blocks = jit->problem.g * jit->blocks, parts = blocks * jit->parts;
    int64_t most = channel_bytes(jit, blocks * jit->in * jit->taps, jit->nonzeros) + (jit->nonzeros + parts * (JIT_SUMS + 1)) * 4;
    most += blocks * 2 * EMIT_LONGEST * jit->in + parts * (2 * FRAME_BYTES + 2 * LINE);
    if (most > (int64_t)1 << 32) FAIL("%lld non-zeros are too many for generated code", (long long)jit->nonzeros);
    jit->part = calloc((size_t)parts, sizeof *jit->part);
    struct used_tap *used = malloc((size_t)(jit->taps + 1) * sizeof *used);
    float *value = malloc((size_t)(jit->nonzeros + JIT_SUMS + 1) * sizeof *value);
    int status = -1;
    if (!jit->part || !used || !value) {
        snprintf(message, BK_MESSAGE, "no memory for the plan");
    } else if (!jit_reserve(&jit->pages, most, jit->nonzeros * jit->vectors * EMIT_LONGEST >= HUGE_CODE, message)) {
        const uint8_t *end = jit->pages.memory + jit->pages.bytes;
        struct writer w = {.jit = jit, .e = {jit->pages.memory}, .end = end, .vectors = jit->vectors, .used = used, .value = value};
        if (jit->nonzeros * jit->vectors * BYTES_AN_FMA > AHEAD_CODE && jit->strip_tiles <= AHEAD_TILES)
            w.fma_a_line = jit->strip_tiles * LINE / BYTES_AN_FMA;
        if (!write_blocks(jit, &w, weight, bias, relu)) status = jit_seal(&jit->pages, w.e.at, message);
        else snprintf(message, BK_MESSAGE, "generated code outgrew its %lld MiB", (long long)(most >> 20));
    }
    free(used);
    free(value);
    return status;
}

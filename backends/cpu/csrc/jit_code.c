/* Generated code: the instructions of each block of output channels. */
#define _GNU_SOURCE
#include "jit_emit.h"
#include "jit_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FAIL(...)                                   \
    do {                                            \
        snprintf(message, BK_MESSAGE, __VA_ARGS__); \
        return -1;                                  \
    } while (0)

enum { HUGE_PAGE = 2 << 20, PAGE = 4096, NOWHERE = INT32_MIN };
/* Registers: 0 to 27 sums, 28 and 29 aligned input vectors (even and odd ones), 30 and 31 shifted ones. */
enum { FIRST_ALIGNED = 28, FIRST_SHIFTED = 30, FLOOR = 28, FIRST_SQUEEZED = 29 };
/* A small displacement reaches this many bytes either way: floats for values, vectors for inputs. */
enum { VALUE_REACH = 512, INPUT_REACH = 8192 };
/* Code and values that leave no room in L2 are fetched ahead, unless a strip has so many tiles that it hardly matters. */
enum { LINE = 64, BYTES_AN_FMA = 15, AHEAD_CODE = 384 << 10, AHEAD_TILES = 24, FAR_OUTPUTS = 4 << 20 };

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
    int64_t values;                 /* of this block so far */
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

static void write_channel(struct writer *w, int32_t input, int64_t nonzeros, float *values)
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
                values[number] = used->value[k];
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

static void write_start(struct writer *w)
{
    emit_enter(&w->e);
    fetch_outputs(w);
    for (int64_t o = 0; o < w->channels; o++) {
        emit_broadcast(&w->e, (int)(o * w->vectors), REG_RCX, (int32_t)o * 4);
        for (int64_t v = 1; v < w->vectors; v++) emit_copy(&w->e, (int)(o * w->vectors + v), (int)(o * w->vectors));
    }
    emit_add(&w->e, REG_RSI, VALUE_REACH);
    w->value_base = VALUE_REACH;
    w->input_base = 0;
    w->values = w->fmas = w->lines = 0;
}

static void write_end(struct writer *w)
{
    emit_broadcast(&w->e, FLOOR, REG_RCX, (int32_t)w->channels * 4);
    for (int64_t v = 0; v < w->vectors; v++) {
        emit_mark(&w->e, (int)(v * (int64_t)sizeof(struct jit_mark)));
        for (int64_t o = 0; o < w->channels; o++) {
            int sum = (int)(o * w->vectors + v), squeezed = FIRST_SQUEEZED + (int)(o % 3);
            emit_max(&w->e, sum, FLOOR);
            emit_compress(&w->e, squeezed, sum);
            emit_store(&w->e, squeezed, (int32_t)(o * output_channel(w)));
        }
    }
    emit_return(&w->e);
}

/* Most bytes that the code of one channel, or the start and end of a block, can take. */
static int64_t channel_bytes(const struct bk_jit *jit, int64_t used_taps, int64_t nonzeros)
{
    return jit->vectors * (used_taps * (3 * EMIT_LONGEST) + nonzeros * 3 * EMIT_LONGEST) + 2 * EMIT_LONGEST;
}
enum { FRAME_BYTES = 64 + JIT_SUMS * 6 * EMIT_LONGEST + JIT_MOST_VECTORS * 3 * EMIT_LONGEST };

/* Values lie behind their block's code, so that both are fetched ahead by the same pointer. */
static int place_values(struct writer *w, struct jit_block *block, const float *values)
{
    w->e.at += -(uintptr_t)w->e.at & (LINE - 1);
    if (w->end - w->e.at < w->values * (int64_t)sizeof *values) return -1;
    block->values = (const float *)w->e.at;
    block->nonzeros = w->values;
    block->ahead = w->lines * LINE;
    emit_bytes(&w->e, values, (size_t)w->values * sizeof *values);
    return 0;
}

/* `values`: room for the block's non-zeros. */
static int write_block(struct writer *w, struct jit_block *block, const float *weight, float *values)
{
    const struct bk_jit *jit = w->jit;
    int64_t filter = jit->in * jit->taps;
    w->channels = block->channels;
    w->e.at += -(uintptr_t)w->e.at & (LINE - 1);
    if (w->end - w->e.at < 2 * FRAME_BYTES) return -1;
    block->code = (jit_code)(uintptr_t)w->e.at;
    write_start(w);
    for (int64_t c = 0; c < jit->in; c++) {
        int64_t nonzeros = collect(w, weight + c * jit->taps, filter);
        if (w->end - w->e.at < channel_bytes(jit, w->used_taps, nonzeros) + FRAME_BYTES) return -1;
        if (nonzeros) write_channel(w, (int32_t)(c * jit->phases * jit->plane * 4), nonzeros, values);
    }
    write_end(w);
    return place_values(w, block, values);
}

static int write_blocks(struct bk_jit *jit, struct writer *w, const float *weight, float *values)
{
    for (int64_t i = 0; i < jit->problem.g * jit->blocks; i++) {
        struct jit_block *block = jit->block + i;
        int64_t oc = i / jit->blocks * jit->out + block->first;
        if (write_block(w, block, weight + oc * jit->in * jit->taps, values)) return -1;
    }
    return 0;
}

/* Cut each group's output channels into blocks of equal size, with their biases and the floor. */
static void cut_blocks(struct bk_jit *jit, const float *bias, int relu)
{
    float *constant = jit->constants;
    for (int64_t i = 0; i < jit->problem.g * jit->blocks; i++) {
        struct jit_block *block = jit->block + i;
        int64_t group = i / jit->blocks, b = i % jit->blocks;
        block->first = jit->out * b / jit->blocks;
        block->channels = jit->out * (b + 1) / jit->blocks - block->first;
        block->constants = constant;
        for (int64_t o = 0; o < block->channels; o++) *constant++ = bias ? bias[group * jit->out + block->first + o] : 0.0f;
        *constant++ = relu ? 0.0f : -INFINITY;
    }
}

/* Address space for code, on a huge page's border so that the kernel can use huge pages: fewer misses of the instruction TLB. */
static int reserve(struct bk_jit *jit, int64_t bytes, char *message)
{
    size_t whole = ((size_t)bytes + HUGE_PAGE - 1) & ~((size_t)HUGE_PAGE - 1);
    uint8_t *memory = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) FAIL("no memory for %lld MiB of generated code", (long long)(bytes >> 20));
    size_t head = -(uintptr_t)memory & (HUGE_PAGE - 1);
    if (head) munmap(memory, head);
    munmap(memory + head + whole, HUGE_PAGE - head);
    jit->memory = memory + head;
    jit->memory_bytes = whole;
    if (jit->nonzeros * jit->vectors * EMIT_LONGEST >= HUGE_PAGE / 2) madvise(jit->memory, whole, MADV_HUGEPAGE);
    return 0;
}

static int seal(struct bk_jit *jit, const uint8_t *end, char *message)
{
    jit->code_bytes = (size_t)(end - (const uint8_t *)jit->memory);
    size_t kept = (jit->code_bytes + PAGE - 1) & ~((size_t)PAGE - 1);
    if (kept < jit->memory_bytes && !munmap((uint8_t *)jit->memory + kept, jit->memory_bytes - kept)) jit->memory_bytes = kept;
    if (mprotect(jit->memory, jit->memory_bytes, PROT_READ | PROT_EXEC))
        FAIL("this system refuses to make generated code executable: %s", strerror(errno));
    return 0;
}

int jit_generate(struct bk_jit *jit, const float *weight, const float *bias, int relu, char *message)
{
    int64_t blocks = jit->problem.g * jit->blocks, most = channel_bytes(jit, blocks * jit->in * jit->taps, jit->nonzeros);
    most += jit->nonzeros * (int64_t)sizeof(float) + blocks * (2 * EMIT_LONGEST * jit->in + 2 * FRAME_BYTES + 2 * LINE);
    if (most > (int64_t)1 << 32) FAIL("%lld non-zeros are too many for generated code", (long long)jit->nonzeros);
    jit->block = calloc((size_t)blocks, sizeof *jit->block);
    jit->constants = malloc((size_t)(jit->problem.oc + blocks) * sizeof *jit->constants);
    struct used_tap *used = malloc((size_t)(jit->taps + 1) * sizeof *used);
    float *values = malloc((size_t)(jit->nonzeros + 1) * sizeof *values);
    int status = -1;
    if (!jit->block || !jit->constants || !used || !values) {
        snprintf(message, BK_MESSAGE, "no memory for the plan");
    } else if (!reserve(jit, most, message)) {
        const uint8_t *end = (uint8_t *)jit->memory + jit->memory_bytes;
        struct writer w = {.jit = jit, .e = {jit->memory}, .end = end, .vectors = jit->vectors, .used = used};
        if (jit->nonzeros * jit->vectors * BYTES_AN_FMA > AHEAD_CODE && jit->strip_tiles <= AHEAD_TILES)
            w.fma_a_line = jit->strip_tiles * LINE / BYTES_AN_FMA;
        cut_blocks(jit, bias, relu);
        if (!write_blocks(jit, &w, weight, values)) status = seal(jit, w.e.at, message);
        else snprintf(message, BK_MESSAGE, "generated code outgrew its %lld MiB", (long long)(most >> 20));
    }
    free(used);
    free(values);
    return status;
}

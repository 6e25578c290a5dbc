/* Generated code: how an image is cut into strips of tiles and blocks of output channels, and these are shared among threads. */
#include "jit_internal.h"

#include <stdlib.h>

/* Bytes that the planes of a strip may occupy. Small strips keep them in L2, but every strip reads all code and values again
 * (and, where taps reach beyond a tile, packs some input twice): so more where there is more code. Found by timing. */
enum { LEAST_SHARE = 96 << 10, LEAST_REACHING = 384 << 10, MOST_SHARE = 2 << 20, BYTES_A_NONZERO = 15 };

/* Rough cycles, to compare ways of sharing: a vector packed, an input vector made, an output vector stored, a byte of code fetched. */
static const double PACKED = 5, MADE = 0.4, STORED = 5, FETCHED = 1.0 / 24;

/* With more units than this a call shares out evenly anyway. */
enum { MANY_UNITS = 1 << 14, BISECTIONS = 24 };

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }
static int64_t whole_vectors(int64_t lanes) { return ceil_div(lanes, JIT_LANES) * JIT_LANES; }

static int64_t planes_share(int64_t nonzeros, int64_t reach)
{
    int64_t code = nonzeros * BYTES_A_NONZERO, wanted = reach ? 2 * code : 4 * code, least = reach ? LEAST_REACHING : LEAST_SHARE;
    return wanted < least ? least : wanted > MOST_SHARE ? MOST_SHARE : wanted;
}

static int64_t units(const struct bk_jit *jit) { return jit->problem.mb * jit->problem.g * jit->strips * jit->blocks; }

static double packing_cycles(const struct bk_jit *jit) { return PACKED * (double)(jit->in * jit->phases * jit->plane / JIT_LANES); }

/* A tile of a block; taps of which no output channel has a non-zero cost nothing. */
static double tile_cycles(const struct bk_jit *jit, const struct jit_block *block)
{
    double zero = 1 - (double)block->nonzeros / (double)(block->channels * jit->in * jit->taps), unused = 1;
    for (int64_t o = 0; o < block->channels; o++) unused *= zero;
    double made = MADE * (1 - unused) * (double)(jit->in * jit->taps);
    return (double)jit->vectors * ((double)block->nonzeros + made + STORED * (double)block->channels);
}

static double unit_cycles(const struct bk_jit *jit, int64_t unit)
{
    int64_t source = unit / jit->blocks, strip = source % jit->strips, group = source / jit->strips % jit->problem.g;
    const struct jit_block *block = jit->block + group * jit->blocks + unit % jit->blocks;
    int64_t tiles = smaller(jit->strip_tiles, jit->tiles - strip * jit->strip_tiles);
    return block->tile_cycles * (double)tiles + FETCHED * BYTES_A_NONZERO * (double)block->nonzeros;
}

/* Give each thread as many of the units left as take at most `limit` cycles, the last one what remains; the busiest one's cycles. */
static double hand_out(const struct bk_jit *jit, int threads, double limit, int64_t *start)
{
    int64_t packed = -1, all = units(jit);
    double spent = 0, busiest = 0, packing = packing_cycles(jit);
    int thread = 0;
    for (int64_t unit = 0; unit < all; unit++) {
        double cycles = unit_cycles(jit, unit);
        int pack = unit / jit->blocks != packed;
        if (spent > 0 && spent + cycles + pack * packing > limit && thread + 1 < threads) {
            if (start) start[thread + 1] = unit;
            thread++;
            spent = 0;
            pack = 1;
        }
        packed = unit / jit->blocks;
        spent += cycles + pack * packing;
        if (spent > busiest) busiest = spent;
    }
    while (start && thread < threads) start[++thread] = all;
    return busiest;
}

double jit_share(const struct bk_jit *jit, int threads, int64_t *start)
{
    double low = 0, high = hand_out(jit, 1, 0, NULL);
    for (int i = 0; threads > 1 && i < BISECTIONS; i++) {
        double limit = (low + high) / 2, busiest = hand_out(jit, threads, limit, NULL);
        if (busiest > limit) low = limit;
        else high = busiest;
    }
    if (start) start[0] = 0;
    return hand_out(jit, threads, high, start);
}

void bk_jit_share(const struct bk_jit *jit, int threads, int64_t *start) { jit_share(jit, threads, start); }

/* Output vectors a tile: one, or more where a group has few output channels, so that sums fill the registers. */
static void set_blocks(struct bk_jit *jit, int64_t blocks, int64_t span, const int64_t *nonzeros)
{
    int64_t vectors = ceil_div(span, JIT_LANES), most = smaller(JIT_SUMS / ceil_div(jit->out, blocks), JIT_MOST_VECTORS);
    jit->blocks = blocks;
    jit->tiles = ceil_div(vectors, most);
    jit->vectors = ceil_div(vectors, jit->tiles);
    for (int64_t i = 0; i < jit->problem.g * blocks; i++) {
        struct jit_block *block = jit->block + i;
        int64_t first = jit->out * (i % blocks) / blocks, end = jit->out * (i % blocks + 1) / blocks;
        *block = (struct jit_block){.first = first, .channels = end - first};
        for (int64_t o = first; o < end; o++) block->nonzeros += nonzeros[i / blocks * jit->out + o];
        block->tile_cycles = tile_cycles(jit, block);
    }
}

static void set_strips(struct bk_jit *jit, int64_t strip_tiles, int64_t reach)
{
    jit->strip_tiles = strip_tiles;
    jit->strips = ceil_div(jit->tiles, strip_tiles);
    jit->plane = strip_tiles * jit->vectors * JIT_LANES + whole_vectors(reach);
    if (jit->plane / JIT_LANES % 2 == 0) jit->plane += JIT_LANES; /* an odd number of cache lines uses all sets of L1 */
}

/* Strips so short that their planes stay in cache while every block reads them. */
static int64_t least_strips(const struct bk_jit *jit, int64_t reach)
{
    int64_t lanes = jit->vectors * JIT_LANES;
    int64_t room = planes_share(jit->nonzeros / jit->problem.g, reach) / 4 / (jit->in * jit->phases) - whole_vectors(reach);
    return ceil_div(jit->tiles, larger(1, larger(room / lanes, ceil_div(2 * reach, lanes))));
}

/* For several threads: try more strips and blocks than one thread needs, since they may share out more evenly. */
static void share_out(struct bk_jit *jit, int64_t span, int64_t reach, const int64_t *nonzeros)
{
    int64_t least = jit->blocks, most = least > 1 ? smaller(least + jit->threads - 1, jit->out) : least, blocks = least;
    int64_t strip_tiles = jit->strip_tiles;
    double fewest = jit_share(jit, jit->threads, NULL);
    for (int64_t b = least; b <= most; b++) {
        set_blocks(jit, b, span, nonzeros);
        int64_t base = least_strips(jit, reach), last = smaller(jit->tiles, base + 2 * jit->threads);
        for (int64_t strips = base; strips <= last; strips++) {
            set_strips(jit, ceil_div(jit->tiles, strips), reach);
            double cycles = jit_share(jit, jit->threads, NULL);
            if (cycles >= fewest) continue;
            fewest = cycles;
            blocks = b;
            strip_tiles = jit->strip_tiles;
        }
    }
    set_blocks(jit, blocks, span, nonzeros);
    set_strips(jit, strip_tiles, reach);
}

/* Non-zeros of each output channel. */
static int64_t *count(struct bk_jit *jit, const float *weight)
{
    int64_t filter = jit->in * jit->taps, *nonzeros = calloc((size_t)jit->problem.oc, sizeof *nonzeros);
    for (int64_t o = 0; nonzeros && o < jit->problem.oc; o++, weight += filter) {
        for (int64_t i = 0; i < filter; i++) nonzeros[o] += weight[i] != 0;
        jit->nonzeros += nonzeros[o];
    }
    return nonzeros;
}

int jit_cut(struct bk_jit *jit, const float *weight, int64_t span, int64_t reach, int64_t strip_tiles)
{
    int64_t blocks = ceil_div(jit->out, JIT_SUMS), *nonzeros = count(jit, weight);
    jit->block = malloc((size_t)(jit->problem.g * (blocks + jit->threads)) * sizeof *jit->block);
    if (jit->block && nonzeros) {
        set_blocks(jit, blocks, span, nonzeros);
        set_strips(jit, strip_tiles > 0 ? smaller(strip_tiles, jit->tiles) : ceil_div(jit->tiles, least_strips(jit, reach)), reach);
        if (jit->threads > 1 && strip_tiles <= 0 && units(jit) < MANY_UNITS) share_out(jit, span, reach, nonzeros);
    }
    free(nonzeros);
    return jit->block && nonzeros ? 0 : -1;
}

/* Code for AVX2: which output channels share a block.
 *
 * A block loads an input vector once for all its channels that have a non-zero there, so channels with similar patterns belong together.
 * At density 0.1 six channels of a uniformly random pattern need 0.78 loads a non-zero; six chosen ones 0.65 to 0.75.
 */
#include "bands_internal.h"

#include <stdlib.h>
#include <string.h>

#define POPCNT __attribute__((target("popcnt")))

enum { WORD_BITS = 64, MOST_WORDS = 8 << 20 }; /* words compared in all: a few milliseconds */

/* The non-zeros of each output channel of a group as bits. */
static void mark(uint64_t *bits, const float *weight, int64_t channels, int64_t filter, int64_t words)
{
    for (int64_t o = 0; o < channels; o++)
        for (int64_t k = 0; k < filter; k++) bits[o * words + k / WORD_BITS] |= (uint64_t)(weight[o * filter + k] != 0) << k % WORD_BITS;
}

static POPCNT int64_t common(const uint64_t *a, const uint64_t *b, int64_t words)
{
    int64_t count = 0;
    for (int64_t k = 0; k < words; k++) count += __builtin_popcountll(a[k] & b[k]);
    return count;
}

/* Of the next `window` channels from order[from] on, move the one that has most in common with `together` to the front. */
static void take_best(int32_t *order, int64_t from, int64_t window, const uint64_t *bits, uint64_t *together, int64_t words)
{
    int64_t best = from, most = -1;
    for (int64_t k = from; k < from + window; k++) {
        int64_t count = common(bits + order[k] * words, together, words);
        if (count <= most) continue;
        most = count;
        best = k;
    }
    int32_t taken = order[best];
    memmove(order + from + 1, order + from, (size_t)(best - from) * sizeof *order);
    order[from] = taken;
    for (int64_t k = 0; k < words; k++) together[k] |= bits[taken * words + k];
}

/* Block by block: the first channel left, then whichever has most in common with the block so far. */
static void gather(const struct bk_bands *b, int32_t *order, const uint64_t *bits, uint64_t *together, int64_t words)
{
    int64_t window = larger(1, MOST_WORDS / b->problem.g / b->out / words);
    for (int64_t block = 0; block < b->blocks; block++) {
        int64_t first = bands_first(b, block), end = bands_first(b, block + 1);
        memcpy(together, bits + order[first] * words, (size_t)words * sizeof *together);
        for (int64_t k = first + 1; k < end; k++) take_best(order, k, smaller(window, b->out - k), bits, together, words);
    }
}

int bands_order(struct bk_bands *b, const float *weight)
{
    int64_t filter = b->in * b->taps, words = ceil_div(filter, WORD_BITS);
    uint64_t *bits = malloc((size_t)((b->out + 1) * words) * sizeof *bits);
    b->order = malloc((size_t)b->problem.oc * sizeof *b->order);
    for (int64_t g = 0; bits && b->order && g < b->problem.g; g++) {
        int32_t *order = b->order + g * b->out;
        memset(bits, 0, (size_t)(b->out * words) * sizeof *bits);
        mark(bits, weight + g * b->out * filter, b->out, filter, words);
        for (int64_t o = 0; o < b->out; o++) order[o] = (int32_t)o;
        gather(b, order, bits, bits + b->out * words, words);
    }
    free(bits);
    return bits && b->order ? 0 : -1;
}

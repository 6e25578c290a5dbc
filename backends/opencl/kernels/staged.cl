/* Sparse rows times shifted planes of vectors of images: for GPUs.
 *
 *   y[image][channel][pixel] = max(floor, bias[channel] + sum over the row's non-zeros j: value[j] * plane[first + place + tap[j]].image)
 *
 * A work-group owns GROUP * PIXELS output pixels of IMAGES images and SIDES * HEIGHT output channels of one group; a work-item
 * PIXELS vectors of HEIGHT channels in registers. STAGED 1: it walks over the input in blocks of planes; all work-items copy
 * the tile's window, halo included, into local memory (`span` vectors a plane), then each adds the non-zeros of its own HEIGHT
 * rows that fall into the block. So global memory is read once for SIDES * HEIGHT rows and every multiply-add has one read of
 * local memory, aligned and free of bank conflicts (lanes.py). STAGED 0: the same from the planes themselves, in one block,
 * through the first-level cache: no copies and no barriers, but cache lines are cut by the shifts.
 * Taps and values are the same for all lanes of a side: broadcasts, from global or (CONSTANT 1) from constant memory.
 * Rows are sorted by length (rows.py), so that the rows of a work-group end together (Sputnik's row swizzle).
 *
 * entry: tap in vectors and value, interleaved, one spare entry at the end. bound[row * (blocks_of_planes + 1) + b]: the first
 * entry of the row in block b. Global size: (GROUP * tiles, SIDES * row groups), local size (GROUP, SIDES).
 * Bound: local memory bandwidth, 4 bytes a multiply-add; beside it 4 bytes a lane for each entry and PIXELS * IMAGES multiply-adds.
 */
#if CONSTANT
#define ENTRIES __constant
#else
#define ENTRIES __global const
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, SIDES, 1)))
void staged_rows(__global const vec *planes, __global const int *bound, ENTRIES const int2 *entry, __global const int *channel,
                 __global const int *base, __global const float *bias, __global const int *first, __global const int *place,
                 __global const int *pixel, __global float *y, const float floor_value,
#if STAGED
                 __local vec *stage, const int span, const int block_planes,
#endif
                 const int planes_of_group, const int length, const int batch, const int channels, const int area)
{
    const int lane = get_local_id(0), side = get_local_id(1), tile = get_group_id(0);
    const int row = (get_group_id(1) * SIDES + side) * HEIGHT;
    __global const vec *from = planes + base[get_group_id(1)] + first[tile];
#if STAGED
    const int blocks = (planes_of_group + block_planes - 1) / block_planes;
    __local const vec *mine[PIXELS];
    UNROLL for (int t = 0; t < PIXELS; ++t)
        mine[t] = stage + place[tile * TILE + t * GROUP + lane];
#else
    const int blocks = 1;
    __global const vec *mine[PIXELS];
    UNROLL for (int t = 0; t < PIXELS; ++t)
        mine[t] = from + place[tile * TILE + t * GROUP + lane];
#endif
    int next[HEIGHT];
    vec sum[HEIGHT][PIXELS];
    UNROLL for (int h = 0; h < HEIGHT; ++h) {
        next[h] = bound[(row + h) * (blocks + 1)];
        UNROLL for (int t = 0; t < PIXELS; ++t)
            sum[h][t] = (vec)(0.0f);
    }
    for (int b = 0; b < blocks; ++b) {
#if STAGED
        const int count = min(block_planes, planes_of_group - b * block_planes);
        __global const vec *source = from + (size_t)b * block_planes * length;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int c = side; c < count; c += SIDES)
            for (int i = lane; i < span; i += GROUP)
                stage[c * span + i] = source[(size_t)c * length + i];
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        UNROLL for (int h = 0; h < HEIGHT; ++h) {
            const int end = bound[(row + h) * (blocks + 1) + b + 1];
            int j = next[h];
            int2 e = entry[j];
            while (j < end) {
                const int2 ahead = entry[++j]; /* on its way while this one is added */
                const vec w = (vec)(as_float(e.y));
                UNROLL for (int t = 0; t < PIXELS; ++t)
                    sum[h][t] = MAD(w, mine[t][e.x], sum[h][t]);
                e = ahead;
            }
            next[h] = end;
        }
    }
    UNROLL for (int t = 0; t < PIXELS; ++t) {
        const int at = pixel[tile * TILE + t * GROUP + lane];
        if (at >= 0)
            UNROLL for (int h = 0; h < HEIGHT; ++h) {
                const int c = channel[row + h];
                if (c >= 0)
                    put(y, sum[h][t], at, c, bias[c], floor_value, batch, channels, area);
            }
    }
}

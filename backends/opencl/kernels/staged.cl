/* Sparse rows times shifted planes that a work-group stages in local memory: for GPUs.
 *
 *   y[n][channel][oy][ox] = max(floor, bias[channel] + sum over the row's non-zeros j: value[j] * plane[q + tap[j]])
 *
 * with q and the planes as in rows.cl. A work-group owns GROUP * PIXELS neighbouring positions and SIDES * HEIGHT output
 * channels of one group. It walks over the input in blocks of planes: all work-items copy the block's positions, halo
 * included, into local memory (`span` floats a plane), then each adds the non-zeros of its own HEIGHT rows that fall into
 * the block. So global memory is read once for SIDES * HEIGHT rows, and every multiply-add has one read of local memory,
 * conflict-free because neighbours read neighbours. Values and taps are the same for all GROUP work-items: broadcasts.
 * Rows are sorted by length (rows.py), so that the rows of a work-group end together (Sputnik's row swizzle).
 *
 * entry: tap (an int, in floats of the staged block) and value, interleaved. bound[row * (blocks_of_planes + 1) + b]: the
 * first entry of the row in block b. Global size: (GROUP * tiles, SIDES * row groups), local size (GROUP, SIDES).
 * Bound: local memory bandwidth, 4 bytes a multiply-add.
 */
#define TILE (GROUP * PIXELS)

__kernel __attribute__((reqd_work_group_size(GROUP, SIDES, 1)))
void staged_rows(__global const float *planes, __global const int *bound, __global const int2 *entry, __global const int *channel,
                 __global const int *base, __global const float *bias, __global float *y, const float floor_value,
                 __local float *stage, const int span, const int block_planes, const int planes_of_group, const int length,
                 const int pitch, const int rows, const int images, const int channels, const int oh, const int ow)
{
    const int lane = get_local_id(0), side = get_local_id(1), first = get_group_id(0) * TILE;
    const int row = (get_group_id(1) * SIDES + side) * HEIGHT;
    const int blocks = (planes_of_group + block_planes - 1) / block_planes;
    __global const float *from = planes + base[get_group_id(1)] + first;
    float sum[HEIGHT][PIXELS];
    UNROLL for (int h = 0; h < HEIGHT; ++h)
        UNROLL for (int t = 0; t < PIXELS; ++t)
            sum[h][t] = 0.0f;
    for (int b = 0; b < blocks; ++b) {
        const int count = min(block_planes, planes_of_group - b * block_planes);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int c = side; c < count; c += SIDES)
            for (int i = lane; i < span; i += GROUP)
                stage[c * span + i] = from[(size_t)(b * block_planes + c) * length + i];
        barrier(CLK_LOCAL_MEM_FENCE);
        UNROLL for (int h = 0; h < HEIGHT; ++h) {
            __global const int *mine = bound + (size_t)(row + h) * (blocks + 1) + b;
            const int end = mine[1];
            for (int j = mine[0]; j < end; ++j) {
                const int2 e = entry[j];
                const float w = as_float(e.y);
                __local const float *p = stage + e.x + lane;
                UNROLL for (int t = 0; t < PIXELS; ++t)
                    sum[h][t] = MAD(w, p[t * GROUP], sum[h][t]);
            }
        }
    }
    UNROLL for (int t = 0; t < PIXELS; ++t) {
        const int q = first + t * GROUP + lane, line = q / pitch, x = q % pitch, n = line / rows, oy = line % rows;
        if (n < images && oy < oh && x < ow)
            UNROLL for (int h = 0; h < HEIGHT; ++h) {
                const int c = channel[row + h];
                if (c >= 0) {
                    const float s = sum[h][t] + bias[c];
                    y[(((size_t)n * channels + c) * oh + oy) * ow + x] = s < floor_value ? floor_value : s; /* NaN stays NaN */
                }
            }
    }
}

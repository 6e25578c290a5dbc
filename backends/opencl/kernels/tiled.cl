/* Dense row blocks times shifted planes, or times a lowered input, through tiles in local memory: GEMM for GPUs.
 *
 *   y[n][channel][oy][ox] = max(floor, bias[channel] + sum over k: value[k][channel] * planes[q + base + offset[k]])
 *
 * with q as in rows.cl. A work-group of GROUP x SIDES work-items owns TILE = GROUP * PIXELS positions and SIDES * HEIGHT output
 * channels of one group. It walks over k in steps of DEPTH: all work-items copy DEPTH columns of weights and of input into
 * local memory, fetching the next step's from global memory while they multiply this one's. A work-item holds HEIGHT channels x
 * PIXELS positions in registers: PIXELS + HEIGHT reads of local memory for PIXELS * HEIGHT multiply-adds.
 * value: (blocks, taps, SIDES * HEIGHT), blocks as rows.py lays them out. Tile t's positions start at planes[t * tile_stride] and
 * are output positions from (first_tile + t) * TILE on. Global size: (GROUP * tiles, SIDES * blocks), local size (GROUP, SIDES).
 * Bound: FMA units.
 */
#define TILE (GROUP * PIXELS)
#define CHANNELS (SIDES * HEIGHT)
#define ITEMS (GROUP * SIDES)
#define DEPTH 8
#define WEIGHTS_EACH ((DEPTH * CHANNELS + ITEMS - 1) / ITEMS)
#define INPUTS_EACH ((DEPTH * TILE + ITEMS - 1) / ITEMS)

__kernel __attribute__((reqd_work_group_size(GROUP, SIDES, 1)))
void tiled_rows(__global const float *planes, __global const int *offset, __global const float *value, __global const int *channel,
                __global const int *base, __global const float *bias, __global float *y, const float floor_value, const int taps,
                const int tile_stride, const int first_tile, const int pitch, const int rows, const int images, const int channels,
                const int oh, const int ow)
{
    __local float weights[DEPTH * CHANNELS], inputs[DEPTH * TILE];
    const int lane = get_local_id(0), side = get_local_id(1), item = side * GROUP + lane;
    const int tile = get_group_id(0), block = get_group_id(1);
    __global const float *from = planes + (size_t)tile * tile_stride + base[block];
    __global const float *v = value + (size_t)block * taps * CHANNELS;
    float w_ahead[WEIGHTS_EACH], x_ahead[INPUTS_EACH], sum[HEIGHT][PIXELS];
    UNROLL for (int h = 0; h < HEIGHT; ++h)
        UNROLL for (int t = 0; t < PIXELS; ++t)
            sum[h][t] = 0.0f;
    for (int k = -DEPTH; k < taps; k += DEPTH) {
        UNROLL for (int i = 0; i < WEIGHTS_EACH; ++i) {
            const int at = item + i * ITEMS, tap = k + DEPTH + at / CHANNELS;
            w_ahead[i] = at < DEPTH * CHANNELS && tap < taps ? v[(size_t)tap * CHANNELS + at % CHANNELS] : 0.0f;
        }
        UNROLL for (int i = 0; i < INPUTS_EACH; ++i) {
            const int at = item + i * ITEMS, tap = k + DEPTH + at / TILE;
            x_ahead[i] = at < DEPTH * TILE && tap < taps ? from[offset[tap] + at % TILE] : 0.0f;
        }
        if (k >= 0)
            UNROLL for (int d = 0; d < DEPTH; ++d) {
                float x[PIXELS], w[HEIGHT];
                UNROLL for (int t = 0; t < PIXELS; ++t)
                    x[t] = inputs[d * TILE + t / 4 * 4 * GROUP + lane * 4 + t % 4];
                UNROLL for (int h = 0; h < HEIGHT; ++h)
                    w[h] = weights[d * CHANNELS + side * HEIGHT + h];
                UNROLL for (int h = 0; h < HEIGHT; ++h)
                    UNROLL for (int t = 0; t < PIXELS; ++t)
                        sum[h][t] = MAD(w[h], x[t], sum[h][t]);
            }
        barrier(CLK_LOCAL_MEM_FENCE);
        UNROLL for (int i = 0; i < WEIGHTS_EACH; ++i)
            if (item + i * ITEMS < DEPTH * CHANNELS)
                weights[item + i * ITEMS] = w_ahead[i];
        UNROLL for (int i = 0; i < INPUTS_EACH; ++i)
            if (item + i * ITEMS < DEPTH * TILE)
                inputs[item + i * ITEMS] = x_ahead[i];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    UNROLL for (int t = 0; t < PIXELS; ++t) {
        const int q = (first_tile + tile) * TILE + t / 4 * 4 * GROUP + lane * 4 + t % 4;
        const int line = q / pitch, x = q % pitch, n = line / rows, oy = line % rows;
        if (n < images && oy < oh && x < ow)
            UNROLL for (int h = 0; h < HEIGHT; ++h) {
                const int c = channel[block * CHANNELS + side * HEIGHT + h];
                if (c >= 0) {
                    const float s = sum[h][t] + bias[c];
                    y[(((size_t)n * channels + c) * oh + oy) * ow + x] = s < floor_value ? floor_value : s; /* NaN stays NaN */
                }
            }
    }
}

/* Sparse rows times shifted planes, the pattern and the weights written into the source: for GPUs.
 *
 *   y[image][channel][pixel] = max(floor, bias[channel] + sum over the row's non-zeros: weight * plane[first + place + tap].image)
 *
 * literal.py puts one case for each block of HEIGHT output channels in the place of GENERATED_CASES: X(tap) loads the lane's
 * pixels once for all HEIGHT rows, F(row, weight) is one multiply-add with the weight as an immediate (SparseRT, Wang 2020).
 * A work-item holds HEIGHT channels x PIXELS vectors of IMAGES images in registers, all under constant indices, so that a
 * load serves every row that has a weight there: at density d, 1 / (HEIGHT * d) loads a multiply-add instead of one.
 * Planes and lanes as in staged.cl. Global size: (GROUP * tiles, blocks), local size (GROUP, 1).
 * Bound: instruction fetch (16 bytes an instruction on NVIDIA's GPUs), which neighbouring work-groups share, and FMA units.
 */
#if PIXELS == 1 /* written out: tens of thousands of loops to unroll would take compilers minutes */
#define X(tap) x[0] = mine[0][tap];
#define F(h, weight) sum[h][0] = MAD((vec)(weight), x[0], sum[h][0]);
#else
#define X(tap) x[0] = mine[0][tap], x[1] = mine[1][tap];
#define F(h, weight) sum[h][0] = MAD((vec)(weight), x[0], sum[h][0]), sum[h][1] = MAD((vec)(weight), x[1], sum[h][1]);
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void literal_rows(__global const vec *planes, __global const int *channel, __global const int *base, __global const float *bias,
                  __global const int *first, __global const int *place, __global const int *pixel, __global float *y,
                  const float floor_value, const int batch, const int channels, const int area)
{
    const int lane = get_local_id(0), tile = get_group_id(0), block = get_group_id(1);
    __global const vec *from = planes + base[block] + first[tile];
    __global const vec *mine[PIXELS];
    vec x[PIXELS], sum[HEIGHT][PIXELS];
    UNROLL for (int t = 0; t < PIXELS; ++t)
        mine[t] = from + place[tile * TILE + t * GROUP + lane];
    UNROLL for (int h = 0; h < HEIGHT; ++h)
        UNROLL for (int t = 0; t < PIXELS; ++t)
            sum[h][t] = (vec)(0.0f);
    switch (block) {
        GENERATED_CASES
    }
    UNROLL for (int t = 0; t < PIXELS; ++t) {
        const int at = pixel[tile * TILE + t * GROUP + lane];
        if (at >= 0)
            UNROLL for (int h = 0; h < HEIGHT; ++h) {
                const int c = channel[block * HEIGHT + h];
                if (c >= 0)
                    put(y, sum[h][t], at, c, bias[c], floor_value, batch, channels, area);
            }
    }
}

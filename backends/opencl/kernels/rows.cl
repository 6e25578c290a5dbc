/* Row blocks times shifted planes: direct convolution, sparse or dense, and GEMM on a lowered input.
 *
 *   y[n][channel][oy][ox] = max(floor, bias[channel] + sum over columns j of the row: value[j] * plane[q + base + offset[j]])
 *
 * q = (n * rows + oy) * pitch + ox is the flat position of the output pixel (planes.py), so a column is one shifted
 * copy of all pixels, read without lowering (Park et al. 2017, sec. 2.1). rows.py lays out the row blocks.
 *
 * One work-item: one block of HEIGHT output channels at PIXELS vectors of WIDTH pixels, held in registers.
 * WIDTH 4..16 (CPU devices): explicit vectors, GROUP is 1. WIDTH 1 (GPUs): GROUP neighbours read neighbouring pixels,
 * offsets and values are the same for the whole group and come through the cache as broadcasts.
 * Tile t's pixels start at planes[t * tile_stride] and are output positions from (first_tile + t) * TILE on.
 * Global size: (blocks, tiles) of single work-items for vectors, so that the blocks of a tile run one after the other and
 * find its pixels in the cache; (GROUP * tiles, blocks) in groups of (GROUP, 1) for WIDTH 1.
 * SHARED_OFFSETS: every block has the same list of offsets (dense), `start` still bounds its values.
 * Bound: one vector load for every HEIGHT multiply-adds; at HEIGHT 1 the load ports (L1 or L2), not the FMA units.
 */
#define TILE (WIDTH * PIXELS * GROUP)

#if WIDTH == 1
typedef float vec;
#define LOAD(p) (*(p))
#else
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, WIDTH) vec;
typedef vec __attribute__((aligned(4))) vec_anywhere;
#define LOAD(p) (*(const __global vec_anywhere *)(p)) /* not vload: PoCL's pip build takes it apart */
#endif

#if WIDTH == 1
/* Each work-item stores its own pixels; neighbours store neighbours. */
static inline __attribute__((always_inline)) void store(const vec *sum, __global float *y, const int q, const int pitch,
                                                        const int rows, const int images, const int channels, const int oh,
                                                        const int ow)
{
    UNROLL for (int t = 0; t < PIXELS; ++t) {
        const int at = q + t * GROUP, row = at / pitch, x = at % pitch, n = row / rows, oy = row % rows;
        if (n < images && oy < oh && x < ow)
            y[((size_t)n * channels * oh + oy) * ow + x] = sum[t];
    }
}
#else
typedef float4 __attribute__((aligned(4))) float4_anywhere;
typedef float8 __attribute__((aligned(4))) float8_anywhere;

/* Copy `count` floats in as few pieces as there are: the last full vector may overlap the one before it. */
static inline __attribute__((always_inline)) void copy(const float *from, __global float *to, const int count)
{
    int k = 0;
    for (; k + WIDTH <= count; k += WIDTH)
        *(__global vec_anywhere *)(to + k) = *(const vec_anywhere *)(from + k);
    if (k == count)
        return;
    if (count >= WIDTH) {
        k = count - WIDTH;
        *(__global vec_anywhere *)(to + k) = *(const vec_anywhere *)(from + k);
        return;
    }
#if WIDTH > 8
    if (count - k >= 8) {
        *(__global float8_anywhere *)(to + k) = *(const float8_anywhere *)(from + k);
        k += 8;
    }
#endif
#if WIDTH > 4
    if (count - k >= 4) {
        *(__global float4_anywhere *)(to + k) = *(const float4_anywhere *)(from + k);
        k += 4;
    }
#endif
    for (; k < count; ++k)
        to[k] = from[k];
}

/* Cut the tile into the rows of the output that it crosses and copy each as one piece. */
static inline __attribute__((always_inline)) void store(const vec *sum, __global float *y, const int q, const int pitch,
                                                        const int rows, const int images, const int channels, const int oh,
                                                        const int ow)
{
    vec held[PIXELS];
    UNROLL for (int t = 0; t < PIXELS; ++t)
        held[t] = sum[t];
    const float *tile = (const float *)held;
    int row = q / pitch, x = q % pitch, n = row / rows, oy = row % rows;
    for (int i = 0; i < TILE && n < images;) {
        if (oy < oh && x < ow)
            copy(tile + i, y + ((size_t)n * channels * oh + oy) * ow + x, min(ow - x, TILE - i));
        i += pitch - x;
        x = 0;
        if (++oy == rows) {
            oy = 0;
            ++n;
        }
    }
}
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void rows_times_planes(__global const float *planes, __global const int *start, __global const int *offset,
                       __global const float *value, __global const int *channel, __global const int *base,
                       __global const float *bias, __global float *y, const float floor_value, const int tile_stride, const int first_tile,
                       const int pitch, const int rows, const int images, const int channels, const int oh, const int ow)
{
#if WIDTH == 1
    const int tile = get_group_id(0), block = get_group_id(1), lane = get_local_id(0);
#else
    const int block = get_group_id(0), tile = get_group_id(1), lane = 0;
#endif
    __global const float *from = planes + (size_t)tile * tile_stride + base[block] + lane;
    const int first = start[block], count = start[block + 1] - first;
    __global const float *v = value + (size_t)first * HEIGHT;
#if SHARED_OFFSETS
    __global const int *o = offset;
#else
    __global const int *o = offset + first;
#endif
    vec sum[HEIGHT][PIXELS];
    UNROLL for (int h = 0; h < HEIGHT; ++h)
        UNROLL for (int t = 0; t < PIXELS; ++t)
            sum[h][t] = (vec)(0.0f);
    for (int j = 0; j < count; ++j) {
        __global const float *p = from + o[j];
        vec x[PIXELS];
        UNROLL for (int t = 0; t < PIXELS; ++t)
            x[t] = LOAD(p + t * (WIDTH * GROUP));
#if WIDTH == 1 && HEIGHT % 4 == 0
        float four[HEIGHT]; /* a GPU fetches four values at once */
        UNROLL for (int h = 0; h < HEIGHT; h += 4) {
            const float4 f = *(const __global float4 *)(v + (size_t)j * HEIGHT + h);
            four[h] = f.x;
            four[h + 1] = f.y;
            four[h + 2] = f.z;
            four[h + 3] = f.w;
        }
#define VALUE(h) four[h]
#else
#define VALUE(h) v[(size_t)j * HEIGHT + (h)]
#endif
        UNROLL for (int h = 0; h < HEIGHT; ++h) {
            const vec w = (vec)(VALUE(h));
            UNROLL for (int t = 0; t < PIXELS; ++t)
                sum[h][t] = MAD(w, x[t], sum[h][t]);
        }
    }
    UNROLL for (int h = 0; h < HEIGHT; ++h) {
        const int c = channel[block * HEIGHT + h];
        if (c >= 0) {
            const vec add = (vec)(bias[c]), least = (vec)(floor_value);
            UNROLL for (int t = 0; t < PIXELS; ++t) {
                const vec s = sum[h][t] + add;
                sum[h][t] = s < least ? least : s; /* not fmax: NaN stays NaN */
            }
            store(sum[h], y + (size_t)c * oh * ow, (first_tile + tile) * TILE + lane, pitch, rows, images, channels, oh, ow);
        }
    }
}

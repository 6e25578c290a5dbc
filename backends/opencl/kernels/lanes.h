/* What the kernels on vectors of images share (lanes.py): one vector holds a pixel of IMAGES images. */
#define TILE (GROUP * PIXELS)
#if IMAGES == 1
typedef float vec;
#define EACH_IMAGE(DO) DO(0, s)
#elif IMAGES == 2
typedef float2 vec;
#define EACH_IMAGE(DO) DO(0, s.s0) DO(1, s.s1)
#else
typedef float4 vec;
#define EACH_IMAGE(DO) DO(0, s.s0) DO(1, s.s1) DO(2, s.s2) DO(3, s.s3)
#endif

/* Add the bias, cut at the floor (NaN stays NaN) and write one pixel of IMAGES images; `pixel` counts pixels of vectors of images. */
static inline __attribute__((always_inline)) void put(__global float *y, vec s, const int pixel, const int channel, const float bias,
                                                      const float floor_value, const int batch, const int channels, const int area)
{
    const int image = pixel / area * IMAGES, at = pixel % area;
    s += bias;
#define PUT(i, part)                                                                                                           \
    if (image + i < batch)                                                                                                     \
        y[((size_t)(image + i) * channels + channel) * area + at] = (part) < floor_value ? floor_value : (part);
    EACH_IMAGE(PUT)
#undef PUT
}

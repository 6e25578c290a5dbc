/* Copy the input into padded, de-strided planes of vectors of images (planes.py, lanes.py). For GPUs.
 *
 *   plane[(c * phases + f) * length + (vector * rows + y) * pitch + x].i =
 *       input[vector * IMAGES + i][c][y * sh + a - ph][x * sw + b - pw]
 *
 * for every pixel of the input that the phase f = (a, b) holds; images after the last are zero, and the zeros around were
 * written once when the buffer was made. One work-item one vector: neighbours read neighbours of each image and write
 * neighbours. Global size: (positions of all images rounded up, channels * phases). Bound: memory, a read and a write a pixel.
 */
#if IMAGES == 1
typedef float vec;
#elif IMAGES == 2
typedef float2 vec;
#else
typedef float4 vec;
#endif

__kernel void pack_images(__global const float *input, __global vec *planes, __global const int *phase, const int phases,
                          const int channels, const int ih, const int iw, const int sh, const int sw, const int ph, const int pw,
                          const int pitch, const int rows, const int columns, const int length, const int vectors, const int batch)
{
    const int q = get_global_id(0), row = q / pitch, x = q % pitch, vector = row / rows, y = row % rows;
    const int channel = get_global_id(1) / phases, f = get_global_id(1) % phases;
    const int top = y * sh + phase[2 * f] - ph, at = x * sw + phase[2 * f + 1] - pw;
    if (vector >= vectors || x >= columns || top < 0 || top >= ih || at < 0 || at >= iw)
        return;
    const size_t image = (size_t)channels * ih * iw;
    __global const float *from = input + (size_t)vector * IMAGES * image + ((size_t)channel * ih + top) * iw + at;
    const int left = batch - vector * IMAGES;
    vec v;
#if IMAGES == 1
    v = from[0];
#else
    v.s0 = from[0];
    v.s1 = left > 1 ? from[image] : 0.0f;
#if IMAGES == 4
    v.s2 = left > 2 ? from[2 * image] : 0.0f;
    v.s3 = left > 3 ? from[3 * image] : 0.0f;
#endif
#endif
    planes[(size_t)get_global_id(1) * length + q] = v;
}

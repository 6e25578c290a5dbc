/* Copy the input into padded, de-strided planes (planes.py says where every pixel goes).
 *
 *   plane[(c * phases + f) * length + (image * rows + y) * pitch + x] = input[image][c][y * sh + a - ph][x * sw + b - pw]
 *
 * for every pixel of the input that the phase f = (a, b) holds; the zeros around were written once when the buffer was made.
 * input: NCHW. phase: (a, b) pairs. CPU: 1 for CPU devices, 0 for GPUs; one kernel a program, since each takes time to compile.
 * Bound: memory, one read and one write a pixel.
 */

#if CPU
typedef float8 __attribute__((aligned(4))) vec_anywhere; /* not vload8: PoCL's pip build takes it apart */
typedef float16 __attribute__((aligned(4))) wide_anywhere;

/* One work-item one image's part of a plane: its rows are copied in turn.
 * Global size: (images, channels * phases). */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void pack_rows(__global const float *input, __global float *planes, __global const int *phase, const int phases,
               const int channels, const int ih, const int iw, const int sh, const int sw, const int ph, const int pw,
               const int pitch, const int rows, const int columns, const int length)
{
    const int image = get_global_id(0), channel = get_global_id(1) / phases, f = get_global_id(1) % phases;
    const int top = phase[2 * f] - ph, left = phase[2 * f + 1] - pw;
    const int first = left >= 0 ? 0 : (-left + sw - 1) / sw;
    const int last = min(min(columns, pitch), (iw - left + sw - 1) / sw);
    __global const float *from = input + ((size_t)image * channels + channel) * ih * iw + left;
    __global float *to = planes + (size_t)get_global_id(1) * length + (size_t)image * rows * pitch;
    for (int y = top >= 0 ? 0 : (-top + sh - 1) / sh; y < rows && y * sh + top < ih; ++y) {
        __global const float *row = from + (size_t)(y * sh + top) * iw;
        int x = first;
        if (sw == 1)
            for (; x + 8 <= last; x += 8)
                *(__global vec_anywhere *)(to + y * pitch + x) = *(const __global vec_anywhere *)(row + x);
        else if (sw == 2) /* every second float of sixteen, as long as all sixteen belong to this row */
            for (; x + 8 <= last && left + 2 * x + 16 <= iw; x += 8)
                *(__global vec_anywhere *)(to + y * pitch + x) = ((const float16)(*(const __global wide_anywhere *)(row + 2 * x))).even;
        for (; x < last; ++x)
            to[y * pitch + x] = row[(size_t)x * sw];
    }
}

#else
/* One work-item a pixel of a plane: neighbours write neighbours.
 * Global size: (positions of all images rounded up, channels * phases). */
__kernel void pack_pixels(__global const float *input, __global float *planes, __global const int *phase, const int phases,
                          const int channels, const int ih, const int iw, const int sh, const int sw, const int ph, const int pw,
                          const int pitch, const int rows, const int columns, const int length, const int images)
{
    const int q = get_global_id(0), row = q / pitch, x = q % pitch, image = row / rows, y = row % rows;
    const int channel = get_global_id(1) / phases, f = get_global_id(1) % phases;
    const int top = y * sh + phase[2 * f] - ph, at = x * sw + phase[2 * f + 1] - pw;
    if (image < images && x < columns && top >= 0 && top < ih && at >= 0 && at < iw)
        planes[(size_t)get_global_id(1) * length + q] = input[(((size_t)image * channels + channel) * ih + top) * iw + at];
}
#endif

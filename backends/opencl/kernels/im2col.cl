/* Lower the input: one column of the lowered matrix for each output pixel, one row for each tap.
 *
 *   lowered[g][pixel / TILE][k][pixel % TILE] = input[n][g * ic/G + c][y * sh + r * (dh + 1) - ph][x * sw + s * (dw + 1) - pw]
 *
 * with k = (c * kh + r) * kw + s, pixel = (n * oh + y) * ow + x; zero outside the image and after the last pixel.
 * One pass lowers the panels from first_panel on; the buffer has room for `panels` of them a group.
 * Panels of TILE pixels lie together, so that the GEMM after it reads one panel straight through.
 * One work-item: one tap at TILE / LANES pixels. Global size: (LANES * panels, taps of all groups), local size (LANES, 1).
 * Bound: memory writes, kh * kw times the input.
 */
typedef float8 __attribute__((aligned(4))) vec_anywhere; /* not vload8: PoCL's pip build takes it apart */

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void im2col(__global const float *input, __global float *lowered, const int channels, const int ih, const int iw,
            const int kh, const int kw, const int sh, const int sw, const int ph, const int pw, const int dh, const int dw,
            const int oh, const int ow, const int taps, const int pixels,
            const int first_panel, const int panels)
{
    const int tap = get_global_id(1), panel = get_group_id(0);
    const int s = tap % kw, r = tap / kw % kh, channel = tap / (kw * kh);
    __global float *to = lowered + (((size_t)(tap / taps) * panels + panel) * taps + tap % taps) * TILE;
    const int start = (first_panel + panel) * TILE;
#if LANES == 1
    /* Row by row of the output: zeros, then the pixels inside the image, then zeros. */
    int x = start % ow, y = start / ow % oh, n = start / ow / oh;
    for (int i = 0; i < TILE; x = 0) {
        const int count = min(ow - x, TILE - i), top = y * sh + r * dh - ph, left = x * sw + s * dw - pw;
        const int inside = start + i < pixels && top >= 0 && top < ih;
        const int from = inside ? min(count, left >= 0 ? 0 : (-left + sw - 1) / sw) : count;
        const int until = inside ? max(from, min(count, (iw - left + sw - 1) / sw)) : count;
        __global const float *row = input + (((size_t)n * channels + channel) * ih + top) * iw + left;
        int k = 0;
        for (; k < from; ++k)
            to[i + k] = 0.0f;
        if (sw == 1)
            for (; k + 8 <= until; k += 8)
                *(__global vec_anywhere *)(to + i + k) = *(const __global vec_anywhere *)(row + k);
        for (; k < until; ++k)
            to[i + k] = row[(size_t)k * sw];
        for (; k < count; ++k)
            to[i + k] = 0.0f;
        i += count;
        if (++y == oh) {
            y = 0;
            ++n;
        }
    }
#else
    for (int i = get_local_id(0); i < TILE; i += LANES) {
        const int pixel = start + i, x = pixel % ow, y = pixel / ow % oh, n = pixel / ow / oh;
        const int top = y * sh + r * dh - ph, left = x * sw + s * dw - pw;
        float v = 0.0f;
        if (pixel < pixels && top >= 0 && top < ih && left >= 0 && left < iw)
            v = input[(((size_t)n * channels + channel) * ih + top) * iw + left];
        to[i] = v;
    }
#endif
}

/* Code for AVX2: from NCHW arrays to bands and back. */
#include "bands_simd.h"


/* n floats and up to seven more. */
INLINE void AVX2 clear(float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i += BAND_LANES) _mm256_storeu_ps(to + i, _mm256_setzero_ps());
}

static void copy_strided(float *to, const float *from, int64_t n, int64_t stride)
{
    for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
}

/* Rows of n >= 8 floats to places `pitch` apart, each followed by `gap` zeros or more, which the next row may cover. */
INLINE void AVX2 copy_rows(const int64_t vectors, float *to, const float *from, int64_t n, int64_t rows, int64_t pitch, int64_t stride)
{
    for (; rows > 0; rows--, to += pitch, from += stride) {
        UNROLL for (int64_t k = 0; k + 1 < vectors; k++) _mm256_storeu_ps(to + k * BAND_LANES, _mm256_loadu_ps(from + k * BAND_LANES));
        _mm256_storeu_ps(to + n - BAND_LANES, _mm256_loadu_ps(from + n - BAND_LANES));
        clear(to + n, pitch - n);
    }
}

/* The same of 4 to 7 floats. */
INLINE void AVX2 copy_short_rows(float *to, const float *from, int64_t n, int64_t rows, int64_t pitch, int64_t stride)
{
    for (; rows > 0; rows--, to += pitch, from += stride) {
        __m128 first = _mm_loadu_ps(from), last = _mm_loadu_ps(from + n - 4);
        _mm_storeu_ps(to, first);
        _mm_storeu_ps(to + n - 4, last);
        clear(to + n, pitch - n);
    }
}

static void AVX2 copy_image(float *to, const float *from, int64_t n, int64_t rows, int64_t pitch, int64_t stride)
{
    int64_t vectors = ceil_div(n, BAND_LANES);
    if (n >= 4 && n < BAND_LANES) copy_short_rows(to, from, n, rows, pitch, stride);
    else if (n < 4)
        for (; rows > 0; rows--, to += pitch, from += stride) {
            for (int64_t i = 0; i < n; i++) to[i] = from[i];
            clear(to + n, pitch - n);
        }
    else if (vectors == 2) copy_rows(2, to, from, n, rows, pitch, stride);
    else if (vectors == 4) copy_rows(4, to, from, n, rows, pitch, stride);
    else copy_rows(vectors, to, from, n, rows, pitch, stride);
}

/* Phase plane (a, b) of one channel, zeros included; they may reach past its end, where the next plane is written later. Rows that do
 * not fit as a whole are read by no tap. */
static void AVX2 flatten_plane(const struct bk_bands *bands, const float *x, float *flat, int64_t a, int64_t b)
{
    const struct bk_problem *p = &bands->problem;
    int64_t pitch = bands->pitch, left = lead(p, b), n = smaller(past(p, b), pitch) - left, top = ceil_div(p->ph - a, p->sh);
    int64_t rows = smaller(ceil_div(p->ih + p->ph - a, p->sh) - top, (bands->flat - left - n) / pitch + 1 - top);
    if (n <= 0 || rows <= 0) {
        clear(flat, bands->flat);
        return;
    }
    float *to = flat + top * pitch + left;
    const float *from = x + (top * p->sh + a - p->ph) * p->iw + left * p->sw + b - p->pw;
    clear(flat, to - flat);
    if (p->sw == 1) copy_image(to, from, n, rows, pitch, p->sh * p->iw);
    else
        for (int64_t i = 0; i < rows; i++, from += p->sh * p->iw) {
            copy_strided(to + i * pitch, from, n, p->sw);
            clear(to + i * pitch + n, pitch - n);
        }
    int64_t done = to - flat + (rows - 1) * pitch + n;
    clear(flat + done, bands->flat - done);
}

void bands_flatten(const struct bk_bands *bands, const float *x, float *flat, int64_t channels)
{
    const struct bk_problem *p = &bands->problem;
    for (int64_t c = 0; c < channels; c++, x += p->ih * p->iw)
        for (int64_t a = 0; a < bands->row_axis.phases; a++)
            for (int64_t b = 0; b < bands->column_axis.phases; b++, flat += bands->flat)
                flatten_plane(bands, x, flat, bands->row_axis.phase[a], bands->column_axis.phase[b]);
}

/* Floats k of four vectors, for each half of them: the 4x4 transposes that bands need both ways. */
INLINE void AVX2 transpose(__m256 v[4])
{
    __m256 a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
    __m256 c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
    v[0] = _mm256_shuffle_ps(a, c, 0x44);
    v[1] = _mm256_shuffle_ps(a, c, 0xEE);
    v[2] = _mm256_shuffle_ps(b, d, 0x44);
    v[3] = _mm256_shuffle_ps(b, d, 0xEE);
}

INLINE void AVX2 store_transposed(__m256 v[4], float *to)
{
    transpose(v);
    UNROLL for (int64_t k = 0; k < BAND_QUAD; k++) _mm256_store_ps(to + k * BAND_LANES, v[k]);
}

/* Row by row of the plane, four columns at a time; a row's end may cover the start of the next, which is written later. */
static void AVX2 pack_plane(const struct bk_bands *bands, const float *flat, float *plane)
{
    int64_t band = bands->band, width = bands->plane_width;
    for (int64_t i = 0; i < bands->rows + bands->row_reach; i++, flat += bands->pitch, plane += width * BAND_LANES)
        for (int64_t c = 0; c < width; c += BAND_QUAD) {
            __m256 v[4];
            UNROLL for (int64_t l = 0; l < 4; l++) {
                __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(flat + l * band + c));
                v[l] = _mm256_insertf128_ps(low, _mm_loadu_ps(flat + (l + 4) * band + c), 1);
            }
            store_transposed(v, plane + c * BAND_LANES);
        }
}

/* The same from the channel itself. */
static void AVX2 pack_directly(const struct bk_bands *bands, const struct bands_source *source, const float *x, float *plane)
{
    int64_t width = bands->plane_width;
    for (int64_t i = 0; i < bands->rows + bands->row_reach; i++, plane += width * BAND_LANES)
        for (int64_t c = 0; c < width; c += BAND_QUAD, source++) {
            __m256 v[4];
            UNROLL for (int64_t l = 0; l < 4; l++) {
                __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(x + source->from[l]));
                v[l] = _mm256_insertf128_ps(low, _mm_loadu_ps(x + source->from[l + 4]), 1);
            }
            if (!source->whole) UNROLL for (int64_t l = 0; l < 4; l++) {
                __m256i picked = _mm256_shuffle_epi8(_mm256_castps_si256(v[l]), _mm256_loadu_si256((const __m256i *)source->pick[l]));
                v[l] = _mm256_castsi256_ps(picked);
            }
            store_transposed(v, plane + c * BAND_LANES);
        }
}

void AVX2 bands_pack(const struct bk_bands *bands, const struct bands_strip *strip, const float *source, float *planes, int64_t channels)
{
    const struct bk_problem *p = &bands->problem;
    int64_t phases = bands->row_axis.phases * bands->column_axis.phases, plane = bands->plane / phases * BAND_LANES;
    if (bands->direct) {
        const struct bands_source *first = bands->source + (strip - bands->strip) * bands->sources;
        for (int64_t c = 0; c < channels; c++) pack_directly(bands, first, source + c * p->ih * p->iw, planes + c * plane);
        return;
    }
    for (int64_t k = 0; k < channels * phases; k++) pack_plane(bands, source + k * bands->flat + strip->column, planes + k * plane);
}

/* Up to four outputs of one lane. */
INLINE void AVX2 write_four(const struct bands_place *place, int kind, __m128 four, float *y)
{
    if (kind < QUAD_WHOLE) four = _mm_permutevar_ps(four, _mm_loadu_si128((const __m128i *)place->pick));
    if (kind > QUAD_EXACT || place->loose) _mm_storeu_ps(y + place->position, four);
    else store_some(y + place->position, four, place->count);
}

INLINE void AVX2 write_lanes(const struct bands_place *place, int kind, const __m256 v[4], float *y)
{
    UNROLL for (int l = 0; l < 4; l++)
    {
        write_four(place + l, kind, _mm256_castps256_ps128(v[l]), y);
        write_four(place + l + 4, kind, _mm256_extractf128_ps(v[l], 1), y);
    }
}

INLINE void AVX2 write_quad(const struct bands_quad *quad, const float *sums, float *y)
{
    const float *first = sums + quad->tile * BAND_SUMS * BAND_LANES, *second = quad->columns > 2 ? first + BAND_SUMS * BAND_LANES : first;
    __m256 v[4] = {_mm256_load_ps(first), _mm256_load_ps(first + BAND_LANES), _mm256_load_ps(second), _mm256_load_ps(second + BAND_LANES)};
    transpose(v);
    if (quad->kind == QUAD_WHOLE) write_lanes(quad->place, QUAD_WHOLE, v, y);
    else if (quad->kind == QUAD_LOOSE) write_lanes(quad->place, QUAD_LOOSE, v, y);
    else write_lanes(quad->place, QUAD_EXACT, v, y);
}

void AVX2 bands_unpack(const struct bk_bands *bands, const struct bands_strip *strip, const float *sums, float *y, const int32_t *order,
                       int64_t from, int64_t to)
{
    int64_t pixels = bands->problem.oh * bands->problem.ow;
    const struct bands_quad *quads = bands->place + strip->quad;
    for (int64_t block = from; block < to; block++, sums += bands->most_tiles * BAND_SUMS * BAND_LANES)
        for (int64_t k = bands_first(bands, block), r = 0; k < bands_first(bands, block + 1); k++, r++)
            for (int64_t q = 0; q < strip->quads; q++) write_quad(quads + q, sums + r * BAND_VECTORS * BAND_LANES, y + order[k] * pixels);
}

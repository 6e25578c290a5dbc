/* Bodies of the probes for the vector width of the file that includes this one (LANES, SET_NAME, SET). */
#include <string.h>

#include "probe.h"

#if defined(__GNUC__) && LANES > 1
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_any __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define WIDTH LANES
#define LOAD(p) (*(const vec_any *)(p))
#define STORE(p, v) (*(vec_any *)(p) = (v))
#define SPLAT(x) ((vec){0} + (x))
#else
typedef float vec;
#define WIDTH 1
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SPLAT(x) (x)
#endif

/* Enough chains to cover 2 multiply-adds a cycle at 4 to 5 cycles of latency, and to stay in 16 registers. */
#define CHAINS 12
#define EACH(statement) \
  do { \
    statement(0) statement(1) statement(2) statement(3) statement(4) statement(5) \
    statement(6) statement(7) statement(8) statement(9) statement(10) statement(11) \
  } while (0)

static volatile float sink;

static void keep(const vec *chains) {
  float sum = 0;
  for (int i = 0; i < CHAINS; i++) {
    float lanes[WIDTH];
    memcpy(lanes, &chains[i], sizeof lanes);
    for (int j = 0; j < WIDTH; j++) sum += lanes[j];
  }
  sink = sum;
}

static double peak(long rounds) {
  volatile float factor = 0.999f, addend = 0.001f;
  vec chain[CHAINS], a = SPLAT(factor), b = SPLAT(addend);
  for (int i = 0; i < CHAINS; i++) chain[i] = SPLAT(1.0f + 0.01f * i);
  for (long r = 0; r < rounds; r++) {
#define STEP(i) chain[i] = chain[i] * a + b;
    EACH(STEP);
#undef STEP
  }
  keep(chain);
  return 2.0 * CHAINS * WIDTH * (double)rounds;
}

static double read_passes(float *buffer, size_t floats, long passes) {
  vec chain[CHAINS] = {0};
  size_t end = floats / (CHAINS * WIDTH) * (CHAINS * WIDTH);
  for (long p = 0; p < passes; p++)
    for (size_t i = 0; i < end; i += CHAINS * WIDTH) {
#define STEP(k) chain[k] += LOAD(buffer + i + (k) * WIDTH);
      EACH(STEP);
#undef STEP
    }
  keep(chain);
  return 4.0 * (double)end * (double)passes;
}

static double triad(float *buffer, size_t floats, long passes) {
  size_t n = floats / 3 / (4 * WIDTH) * (4 * WIDTH);
  float *a = buffer;
  const float *b = buffer + n, *c = buffer + 2 * n;
  vec scale = SPLAT(0.5f);
  for (long p = 0; p < passes; p++)
    for (size_t i = 0; i < n; i += 4 * WIDTH)
      for (int k = 0; k < 4; k++) STORE(a + i + k * WIDTH, LOAD(b + i + k * WIDTH) + scale * LOAD(c + i + k * WIDTH));
  return 12.0 * (double)n * (double)passes;
}

static double fma_load(float *buffer, size_t floats, long passes) {
  volatile float factor = 0.999f;
  vec chain[CHAINS] = {0}, a = SPLAT(factor);
  size_t end = floats / (CHAINS * WIDTH) * (CHAINS * WIDTH);
  for (long p = 0; p < passes; p++)
    for (size_t i = 0; i < end; i += CHAINS * WIDTH) {
#define STEP(k) chain[k] += a * LOAD(buffer + i + (k) * WIDTH);
      EACH(STEP);
#undef STEP
    }
  keep(chain);
  return 2.0 * (double)end * (double)passes;
}

static inline int clamp(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

#ifndef COPY_ROWS
static float *copy_rows(const row_block *b, int stride, float *out, const float *limit) {
  const float *source = b->source;
  (void)stride, (void)limit;
  for (int row = 0; row < b->rows; row++, source += b->source_step, out += b->count) {
    int x = 0;
    for (; x < b->lo; x++) out[x] = 0;
    for (; x + WIDTH <= b->hi; x += WIDTH) STORE(out + x, LOAD(source + x));
    for (; x < b->hi; x++) out[x] = source[x];
    for (; x < b->count; x++) out[x] = 0;
  }
  return out;
}
#define COPY_ROWS copy_rows
#define CAN_COPY(stride) ((stride) == 1)
#endif

static float *gather_rows(const row_block *b, int stride, float *out) {
  const float *source = b->source;
  for (int row = 0; row < b->rows; row++, source += b->source_step, out += b->count) {
    int x = 0;
    for (; x < b->lo; x++) out[x] = 0;
    for (; x < b->hi; x++) out[x] = source[(ptrdiff_t)x * stride];
    for (; x < b->count; x++) out[x] = 0;
  }
  return out;
}

static float *zero_rows(float *out, int rows, int count) {
  memset(out, 0, sizeof(float) * (size_t)rows * (size_t)count);
  return out + (ptrdiff_t)rows * count;
}

/* Positions in [from, to) whose pixel first + position * step lies in [0, size): where they begin and end. */
static void inside(int first, int step, int size, int from, int to, int *begin, int *end) {
  *begin = clamp(first < 0 ? (-first + step - 1) / step : 0, to);
  *end = clamp(size > first ? (size - first + step - 1) / step : 0, to);
  if (*begin < from) *begin = from;
  if (*end < *begin) *end = *begin;
}

/* One row of the matrix: kernel tap (r, s) of one channel; nothing is written at or past `limit`. */
static float *tap(const geometry *g, const float *plane, float *out, const float *limit, int r, int s, int y0, int y1) {
  int top = r * (g->dh + 1) - g->ph, left = s * (g->dw + 1) - g->pw, begin, end;
  row_block b = {.count = g->ow, .source_step = (size_t)g->sh * (size_t)g->iw};
  inside(left, g->sw, g->iw, 0, g->ow, &b.lo, &b.hi);
  inside(top, g->sh, g->ih, y0, y1, &begin, &end);
  b.rows = end - begin;
  b.source = plane + (ptrdiff_t)(begin * g->sh + top) * g->iw + left;
  out = zero_rows(out, begin - y0, g->ow);
  out = CAN_COPY(g->sw) ? COPY_ROWS(&b, g->sw, out, limit) : gather_rows(&b, g->sw, out);
  return zero_rows(out, y1 - end, g->ow);
}

static void im2col(const geometry *g, const float *image, float *columns, int c0, int c1, int y0, int y1) {
  const float *limit = columns + (size_t)(c1 - c0) * g->kh * g->kw * (y1 - y0) * g->ow;
  for (int c = c0; c < c1; c++) {
    const float *plane = image + (size_t)c * g->ih * g->iw;
    for (int r = 0; r < g->kh; r++)
      for (int s = 0; s < g->kw; s++) columns = tap(g, plane, columns, limit, r, s, y0, y1);
  }
}

#include "winograd_body.h"

const probe_set SET = {SET_NAME, peak, read_passes, triad, fma_load, im2col, {winograd_in, winograd_out}};

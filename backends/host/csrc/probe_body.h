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

#ifndef COPY_ROW
/* Copies `count` floats of which those outside [lo, hi) are zero; source points at the column-0 pixel. */
static inline void copy_row(float *out, const float *source, int lo, int hi, int count) {
  int x = 0;
  for (; x < lo; x++) out[x] = 0;
  for (; x + WIDTH <= hi; x += WIDTH) STORE(out + x, LOAD(source + x));
  for (; x < hi; x++) out[x] = source[x];
  for (; x < count; x++) out[x] = 0;
}
#define COPY_ROW copy_row
#endif

static inline void gather_row(float *out, const float *source, int stride, int lo, int hi, int count) {
  int x = 0;
  for (; x < lo; x++) out[x] = 0;
  for (; x < hi; x++) out[x] = source[(ptrdiff_t)x * stride];
  for (; x < count; x++) out[x] = 0;
}

/* One row of the matrix: kernel tap (r, s) of one channel. */
static float *tap(const geometry *g, const float *plane, float *out, int r, int s, int y0, int y1) {
  int left = s * (g->dw + 1) - g->pw;
  int lo = clamp(left < 0 ? (-left + g->sw - 1) / g->sw : 0, g->ow);
  int hi = clamp(g->iw > left ? (g->iw - left + g->sw - 1) / g->sw : 0, g->ow);
  if (hi < lo) hi = lo;
  for (int y = y0; y < y1; y++, out += g->ow) {
    int iy = y * g->sh + r * (g->dh + 1) - g->ph;
    if (iy < 0 || iy >= g->ih) {
      memset(out, 0, sizeof(float) * (size_t)g->ow);
      continue;
    }
    const float *source = plane + (ptrdiff_t)iy * g->iw + left;
    if (g->sw == 1)
      COPY_ROW(out, source, lo, hi, g->ow);
    else
      gather_row(out, source, g->sw, lo, hi, g->ow);
  }
  return out;
}

static void im2col(const geometry *g, const float *image, float *columns, int c0, int c1, int y0, int y1) {
  for (int c = c0; c < c1; c++) {
    const float *plane = image + (size_t)c * g->ih * g->iw;
    for (int r = 0; r < g->kh; r++)
      for (int s = 0; s < g->kw; s++) columns = tap(g, plane, columns, r, s, y0, y1);
  }
}

const probe_set SET = {SET_NAME, peak, read_passes, triad, fma_load, im2col};

/* Winograd's transforms for the vector width of the file that includes probe_body.h: one channel a lane.
   Matrices: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.1 and 4.2. */
#if WIDTH == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif WIDTH == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif WIDTH == 4
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

/* Transposes WIDTH vectors: each round interleaves the first half with the second, log2(WIDTH) rounds in all. */
static inline void transpose(vec *v) {
#if WIDTH > 1
  vec w[WIDTH];
  for (int round = 1; round < WIDTH; round *= 2) {
    for (int i = 0; i < WIDTH / 2; i++) {
      w[2 * i] = __builtin_shufflevector(v[i], v[i + WIDTH / 2], LOW);
      w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + WIDTH / 2], HIGH);
    }
    for (int i = 0; i < WIDTH; i++) v[i] = w[i];
  }
#else
  (void)v;
#endif
}

/* Copies fewer than 16 floats. */
static inline void copy_some(float *to, const float *from, int count) {
  if (count & 8) memcpy(to, from, 32), to += 8, from += 8;
  if (count & 4) memcpy(to, from, 16), to += 4, from += 4;
  if (count & 2) memcpy(to, from, 8), to += 2, from += 2;
  if (count & 1) memcpy(to, from, 4);
}

static inline vec load_some(const float *from, int count) {
  if (count >= WIDTH) return LOAD(from);
  float lanes[WIDTH] = {0};
  copy_some(lanes, from, count);
  return LOAD(lanes);
}

/* to[x] = pixel x of each of `channels` rows that lie `stride` apart; up to WIDTH - 1 more pixels are written. */
static void interleave(const float *from, size_t stride, int channels, int count, const float *limit, float *to) {
  for (int x = 0; x < count; x += WIDTH) {
    vec block[WIDTH];
    int left = count - x < WIDTH ? count - x : WIDTH;
    for (int c = 0; c < WIDTH; c++) {
      const float *source = from + (c < channels ? c : 0) * stride + x;
      if (c >= channels) block[c] = SPLAT(0.0f);
      else block[c] = load_some(source, limit - source >= WIDTH ? WIDTH : left);
    }
    transpose(block);
    for (int i = 0; i < WIDTH; i++) STORE(to + (size_t)(x + i) * WIDTH, block[i]);
  }
}

/* The way back: pixel x of `channels` rows from from[x]; reads up to WIDTH - 1 more pixels. */
static void deinterleave(const float *from, int channels, int count, float *to, size_t stride) {
  for (int x = 0; x < count; x += WIDTH) {
    vec block[WIDTH];
    int left = count - x;
    for (int i = 0; i < WIDTH; i++) block[i] = LOAD(from + (size_t)(x + i) * WIDTH);
    transpose(block);
    for (int c = 0; c < channels; c++) {
      if (left >= WIDTH) STORE(to + c * stride + x, block[c]);
      else copy_some(to + c * stride + x, (const float *)&block[c], left);
    }
  }
}

static inline void into_2(const vec *d, size_t by, vec *t, size_t to) {
  vec a = d[0], b = d[by], c = d[2 * by], e = d[3 * by];
  t[0] = a - c;
  t[to] = b + c;
  t[2 * to] = c - b;
  t[3 * to] = b - e;
}

static inline void into_4(const vec *d, size_t by, vec *t, size_t to) {
  vec a = d[0], b = d[by], c = d[2 * by], e = d[3 * by], f = d[4 * by], g = d[5 * by];
  vec even = f - 4.0f * c, odd = e - 4.0f * b, wide = f - c, steep = 2.0f * (e - b);
  t[0] = 4.0f * a - 5.0f * c + f;
  t[to] = even + odd;
  t[2 * to] = even - odd;
  t[3 * to] = wide + steep;
  t[4 * to] = wide - steep;
  t[5 * to] = 4.0f * b - 5.0f * e + g;
}

static inline void out_2(const vec *m, size_t by, vec *t, size_t to) {
  t[0] = m[0] + m[by] + m[2 * by];
  t[to] = m[by] - m[2 * by] - m[3 * by];
}

static inline void out_4(const vec *m, size_t by, vec *t, size_t to) {
  vec sum = m[by] + m[2 * by], difference = m[by] - m[2 * by], sum2 = m[3 * by] + m[4 * by], difference2 = m[3 * by] - m[4 * by];
  t[0] = m[0] + sum + sum2;
  t[to] = difference + 2.0f * difference2;
  t[2 * to] = sum + 4.0f * sum2;
  t[3 * to] = difference + 8.0f * difference2 + m[5 * by];
}

static inline vec act(vec value, int relu) {
#if WIDTH > 1
  typedef int32_t mask __attribute__((vector_size(4 * LANES)));
  return relu ? (vec)((mask)value & (mask)(value > 0)) : value;
#else
  return relu && !(value > 0) ? 0 : value;
#endif
}

/* One tile: T = transform(d) along the rows, then along the columns. */
#define TILE_IN(m) \
  static void tile_in_##m(float *const *rows, size_t x, float *to, size_t step) { \
    enum { SIDE = m + 2 }; \
    vec d[SIDE * SIDE], half[SIDE * SIDE]; \
    for (int i = 0; i < SIDE; i++) \
      for (int j = 0; j < SIDE; j++) d[i * SIDE + j] = LOAD(rows[i] + (x + j) * WIDTH); \
    for (int j = 0; j < SIDE; j++) into_##m(d + j, SIDE, half + j, SIDE); \
    for (int i = 0; i < SIDE; i++) into_##m(half + i * SIDE, 1, d + i * SIDE, 1); \
    for (int p = 0; p < SIDE * SIDE; p++) STORE(to + p * step, d[p]); \
  }
#define TILE_OUT(m) \
  static void tile_out_##m(const float *from, size_t step, vec bias, int relu, float *to, size_t row) { \
    enum { SIDE = m + 2 }; \
    vec d[SIDE * SIDE], half[m * SIDE], y[m * m]; \
    for (int p = 0; p < SIDE * SIDE; p++) d[p] = LOAD(from + p * step); \
    for (int j = 0; j < SIDE; j++) out_##m(d + j, SIDE, half + j, SIDE); \
    for (int i = 0; i < m; i++) out_##m(half + i * SIDE, 1, y + i * m, 1); \
    for (int i = 0; i < m; i++) \
      for (int j = 0; j < m; j++) STORE(to + i * row + j * WIDTH, act(y[i * m + j] + bias, relu)); \
  }

TILE_IN(2)
TILE_IN(4)
TILE_OUT(2)
TILE_OUT(4)

/* Row y of the padded image, one vector a pixel. */
static void stage_row(const winograd_job *job, const float *planes, const float *limit, int channels, int y, int width, float *to) {
  int first = job->pw < width ? job->pw : width, last = clamp(job->iw + job->pw - first, width - first) + first;
  if (y < 0 || y >= job->ih) first = last = width;
  memset(to, 0, sizeof(vec) * (size_t)first);
  if (last > first)
    interleave(planes + (size_t)y * job->iw + (first - job->pw), (size_t)job->ih * job->iw, channels, last - first, limit, to + first * WIDTH);
  memset(to + (size_t)last * WIDTH, 0, sizeof(vec) * (size_t)(width - last));
}

static void winograd_in(const winograd_job *job, const float *planes, const float *limit, int row, int rows, float *staging, winograd_points to) {
  int m = job->tile, side = m + 2, across = winograd_across(job), width = across * m + 2, channels = job->ic / job->g;
  size_t line = (size_t)(width + WINOGRAD_LANES) * WIDTH, padded = (size_t)winograd_padded(channels);
  for (int c = 0; c < channels; c += WIDTH) {
    const float *plane = planes + (size_t)c * job->ih * job->iw;
    int left = channels - c < WIDTH ? channels - c : WIDTH, staged = row * m;
    for (int i = 0; i < rows; i++) {
      float *lines[6], *target = to.points + (size_t)i * across * padded + c;
      /* A ring of rows: the last two of the row of tiles above are there already. */
      for (; staged < (row + i) * m + side; staged++) stage_row(job, plane, limit, left, staged - job->ph, width, staging + staged % side * line);
      for (int k = 0; k < side; k++) lines[k] = staging + ((row + i) * m + k) % side * line;
      for (int t = 0; t < across; t++, target += padded)
        (m == 2 ? tile_in_2 : tile_in_4)(lines, (size_t)t * m, target, to.step);
    }
  }
}

static void winograd_out(const winograd_job *job, winograd_points from, int row, int rows, float *staging, float *planes, const float *bias) {
  int m = job->tile, across = winograd_across(job), channels = job->oc / job->g;
  size_t line = (size_t)(across * m + WINOGRAD_LANES) * WIDTH, padded = (size_t)winograd_padded(channels), pixels = (size_t)job->oh * job->ow;
  for (int c = 0; c < channels; c += WIDTH) {
    int left = channels - c < WIDTH ? channels - c : WIDTH;
    vec add = bias ? load_some(bias + c, left) : SPLAT(0.0f);
    for (int i = 0; i < rows; i++) {
      const float *source = from.points + (size_t)i * across * padded + c;
      int y = (row + i) * m;
      for (int t = 0; t < across; t++, source += padded)
        (m == 2 ? tile_out_2 : tile_out_4)(source, from.step, add, job->relu, staging + (size_t)t * m * WIDTH, line);
      for (int k = 0; k < m && y + k < job->oh; k++)
        deinterleave(staging + k * line, left, job->ow, planes + c * pixels + (size_t)(y + k) * job->ow, pixels);
    }
  }
}

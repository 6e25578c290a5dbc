/* The loop over groups and blocks of tiles around a batched BLAS. */
#include "winograd.h"

#include "clock.h"

enum { ROW_MAJOR = 101, PLAIN = 111 };

typedef void (*sgemm_batch)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, int step_a, const float *b, int ldb,
                            int step_b, float beta, float *c, int ldc, int step_c, int count);

/* One product a point: tiles x ic/g times ic/g x oc/g. */
static double multiply(const winograd_job *job, const float *weights, winograd_points input, winograd_points product, int tiles, void *gemm) {
  int k = job->ic / job->g, n = job->oc / job->g, side = job->tile + 2, lda = winograd_padded(k), ldb = winograd_padded(n);
  double start = now();
  ((sgemm_batch)gemm)(ROW_MAJOR, PLAIN, PLAIN, tiles, n, k, 1, input.points, lda, (int)input.step, weights, ldb, k * ldb, 0, product.points, ldb,
                      (int)product.step, side * side);
  return now() - start;
}

/* Rows of tiles first..last, counted through all images, of one group. */
static double block(const winograd_job *job, const winograd_arrays *arrays, const winograd_transforms *transforms, void *gemm, int group, int first,
                    int last) {
  int down = winograd_down(job), across = winograd_across(job), inputs = job->ic / job->g, outputs = job->oc / job->g, tiles = (last - first) * across;
  size_t input_pixels = (size_t)job->ih * job->iw, output_pixels = (size_t)job->oh * job->ow;
  const float *bias = arrays->bias ? arrays->bias + (size_t)group * outputs : arrays->bias, *limit = arrays->x + job->mb * (size_t)job->ic * input_pixels;
  winograd_points input = {arrays->input, winograd_step((size_t)tiles, inputs)}, product = {arrays->product, winograd_step((size_t)tiles, outputs)};
  double seconds = 0;
  for (int back = 0; back < 2; back++) {
    if (back) seconds = multiply(job, (const float *)(uintptr_t)arrays->weights[group], input, product, tiles, gemm);
    for (int row = first, stop; row < last; row = stop) {
      int image = row / down;
      size_t part = (size_t)image * job->g + group, done = (size_t)(row - first) * across;
      stop = (image + 1) * down < last ? (image + 1) * down : last;
      winograd_points from = {product.points + done * winograd_padded(outputs), product.step};
      winograd_points to = {input.points + done * winograd_padded(inputs), input.step};
      if (back) transforms->out(job, from, row % down, stop - row, arrays->staging, arrays->y + part * outputs * output_pixels, bias);
      else transforms->into(job, arrays->x + part * inputs * input_pixels, limit, row % down, stop - row, arrays->staging, to);
    }
  }
  return seconds;
}

double winograd(const winograd_job *job, const winograd_arrays *arrays, const winograd_transforms *transforms, void *gemm) {
  double seconds = 0;
  int rows = job->mb * winograd_down(job);
  for (int group = 0; group < job->g; group++)
    for (int first = 0; first < rows; first += job->rows)
      seconds += block(job, arrays, transforms, gemm, group, first, rows - first < job->rows ? rows : first + job->rows);
  return seconds;
}

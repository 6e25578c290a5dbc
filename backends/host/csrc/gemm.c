/* The loop over images, groups and blocks of rows around a BLAS. */
#include "gemm.h"

#include "clock.h"
#include "finish.h"

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112, PACKED = 151 };

typedef void (*sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                      float *c, int ldc);
typedef void (*sgemm_compute)(int order, int ta, int tb, int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
                              float *c, int ldc);

/* m channels, n pixels, k deep; rows of y lie `stride` apart. */
static void multiply(const gemm_job *job, void *gemm, const float *w, const float *columns, float *out, int m, int n, int k, int stride) {
  if (job->transposed && job->packed)
    ((sgemm_compute)gemm)(ROW_MAJOR, TRANSPOSED, PACKED, n, m, k, columns, n, w, k, 0, out, m);
  else if (job->transposed)
    ((sgemm)gemm)(ROW_MAJOR, TRANSPOSED, TRANSPOSED, n, m, k, 1, columns, n, w, k, 0, out, m);
  else if (job->packed)
    ((sgemm_compute)gemm)(ROW_MAJOR, PACKED, PLAIN, m, n, k, w, k, columns, n, 0, out, stride);
  else
    ((sgemm)gemm)(ROW_MAJOR, PLAIN, PLAIN, m, n, k, 1, w, k, columns, n, 0, out, stride);
}

/* Output rows y0..y1 of one image and group. */
static double block(const geometry *g, const gemm_job *job, const gemm_arrays *arrays, const probe_set *set, void *gemm, int part, int y0, int y1) {
  int channels = g->ic / job->g, m = job->oc / job->g, k = channels * g->kh * g->kw, n = (y1 - y0) * g->ow, pixels = g->oh * g->ow;
  int image = part / job->g, group = part % job->g;
  const float *x = arrays->x + (size_t)image * g->ic * g->ih * g->iw;
  const float *columns = job->identity ? x + (size_t)group * channels * pixels : arrays->columns;
  if (!job->identity) set->im2col(g, x, arrays->columns, group * channels, (group + 1) * channels, y0, y1);
  float *y = arrays->y + (size_t)part * m * pixels + (size_t)y0 * g->ow;
  const float *weights = (const float *)(uintptr_t)arrays->weights[group], *bias = arrays->bias ? arrays->bias + (size_t)group * m : NULL;
  double start = now();
  multiply(job, gemm, weights, columns, job->transposed ? arrays->product : y, m, n, k, pixels);
  double seconds = now() - start;
  if (job->transposed)
    transpose_finish(arrays->product, n, m, y, (size_t)pixels, bias, job->relu);
  else
    finish_rows(y, m, n, (size_t)pixels, bias, job->relu);
  return seconds;
}

double im2col_gemm(const geometry *g, const gemm_job *job, const gemm_arrays *arrays, const probe_set *set, void *gemm) {
  double seconds = 0;
  for (int part = 0; part < job->mb * job->g; part++)
    for (int i = 0; i < job->blocks; i++) seconds += block(g, job, arrays, set, gemm, part, block_edge(g, job, i), block_edge(g, job, i + 1));
  return seconds;
}

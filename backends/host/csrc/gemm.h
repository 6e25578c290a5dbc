/* Convolution as im2col and a matrix product that somebody else's BLAS computes. */
#ifndef BREAKEVEN_GEMM_H
#define BREAKEVEN_GEMM_H

#include "probe.h"

/* identity: the image is its own matrix. blocks: ranges of output rows to lower at a time.
   transposed: the product is columns' x weights' (pixels x channels). packed: weights in the BLAS's own order. */
typedef struct {
  int32_t mb, g, oc, identity, blocks, transposed, packed, relu;
} gemm_job;

typedef struct {
  const float *x, *bias; /* bias may be NULL */
  float *y, *columns, *product;
  const uint64_t *weights; /* addresses, one a group */
} gemm_arrays;

/* First output row of block `i`. */
static inline int block_edge(const geometry *g, const gemm_job *job, int i) { return (int)((int64_t)g->oh * i / job->blocks); }

/* Runs the job with cblas_sgemm (cblas_sgemm_compute where packed) at `gemm`; returns the seconds of the products alone. */
double im2col_gemm(const geometry *g, const gemm_job *job, const gemm_arrays *arrays, const probe_set *set, void *gemm);

#endif

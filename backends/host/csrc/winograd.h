/* Winograd convolution F(m x m, 3 x 3) around somebody else's batched matrix product. */
#ifndef BREAKEVEN_WINOGRAD_H
#define BREAKEVEN_WINOGRAD_H

#include <stddef.h>
#include <stdint.h>

/* Channels of the transformed arrays are padded to multiples of this; the widest vector. */
#define WINOGRAD_LANES 16

/* tile: m, 2 or 4. rows: rows of tiles a block, counted through all images. */
typedef struct {
  int32_t mb, g, ic, ih, iw, oc, oh, ow, ph, pw, tile, rows, relu;
} winograd_job;

typedef struct {
  const float *x, *bias; /* bias may be NULL */
  float *y, *input, *product, *staging;
  const uint64_t *weights; /* addresses, one a group: (m+2)^2 matrices of ic/g rows, each padded to WINOGRAD_LANES */
} winograd_arrays;

/* Point p of tile t in channel c lies at points[p * step + t * padded channels + c]. */
typedef struct {
  float *points;
  size_t step;
} winograd_points;

static inline int winograd_padded(int channels) { return (channels + WINOGRAD_LANES - 1) / WINOGRAD_LANES * WINOGRAD_LANES; }
static inline int winograd_down(const winograd_job *job) { return (job->oh + job->tile - 1) / job->tile; }
static inline int winograd_across(const winograd_job *job) { return (job->ow + job->tile - 1) / job->tile; }

/* Distance of two points: an odd number of cache lines, so that the points of a tile do not share a set of the cache. */
static inline size_t winograd_step(size_t tiles, int channels) { return (tiles * (size_t)winograd_padded(channels)) | WINOGRAD_LANES; }

/* Floats of staging: the rows of one row of tiles, one vector a pixel, with room for a whole block at their end. */
static inline size_t winograd_staging(const winograd_job *job) {
  return (size_t)(job->tile + 2) * ((size_t)winograd_across(job) * job->tile + 2 + WINOGRAD_LANES) * WINOGRAD_LANES;
}

typedef struct {
  /* Points of `rows` rows of tiles from row `row` of one image; `planes` are the group's channels, nothing is read from `limit` on. */
  void (*into)(const winograd_job *job, const float *planes, const float *limit, int row, int rows, float *staging, winograd_points to);
  /* Their outputs, bias added and clipped, into the group's output planes. */
  void (*out)(const winograd_job *job, winograd_points from, int row, int rows, float *staging, float *planes, const float *bias);
} winograd_transforms;

/* Runs the job with cblas_sgemm_batch_strided (32-bit integers) at `gemm`; returns the seconds of the products alone. */
double winograd(const winograd_job *job, const winograd_arrays *arrays, const winograd_transforms *transforms, void *gemm);

#endif

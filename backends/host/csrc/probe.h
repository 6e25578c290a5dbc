/* Probes of one core, compiled once for each instruction set; probe_body.h holds the code. */
#ifndef BREAKEVEN_PROBE_H
#define BREAKEVEN_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "winograd.h"

/* Geometry of a convolution as im2col needs it: benchdnn's letters, dilation counted from 0. */
typedef struct {
  int32_t ic, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow;
} geometry;

/* A row of the matrix that keeps the image's rows: `count` pixels of which those outside [lo, hi) are zero. */
typedef struct {
  const float *source; /* pixel of column 0 in the first row, perhaps before the image */
  size_t source_step;
  int rows, lo, hi, count;
} row_block;

typedef struct {
  const char *name;
  /* FLOP of `rounds` rounds of independent multiply-adds in registers. */
  double (*peak)(long rounds);
  /* Bytes that so many passes over `floats` numbers move; each array of the triad is a third of the buffer. */
  double (*read)(float *buffer, size_t floats, long passes);
  double (*triad)(float *buffer, size_t floats, long passes);
  /* FLOP of the passes of multiply-adds, each with one operand loaded from `buffer`. */
  double (*fma_load)(float *buffer, size_t floats, long passes);
  /* Columns of output rows y0..y1 for channels c0..c1 of one image: row (c, r, s), column (y - y0, x). */
  void (*im2col)(const geometry *g, const float *image, float *columns, int c0, int c1, int y0, int y1);
  winograd_transforms winograd;
} probe_set;

extern const probe_set probes_portable;
#ifdef HAVE_AVX2
extern const probe_set probes_avx2;
#endif
#ifdef HAVE_AVX512
extern const probe_set probes_avx512;
#endif

#endif

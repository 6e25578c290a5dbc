/* Epilogue of a matrix product. */
#ifndef BREAKEVEN_FINISH_H
#define BREAKEVEN_FINISH_H

#include <stddef.h>

/* rows[c][p] = act(rows[c][p] + bias[c]), in place; bias may be NULL. */
void finish_rows(float *rows, int count, int length, size_t stride, const float *bias, int relu);

/* target[c][p] = act(source[p][c] + bias[c]); rows of target lie `stride` apart. */
void transpose_finish(const float *source, int pixels, int channels, float *target, size_t stride, const float *bias, int relu);

#endif

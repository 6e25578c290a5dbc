/* What the files of the binding share. */
#ifndef BREAKEVEN_MODULE_H
#define BREAKEVEN_MODULE_H

#include <Python.h>

#include "probe.h"

extern const probe_set *best; /* of this processor */

/* The set of that name; NULL with a ValueError for another one. */
const probe_set *find_set(const char *name);

PyObject *py_winograd(PyObject *self, PyObject *args);
#define WINOGRAD_TEXT \
  "winograd(x, y, bias, input, product, staging, job, weights, gemm, isa=best) -> seconds of the products alone.\n\n" \
  "job: 13 int32: mb g ic ih iw oc oh ow ph pw tile rows relu; weights: g addresses (uint64); gemm: address of\n" \
  "cblas_sgemm_batch_strided. input, product and staging are scratch."

#endif

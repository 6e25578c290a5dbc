/* Python binding of the Winograd convolution; every argument is checked before memory is touched. */
#include <string.h>

#include "module.h"

static int numbers_fit(const winograd_job *job) {
  const int32_t *value = &job->mb;
  for (int i = 0; i < 13; i++)
    if (value[i] < (i == 8 || i == 9 || i == 12 ? 0 : 1) || value[i] > INT32_MAX / 8) return 0;
  if (job->ic % job->g || job->oc % job->g || (job->tile != 2 && job->tile != 4)) return 0;
  return (double)job->mb * winograd_down(job) <= INT32_MAX / 8 && (double)job->iw + job->pw < INT32_MAX / 8;
}

/* Whether every buffer (bytes) is as large as the job needs; products of int32 stay exact in double up to 2^53. */
static int buffers_fit(const winograd_job *job, const Py_buffer *x, const Py_buffer *y, const Py_buffer *bias, const Py_buffer *input,
                       const Py_buffer *product, const Py_buffer *staging, const Py_buffer *weights) {
  int inputs = job->ic / job->g, outputs = job->oc / job->g, all = job->mb * winograd_down(job), rows = job->rows < all ? job->rows : all;
  double tiles = (double)rows * winograd_across(job), points = (job->tile + 2) * (job->tile + 2);
  double widest = tiles * winograd_padded(inputs > outputs ? inputs : outputs) + WINOGRAD_LANES, matrix = (double)inputs * winograd_padded(outputs);
  if (widest > INT32_MAX || matrix > INT32_MAX) return 0;
  return (double)x->len >= 4.0 * job->mb * job->ic * job->ih * job->iw && (double)y->len >= 4.0 * job->mb * job->oc * job->oh * job->ow &&
         (!bias->buf || bias->len == 4 * (Py_ssize_t)job->oc) && weights->len == 8 * (Py_ssize_t)job->g &&
         (double)staging->len >= 4.0 * (double)winograd_staging(job) && (double)input->len >= 4 * points * (double)winograd_step((size_t)tiles, inputs) &&
         (double)product->len >= 4 * points * (double)winograd_step((size_t)tiles, outputs);
}

PyObject *py_winograd(PyObject *self, PyObject *args) {
  Py_buffer x, y, bias, input, product, staging, numbers, weights;
  unsigned long long gemm;
  const char *isa = best->name;
  double seconds = 0;
  (void)self;
  if (!PyArg_ParseTuple(args, "y*w*z*w*w*w*y*y*K|s", &x, &y, &bias, &input, &product, &staging, &numbers, &weights, &gemm, &isa)) return NULL;
  const probe_set *set = find_set(isa);
  winograd_job job;
  int ok = set && numbers.len == sizeof job && gemm;
  if (ok) memcpy(&job, numbers.buf, sizeof job);
  ok = ok && numbers_fit(&job) && buffers_fit(&job, &x, &y, &bias, &input, &product, &staging, &weights);
  if (ok) {
    winograd_arrays arrays = {x.buf, bias.buf, y.buf, input.buf, product.buf, staging.buf, weights.buf};
    Py_BEGIN_ALLOW_THREADS seconds = winograd(&job, &arrays, &set->winograd, (void *)(uintptr_t)gemm);
    Py_END_ALLOW_THREADS
  }
  Py_buffer *held[] = {&x, &y, &input, &product, &staging, &numbers, &weights};
  for (size_t i = 0; i < sizeof held / sizeof *held; i++) PyBuffer_Release(held[i]);
  if (bias.buf) PyBuffer_Release(&bias);
  if (!set) return NULL;
  if (!ok) return PyErr_Format(PyExc_ValueError, "winograd: job or buffer sizes do not fit together");
  return PyFloat_FromDouble(seconds);
}

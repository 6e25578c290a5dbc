/* Python binding of the host probes and of im2col; every argument is checked before memory is touched. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cpu.h"
#include "finish.h"
#include "gemm.h"
#include "module.h"

#define MOST_SAMPLES 64

static const probe_set *available[3];
static int available_count;
const probe_set *best;

const probe_set *find_set(const char *name) {
  for (int i = 0; i < available_count; i++)
    if (!strcmp(name, available[i]->name)) return available[i];
  PyErr_Format(PyExc_ValueError, "isa is '%s'; allowed: one of isas()", name);
  return NULL;
}

static PyObject *as_list(const double *values, int count) {
  PyObject *list = PyList_New(count);
  for (int i = 0; list && i < count; i++) {
    PyObject *value = PyFloat_FromDouble(values[i]);
    if (value) PyList_SetItem(list, i, value);
    else Py_CLEAR(list); /* ends the loop */
  }
  return list;
}

/* Rates of `samples` slices that take `seconds` together, after one slice of warm-up (clock, licence). */
static void sample_peak(const probe_set *set, double seconds, int samples, double *rates) {
  long rounds = 2000;
  double start = now(), slice = seconds / (samples + 1), taken;
  set->peak(rounds);
  while ((taken = now() - start) < slice / 4) {
    rounds *= 2;
    start = now();
    set->peak(rounds);
  }
  rounds = (long)(rounds * slice / taken) + 1;
  for (int i = 0; i < samples; i++) {
    start = now();
    double flops = set->peak(rounds);
    rates[i] = flops / (now() - start);
  }
}

static PyObject *py_fma_peak(PyObject *self, PyObject *args) {
  const char *isa;
  double seconds, rates[MOST_SAMPLES];
  int samples;
  (void)self;
  if (!PyArg_ParseTuple(args, "sdi", &isa, &seconds, &samples)) return NULL;
  const probe_set *set = find_set(isa);
  if (!set) return NULL;
  if (samples < 1 || samples > MOST_SAMPLES || !(seconds > 0 && seconds <= 10))
    return PyErr_Format(PyExc_ValueError, "samples is %d; allowed: 1 to %d, in at most 10 seconds", samples, MOST_SAMPLES);
  Py_BEGIN_ALLOW_THREADS sample_peak(set, seconds, samples, rates);
  Py_END_ALLOW_THREADS return as_list(rates, samples);
}

/* Incompressible numbers between 0.5 and 1.5 (xorshift). */
static void fill(float *buffer, size_t floats) {
  uint32_t state = 2463534242u;
  for (size_t i = 0; i < floats; i++) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    buffer[i] = 0.5f + (float)(state >> 8) * (1.0f / 16777216.0f);
  }
}

static void sample_pass(double (*pass)(float *, size_t, long), float *buffer, size_t floats, double seconds, int samples, double *rates) {
  long passes = 1;
  double start, taken, slice = seconds / (samples + 1);
  pass(buffer, floats, 1);
  for (;; passes *= 2) {
    start = now();
    pass(buffer, floats, passes);
    if ((taken = now() - start) >= slice / 4) break;
  }
  passes = (long)(passes * slice / taken) + 1;
  for (int k = 0; k < samples; k++) {
    start = now();
    double amount = pass(buffer, floats, passes);
    rates[k] = amount / (now() - start);
  }
}

static PyObject *py_stream(PyObject *self, PyObject *args) {
  const char *isa, *kind;
  Py_buffer memory;
  Py_ssize_t skip;
  double seconds, rates[MOST_SAMPLES];
  int samples;
  (void)self;
  if (!PyArg_ParseTuple(args, "ssw*ndi", &isa, &kind, &memory, &skip, &seconds, &samples)) return NULL;
  const probe_set *set = find_set(isa);
  double (*pass)(float *, size_t, long) = NULL;
  if (set) pass = !strcmp(kind, "read") ? set->read : !strcmp(kind, "triad") ? set->triad : !strcmp(kind, "fma_load") ? set->fma_load : NULL;
  size_t skipped = ((size_t)(-(uintptr_t)memory.buf) & 63) + 4 * (size_t)skip;
  int fits = skip >= 0 && skip < 1024 && (size_t)memory.len >= skipped + 4096;
  if (set && pass && fits && samples >= 1 && samples <= MOST_SAMPLES && seconds > 0 && seconds <= 10) {
    float *buffer = (float *)((char *)memory.buf + skipped);
    size_t floats = ((size_t)memory.len - skipped) / sizeof(float);
    Py_BEGIN_ALLOW_THREADS fill(buffer, floats);
    sample_pass(pass, buffer, floats, seconds, samples, rates);
    Py_END_ALLOW_THREADS PyBuffer_Release(&memory);
    return as_list(rates, samples);
  }
  PyBuffer_Release(&memory);
  if (!set) return NULL;
  return PyErr_Format(PyExc_ValueError, "stream of kind '%s' over too small a buffer or with bad numbers; allowed: read, triad, fma_load", kind);
}

static int geometry_fits(const geometry *g) {
  const int32_t *value = &g->ic;
  for (int i = 0; i < 13; i++)
    if (value[i] < (i >= 7 && i <= 10 ? 0 : 1)) return 0;
  /* Furthest pixel that a tap can name, on both sides, must be an int. */
  int64_t down = (int64_t)g->oh * g->sh + (int64_t)g->kh * ((int64_t)g->dh + 1) + g->ph + g->ih;
  int64_t right = (int64_t)g->ow * g->sw + (int64_t)g->kw * ((int64_t)g->dw + 1) + g->pw + g->iw;
  return down < INT32_MAX && right < INT32_MAX;
}

static PyObject *py_im2col(PyObject *self, PyObject *args) {
  Py_buffer x, columns, shape;
  int n, c0, c1, y0, y1;
  const char *isa = best->name;
  (void)self;
  if (!PyArg_ParseTuple(args, "y*w*y*iiiii|s", &x, &columns, &shape, &n, &c0, &c1, &y0, &y1, &isa)) return NULL;
  const probe_set *set = find_set(isa);
  geometry g;
  int ok = set && shape.len == sizeof g;
  if (ok) memcpy(&g, shape.buf, sizeof g);
  ok = ok && geometry_fits(&g) && n >= 0 && 0 <= c0 && c0 <= c1 && c1 <= g.ic && 0 <= y0 && y0 <= y1 && y1 <= g.oh;
  if (ok) {
    double image = 4.0 * g.ic * g.ih * g.iw, needed = 4.0 * (c1 - c0) * g.kh * g.kw * (y1 - y0) * (double)g.ow;
    ok = image * (n + 1.0) <= (double)x.len && needed <= (double)columns.len;
  }
  if (ok) {
    const float *image = (const float *)x.buf + (size_t)n * g.ic * g.ih * g.iw;
    Py_BEGIN_ALLOW_THREADS set->im2col(&g, image, (float *)columns.buf, c0, c1, y0, y1);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&x);
  PyBuffer_Release(&columns);
  PyBuffer_Release(&shape);
  if (!set) return NULL;
  if (!ok) return PyErr_Format(PyExc_ValueError, "im2col: geometry, ranges or buffer sizes do not fit together");
  Py_RETURN_NONE;
}

static int widest_block(const geometry *g, const gemm_job *job) {
  int widest = 0;
  for (int i = 0; i < job->blocks; i++) {
    int rows = block_edge(g, job, i + 1) - block_edge(g, job, i);
    if (rows > widest) widest = rows;
  }
  return widest;
}

/* Whether every buffer (bytes) is as large as the job needs; products of int32 stay exact in double up to 2^53. */
static int job_fits(const geometry *g, const gemm_job *job, const Py_buffer *x, const Py_buffer *y, const Py_buffer *bias, const Py_buffer *columns,
                    const Py_buffer *product, const Py_buffer *weights) {
  if (job->mb < 1 || job->g < 1 || job->oc < 1 || job->oc % job->g || g->ic % job->g || job->blocks < 1 || job->blocks > g->oh) return 0;
  double pixels = (double)g->oh * g->ow, width = (double)widest_block(g, job) * g->ow, depth = (double)(g->ic / job->g) * g->kh * g->kw;
  if (pixels > INT32_MAX || depth > INT32_MAX || (double)job->mb * job->g > INT32_MAX) return 0;
  int square = g->kh == 1 && g->kw == 1 && g->sh == 1 && g->sw == 1 && !g->ph && !g->pw && g->oh == g->ih && g->ow == g->iw && job->blocks == 1;
  if (job->identity ? !square : (double)columns->len < 4 * depth * width) return 0;
  if (job->transposed && (double)product->len < 4 * width * (job->oc / job->g)) return 0;
  return (double)x->len >= 4.0 * job->mb * g->ic * g->ih * g->iw && (double)y->len >= 4.0 * job->mb * job->oc * pixels &&
         (!bias->buf || bias->len == 4 * (Py_ssize_t)job->oc) && weights->len == 8 * (Py_ssize_t)job->g;
}

static PyObject *py_im2col_gemm(PyObject *self, PyObject *args) {
  Py_buffer x, y, bias, columns, product, shape, numbers, weights;
  unsigned long long gemm;
  double seconds = 0;
  (void)self;
  if (!PyArg_ParseTuple(args, "y*w*z*w*w*y*y*y*K", &x, &y, &bias, &columns, &product, &shape, &numbers, &weights, &gemm)) return NULL;
  geometry g;
  gemm_job job;
  int ok = shape.len == sizeof g && numbers.len == sizeof job && gemm;
  if (ok) {
    memcpy(&g, shape.buf, sizeof g);
    memcpy(&job, numbers.buf, sizeof job);
  }
  ok = ok && geometry_fits(&g) && job_fits(&g, &job, &x, &y, &bias, &columns, &product, &weights);
  if (ok) {
    gemm_arrays arrays = {x.buf, bias.buf, y.buf, columns.buf, product.buf, weights.buf};
    Py_BEGIN_ALLOW_THREADS seconds = im2col_gemm(&g, &job, &arrays, best, (void *)(uintptr_t)gemm);
    Py_END_ALLOW_THREADS
  }
  Py_buffer *held[] = {&x, &y, &columns, &product, &shape, &numbers, &weights};
  for (size_t i = 0; i < sizeof held / sizeof *held; i++) PyBuffer_Release(held[i]);
  if (bias.buf) PyBuffer_Release(&bias);
  if (!ok) return PyErr_Format(PyExc_ValueError, "im2col_gemm: geometry, job or buffer sizes do not fit together");
  return PyFloat_FromDouble(seconds);
}

/* target[c][p] of `channels` rows that start at float `offset`, `stride` apart, fits into `floats`. */
static int rows_fit(Py_ssize_t floats, Py_ssize_t offset, int channels, int pixels, Py_ssize_t stride) {
  if (offset < 0 || channels < 1 || pixels < 1 || stride < pixels) return 0;
  return offset <= floats - pixels && (double)(channels - 1) * (double)stride <= (double)(floats - pixels - offset);
}

static PyObject *py_finish(PyObject *self, PyObject *args) {
  Py_buffer source, target, bias;
  int channels, pixels, relu;
  Py_ssize_t offset, stride;
  (void)self;
  if (!PyArg_ParseTuple(args, "z*w*z*iinnp", &source, &target, &bias, &channels, &pixels, &offset, &stride, &relu)) return NULL;
  int ok = rows_fit(target.len / 4, offset, channels, pixels, stride);
  ok = ok && (!bias.buf || bias.len == 4 * (Py_ssize_t)channels) && (!source.buf || (double)source.len >= 4.0 * channels * pixels);
  if (ok) {
    float *rows = (float *)target.buf + offset;
    Py_BEGIN_ALLOW_THREADS if (source.buf)
        transpose_finish((const float *)source.buf, pixels, channels, rows, (size_t)stride, (const float *)bias.buf, relu);
    else finish_rows(rows, channels, pixels, (size_t)stride, (const float *)bias.buf, relu);
    Py_END_ALLOW_THREADS
  }
  if (source.buf) PyBuffer_Release(&source);
  PyBuffer_Release(&target);
  if (bias.buf) PyBuffer_Release(&bias);
  if (!ok) return PyErr_Format(PyExc_ValueError, "finish: ranges or buffer sizes do not fit together");
  Py_RETURN_NONE;
}

static PyObject *py_addresses(PyObject *self, PyObject *args) {
  Py_buffer x, y;
  (void)self;
  if (!PyArg_ParseTuple(args, "y*w*", &x, &y)) return NULL;
  PyObject *pair = Py_BuildValue("(NN)", PyLong_FromVoidPtr(x.buf), PyLong_FromVoidPtr(y.buf));
  PyBuffer_Release(&x);
  PyBuffer_Release(&y);
  return pair;
}

static PyObject *py_isas(PyObject *self, PyObject *none) {
  (void)self, (void)none;
  PyObject *names = PyTuple_New(available_count);
  for (int i = 0; names && i < available_count; i++) PyTuple_SetItem(names, i, PyUnicode_FromString(available[i]->name));
  return names;
}

static PyObject *py_cpu_name(PyObject *self, PyObject *none) {
  char name[49];
  (void)self, (void)none;
  cpu_name(name);
  return PyUnicode_DecodeLatin1(name, (Py_ssize_t)strlen(name), NULL);
}

static PyObject *py_cache_bytes(PyObject *self, PyObject *args) {
  int level;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &level)) return NULL;
  return PyLong_FromLong(cache_bytes(level));
}

static PyMethodDef methods[] = {
    {"isas", py_isas, METH_NOARGS, "isas() -> names of the instruction sets that work here, best first."},
    {"cpu_name", py_cpu_name, METH_NOARGS, "cpu_name() -> brand string, or '' where the processor has none."},
    {"cache_bytes", py_cache_bytes, METH_VARARGS, "cache_bytes(level) -> size of that data cache as CPUID tells it, or 0."},
    {"fma_peak", py_fma_peak, METH_VARARGS, "fma_peak(isa, seconds, samples) -> FLOP/s of this thread in each of the samples."},
    {"stream", py_stream, METH_VARARGS,
     "stream(isa, kind, memory, skip, seconds, samples) -> B/s (read, triad) or FLOP/s (fma_load) in each of the samples.\n\n"
     "memory is overwritten; skip floats are left out after its first 64-byte boundary (1: every load unaligned)."},
    {"im2col", py_im2col, METH_VARARGS,
     "im2col(x, columns, geometry, n, c0, c1, y0, y1, isa=best): columns of image n, channels c0..c1, output rows y0..y1.\n\n"
     "geometry: 13 int32: ic ih iw kh kw sh sw ph pw dh dw oh ow."},
    {"addresses", py_addresses, METH_VARARGS, "addresses(x, y) -> where their memory starts; y must be writeable."},
    {"im2col_gemm", py_im2col_gemm, METH_VARARGS,
     "im2col_gemm(x, y, bias, columns, product, geometry, job, weights, gemm) -> seconds of the products alone.\n\n"
     "job: 8 int32: mb g oc identity blocks transposed packed relu; weights: g addresses (uint64); gemm: address of cblas_sgemm,\n"
     "or of cblas_sgemm_compute where packed. columns and product are scratch."},
    {"winograd", py_winograd, METH_VARARGS, WINOGRAD_TEXT},
    {"finish", py_finish, METH_VARARGS,
     "finish(source, target, bias, channels, pixels, offset, stride, relu): target[c][p] = act(source[p][c] + bias[c]).\n\n"
     "Row c of the target starts at float offset + c * stride. source None: in place; bias may be None."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_host", "Probes of the host CPU.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__host(void) {
  available_count = 0;
#ifdef HAVE_AVX512
  if (has_avx512()) available[available_count++] = &probes_avx512;
#endif
#ifdef HAVE_AVX2
  if (has_avx2()) available[available_count++] = &probes_avx2;
#endif
  available[available_count++] = &probes_portable;
  best = available[0];
  return PyModule_Create(&module);
}

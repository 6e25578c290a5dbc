/* Python binding of the convolution kernels: every argument is checked here before memory is touched. */
#include <Python.h>

#include "arrays.h"
#include "axis.h"
#include "conv.h"
#include "jit.h"

#include <string.h>

#define CAPSULE "breakeven.plan"
#define PROBLEM_FIELDS 16
#define CHOICE_FIELDS 6

static int read_numbers(PyObject *tuple, int64_t *out, int fields, const char *what)
{
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != fields) {
        PyErr_Format(PyExc_TypeError, "%s is not a tuple of %d whole numbers", what, fields);
        return -1;
    }
    for (int i = 0; i < fields; i++) {
        out[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
        if (out[i] == -1 && PyErr_Occurred()) return -1;
    }
    return 0;
}

static struct bk_plan *get_plan(PyObject *capsule) { return PyCapsule_GetPointer(capsule, CAPSULE); }

static void free_capsule(PyObject *capsule) { bk_plan_free(get_plan(capsule)); }

static int read_problem(PyObject *tuple, struct bk_problem *problem)
{
    int64_t field[PROBLEM_FIELDS];
    if (read_numbers(tuple, field, PROBLEM_FIELDS, "problem")) return -1;
    memcpy(problem, field, sizeof *problem);
    for (int i = 0; i < PROBLEM_FIELDS; i++)
        if (field[i] < (i == 12 || i == 13 ? 0 : 1) || field[i] > INT32_MAX) {
            PyErr_Format(PyExc_ValueError, "problem field %d is %lld; allowed: 1 (padding: 0) to %d", i, (long long)field[i], INT32_MAX);
            return -1;
        }
    return 0;
}

static PyObject *isas(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    PyObject *list = PyList_New(0);
    const struct bk_isa *isa;
    for (int i = 0; list && (isa = bk_isa_at(i)); i++) {
        PyObject *item = Py_BuildValue("(sii)", isa->name, isa->vl, isa->max_tile);
        if (!item || PyList_Append(list, item)) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *layout(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *problem_tuple, *choice_tuple;
    struct bk_problem problem;
    struct bk_choice choice;
    struct bk_layout l;
    int64_t field[CHOICE_FIELDS];
    int vl;
    char message[BK_MESSAGE];
    if (!PyArg_ParseTuple(args, "OOi", &problem_tuple, &choice_tuple, &vl) || read_problem(problem_tuple, &problem) ||
        read_numbers(choice_tuple, field, CHOICE_FIELDS, "choice"))
        return NULL;
    memcpy(&choice, field, sizeof choice);
    if (choice.rows < 1 || choice.vectors < 1 || choice.rows > BK_MAX_TILE || choice.vectors > BK_MAX_TILE || vl < 1 || vl > 16)
        return PyErr_Format(PyExc_ValueError, "a tile has 1 to %d rows and vectors", BK_MAX_TILE);
    if (bk_layout_make(&l, &problem, &choice, vl, message)) {
        bk_layout_free(&l);
        PyErr_SetString(PyExc_ValueError, message);
        return NULL;
    }
    PyObject *result = Py_BuildValue("(LLLLLLLLLL)", (long long)l.pitch, (long long)l.plane_rows, (long long)l.row_planes,
                                     (long long)l.column_planes, (long long)l.channel, (long long)l.segments, (long long)l.slide,
                                     (long long)l.usable, (long long)l.tiles_x, (long long)l.tiles_y);
    bk_layout_free(&l);
    return result;
}

static int check_threads(int threads)
{
    if (threads >= 1 && threads <= 1024) return 0;
    PyErr_Format(PyExc_ValueError, "threads is %d; allowed: 1 to 1024", threads);
    return -1;
}

static int read_weights(const struct bk_problem *p, PyObject *weight_object, PyObject *bias_object, Py_buffer *weight, Py_buffer *bias)
{
    int64_t count;
    if (p->ic % p->g || __builtin_mul_overflow(p->oc, p->ic / p->g, &count) || __builtin_mul_overflow(count, p->kh, &count) ||
        __builtin_mul_overflow(count, p->kw, &count)) {
        PyErr_SetString(PyExc_ValueError, "the weights of this problem are too many");
        return -1;
    }
    if (read_floats(weight_object, weight, count, 0, "weight")) return -1;
    if (bias_object == Py_None || !read_floats(bias_object, bias, p->oc, 0, "bias")) return 0;
    PyBuffer_Release(weight);
    return -1;
}

/* The plan of `p` as a Python object, or its message as an exception. */
static PyObject *plan_object(struct bk_plan *plan, const struct bk_problem *p, Py_buffer *weight, Py_buffer *bias, const char *message)
{
    PyBuffer_Release(weight);
    if (bias->buf) PyBuffer_Release(bias);
    if (!plan) {
        PyErr_SetString(PyExc_ValueError, message);
        return NULL;
    }
    memcpy(plan->x_shape, (int64_t[]){p->mb, p->ic, p->ih, p->iw}, sizeof plan->x_shape);
    memcpy(plan->y_shape, (int64_t[]){p->mb, p->oc, p->oh, p->ow}, sizeof plan->y_shape);
    PyObject *capsule = PyCapsule_New(plan, CAPSULE, free_capsule);
    if (!capsule) bk_plan_free(plan);
    return capsule;
}

static PyObject *make(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *problem_tuple, *choice_tuple, *weight_object, *bias_object;
    const char *isa_name;
    int vl, dense, relu, threads;
    struct bk_problem p;
    int64_t choice[CHOICE_FIELDS];
    char message[BK_MESSAGE];
    Py_buffer weight, bias = {0};
    if (!PyArg_ParseTuple(args, "OOsipOOpi", &problem_tuple, &choice_tuple, &isa_name, &vl, &dense, &weight_object, &bias_object, &relu,
                          &threads) ||
        read_problem(problem_tuple, &p) || read_numbers(choice_tuple, choice, CHOICE_FIELDS, "choice"))
        return NULL;
    const struct bk_isa *isa = bk_find_isa(isa_name, vl);
    if (!isa) return PyErr_Format(PyExc_ValueError, "no kernels for '%s' with %d lanes on this machine", isa_name, vl);
    if (check_threads(threads)) return NULL;
    if (read_weights(&p, weight_object, bias_object, &weight, &bias)) return NULL;
    struct bk_problem row = p;
    as_one_row(&row);
    struct bk_plan *plan = bk_plan_make(&row, (const struct bk_choice *)choice, isa, dense, weight.buf, bias.buf, relu, threads, message);
    return plan_object(plan, &p, &weight, &bias, message);
}

static PyObject *generate_bands(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *problem_tuple, *weight_object, *bias_object;
    int relu, threads;
    long long columns, part;
    struct bk_problem p;
    char message[BK_MESSAGE];
    Py_buffer weight, bias = {0};
    if (!PyArg_ParseTuple(args, "OOOpiLL", &problem_tuple, &weight_object, &bias_object, &relu, &threads, &columns, &part) ||
        read_problem(problem_tuple, &p) || check_threads(threads) || read_weights(&p, weight_object, bias_object, &weight, &bias))
        return NULL;
    struct bk_plan *plan = bk_plan_generate_bands(&p, weight.buf, bias.buf, relu, threads, (struct bk_bands_wish){columns, part}, message);
    return plan_object(plan, &p, &weight, &bias, message);
}

static PyObject *generate(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *problem_tuple, *weight_object, *bias_object;
    int relu, threads;
    long long strip_tiles, parts;
    struct bk_problem p;
    char message[BK_MESSAGE];
    Py_buffer weight, bias = {0};
    if (!PyArg_ParseTuple(args, "OOOpiLL", &problem_tuple, &weight_object, &bias_object, &relu, &threads, &strip_tiles, &parts) ||
        read_problem(problem_tuple, &p) || check_threads(threads) || read_weights(&p, weight_object, bias_object, &weight, &bias))
        return NULL;
    struct bk_plan *plan = bk_plan_generate(&p, weight.buf, bias.buf, relu, threads, (struct bk_jit_wish){strip_tiles, parts}, message);
    return plan_object(plan, &p, &weight, &bias, message);
}

/* Why this machine cannot run code generated for AVX-512, or AVX2, or None. */
static PyObject *obstacle(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    return Py_BuildValue("z", bk_jit_obstacle());
}

static PyObject *bands_obstacle(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    return Py_BuildValue("z", bk_bands_obstacle());
}

/* Runs cold after each kernel, where every line costs: one call takes the arrays, checks them and computes. */
static PyObject *run(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    Py_buffer x, y;
    struct bk_clock clock;
    if (count != 3) return PyErr_Format(PyExc_TypeError, "run takes a plan, x and y, not %zd arguments", count);
    struct bk_plan *plan = get_plan(args[0]);
    if (!plan || read_image(args[1], &x, plan->x_shape, 0, "x")) return NULL;
    if (read_image(args[2], &y, plan->y_shape, 1, "out")) {
        PyBuffer_Release(&x);
        return NULL;
    }
    int status = 1;
    if (overlap(&x, &y)) PyErr_SetString(PyExc_ValueError, "out shares memory with x");
    else {
        Py_BEGIN_ALLOW_THREADS
        status = bk_plan_run(plan, x.buf, y.buf, &clock);
        Py_END_ALLOW_THREADS
        if (status) PyErr_NoMemory();
    }
    PyBuffer_Release(&x);
    PyBuffer_Release(&y);
    return status ? NULL : Py_BuildValue("(dd)", clock.total_s, clock.packing_s);
}

static PyObject *generated_info(const struct bk_jit *jit)
{
    struct bk_jit_info i;
    bk_jit_describe(jit, &i);
    return Py_BuildValue("{sLsLsLsLsLsLsLsLsLsLsLsdsd}", "channels", (long long)i.channels, "vectors", (long long)i.vectors, "tiles",
                         (long long)i.tiles, "strips", (long long)i.strips, "blocks", (long long)i.blocks, "parts", (long long)i.parts,
                         "pitch", (long long)i.pitch, "units", (long long)i.units, "nonzeros", (long long)i.nonzeros, "code_bytes",
                         (long long)i.code_bytes, "planes_bytes", (long long)i.scratch_floats * 4, "lanes_used", i.lanes, "busiest",
                         i.busiest);
}

static PyObject *bands_info(const struct bk_bands *bands)
{
    struct bk_bands_info i;
    bk_bands_describe(bands, &i);
    return Py_BuildValue("{sLsLsLsLsLsLsLsLsLsLsLsLsisisisdsd}", "channels", (long long)i.channels, "vectors", (long long)i.vectors, "tiles",
                         (long long)i.tiles, "strips", (long long)i.strips, "chunks", (long long)i.chunks, "parts", (long long)i.parts,
                         "band", (long long)i.band, "columns", (long long)i.columns, "units", (long long)i.units, "nonzeros",
                         (long long)i.nonzeros, "code_bytes", (long long)i.code_bytes, "planes_bytes", (long long)i.planes_bytes,
                         "adjacent", i.adjacent, "direct", i.direct, "split", i.split, "lanes_used", i.lanes, "cycles", i.cycles);
}

static PyObject *info(PyObject *self, PyObject *capsule)
{
    (void)self;
    const struct bk_plan *plan = get_plan(capsule);
    if (!plan) return NULL;
    if (plan->jit) return generated_info(plan->jit);
    if (plan->bands) return bands_info(plan->bands);
    return Py_BuildValue("{sLsLsLsLsLsLsL}", "blocks", (long long)plan->blocks, "nonzeros", (long long)plan->nonzero_count, "tiles",
                         (long long)(plan->layout.tiles_x * plan->layout.tiles_y), "planes_bytes", (long long)plan->planes_floats * 4,
                         "sums_bytes", (long long)plan->sums_floats * 4, "segments", (long long)plan->layout.segments, "lanes",
                         (long long)plan->isa->vl);
}

static PyMethodDef methods[] = {
    {"isas", isas, METH_NOARGS, "Instruction sets that run here, best first: [(name, lanes, largest tile)]."},
    {"layout", layout, METH_VARARGS,
     "layout(problem, choice, lanes) -> (pitch, plane rows, row planes, column planes, floats a channel, segments, slide, usable, tiles x, "
     "tiles y)."},
    {"make", make, METH_VARARGS, "make(problem, choice, isa, lanes, dense, weight, bias, relu, threads) -> plan."},
    {"obstacle", obstacle, METH_NOARGS, "Why generated code cannot run here, or None."},
    {"generate", generate, METH_VARARGS,
     "generate(problem, weight, bias, relu, threads, tiles a strip or 0, parts of the input channels or 0) -> plan."},
    {"bands_obstacle", bands_obstacle, METH_NOARGS, "Why code for AVX2 cannot run here, or None."},
    {"generate_bands", generate_bands, METH_VARARGS,
     "generate_bands(problem, weight, bias, relu, threads, columns a strip or 0, input channels a part or 0) -> plan."},
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL, "run(plan, x, out) -> (seconds, of these in packing)."},
    {"info", info, METH_O, "info(plan) -> numbers that describe it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", "Convolution kernels.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void) { return find_array_type() ? NULL : PyModule_Create(&module); }

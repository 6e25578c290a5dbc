/* Arrays that come from Python: float32 buffers, checked before memory is touched. */
#ifndef BREAKEVEN_ARRAYS_H
#define BREAKEVEN_ARRAYS_H

#include <Python.h>

#include <stdint.h>

/* Get a C-contiguous float32 buffer; -1 with an exception. */
static int read_buffer(PyObject *object, Py_buffer *view, int writable, const char *what)
{
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0))) return -1;
    const char *format = view->format ? view->format : "B";
    if (format[0] == '@' || format[0] == '=') format++;
    if (view->itemsize != 4 || format[0] != 'f' || format[1] != 0)
        PyErr_Format(PyExc_TypeError, "%s holds items of format '%s'; allowed: 'f' (float32)", what, view->format ? view->format : "B");
    else if ((uintptr_t)view->buf % 4)
        PyErr_Format(PyExc_ValueError, "%s is not aligned to 4 bytes", what);
    else
        return 0;
    PyBuffer_Release(view);
    return -1;
}

/* The same of exactly `count` values. */
static int read_floats(PyObject *object, Py_buffer *view, int64_t count, int writable, const char *what)
{
    if (read_buffer(object, view, writable, what)) return -1;
    if (view->len / 4 == count) return 0;
    PyErr_Format(PyExc_ValueError, "%s holds %zd values; allowed: %lld", what, view->len / 4, (long long)count);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *array_type; /* numpy.ndarray */

static int find_array_type(void)
{
    PyObject *numpy = PyImport_ImportModule("numpy");
    array_type = numpy ? PyObject_GetAttrString(numpy, "ndarray") : NULL;
    Py_XDECREF(numpy);
    return array_type ? 0 : -1;
}

/* The same of a NumPy array with this shape. */
static int read_image(PyObject *object, Py_buffer *view, const int64_t shape[4], int writable, const char *what)
{
    if (!PyObject_TypeCheck(object, (PyTypeObject *)array_type)) {
        PyErr_Format(PyExc_TypeError, "%s is not a numpy array", what);
        return -1;
    }
    if (read_buffer(object, view, writable, what)) return -1;
    const Py_ssize_t *n = view->shape;
    if (view->ndim == 4 && n[0] == shape[0] && n[1] == shape[1] && n[2] == shape[2] && n[3] == shape[3]) return 0;
    PyErr_Format(PyExc_ValueError, "%s has another shape than (%lld, %lld, %lld, %lld)", what, (long long)shape[0], (long long)shape[1],
                 (long long)shape[2], (long long)shape[3]);
    PyBuffer_Release(view);
    return -1;
}

static int overlap(const Py_buffer *a, const Py_buffer *b)
{
    const char *first = a->buf, *second = b->buf;
    return first < second + b->len && second < first + a->len;
}

#endif

/* Python binding of the host probes. */
#include <Python.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_host", "Probes of the host CPU.", -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__host(void) { return PyModule_Create(&module); }

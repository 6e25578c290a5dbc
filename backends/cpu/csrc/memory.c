/* Aligned memory and the clock. */
#include "conv.h"

#include <stdlib.h>
#include <time.h>

void *bk_alloc(size_t bytes)
{
    void *memory = NULL;
    return posix_memalign(&memory, BK_ALIGN, bytes ? bytes : BK_ALIGN) ? NULL : memory;
}

void bk_free(void *memory) { free(memory); }

double bk_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

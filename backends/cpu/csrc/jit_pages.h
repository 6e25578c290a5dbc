/* Memory for generated code, writable while it is written and executable afterwards, never both. */
#ifndef BREAKEVEN_JIT_PAGES_H
#define BREAKEVEN_JIT_PAGES_H

#include "problem.h"

#include <stddef.h>

struct jit_pages {
    uint8_t *memory;
    size_t bytes, code_bytes;
};

/* Address space for at most `bytes`; `huge`: much of it will be used. -1 with a message when there is none. */
int jit_reserve(struct jit_pages *pages, int64_t bytes, int huge, char *message);
/* Keep what lies before `end`, executable and no longer writable. -1 with a message when the system refuses. */
int jit_seal(struct jit_pages *pages, const uint8_t *end, char *message);
void jit_release(struct jit_pages *pages);

#endif

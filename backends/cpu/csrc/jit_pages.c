/* Memory for generated code, on Linux. */
#define _GNU_SOURCE
#include "jit_pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, PAGE = 4096 };

/* On a huge page's border so that the kernel can use huge pages: fewer misses of the instruction TLB. */
int jit_reserve(struct jit_pages *pages, int64_t bytes, int huge, char *message)
{
    size_t whole = ((size_t)bytes + HUGE_PAGE - 1) & ~((size_t)HUGE_PAGE - 1);
    uint8_t *memory = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) FAIL("no memory for %lld MiB of generated code", (long long)(bytes >> 20));
    size_t head = -(uintptr_t)memory & (HUGE_PAGE - 1);
    if (head) munmap(memory, head);
    munmap(memory + head + whole, HUGE_PAGE - head);
    *pages = (struct jit_pages){memory + head, whole, 0};
    if (huge) madvise(pages->memory, whole, MADV_HUGEPAGE);
    return 0;
}

int jit_seal(struct jit_pages *pages, const uint8_t *end, char *message)
{
    pages->code_bytes = (size_t)(end - pages->memory);
    size_t kept = (pages->code_bytes + PAGE - 1) & ~((size_t)PAGE - 1);
    if (kept < pages->bytes && !munmap(pages->memory + kept, pages->bytes - kept)) pages->bytes = kept;
    if (mprotect(pages->memory, pages->bytes, PROT_READ | PROT_EXEC))
        FAIL("this system refuses to make generated code executable: %s", strerror(errno));
    return 0;
}

void jit_release(struct jit_pages *pages)
{
    if (pages->memory) munmap(pages->memory, pages->bytes);
}

/* Generated code: its memory, writable while it is written and executable afterwards, never both. */
#define _GNU_SOURCE
#include "jit_emit.h"
#include "jit_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, PAGE = 4096 };

/* Address space for code, on a huge page's border so that the kernel can use huge pages: fewer misses of the instruction TLB. */
int jit_reserve(struct bk_jit *jit, int64_t bytes, char *message)
{
    size_t whole = ((size_t)bytes + HUGE_PAGE - 1) & ~((size_t)HUGE_PAGE - 1);
    uint8_t *memory = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) FAIL("no memory for %lld MiB of generated code", (long long)(bytes >> 20));
    size_t head = -(uintptr_t)memory & (HUGE_PAGE - 1);
    if (head) munmap(memory, head);
    munmap(memory + head + whole, HUGE_PAGE - head);
    jit->memory = memory + head;
    jit->memory_bytes = whole;
    if (jit->nonzeros * jit->vectors * EMIT_LONGEST >= HUGE_PAGE / 2) madvise(jit->memory, whole, MADV_HUGEPAGE);
    return 0;
}

int jit_seal(struct bk_jit *jit, const uint8_t *end, char *message)
{
    jit->code_bytes = (size_t)(end - (const uint8_t *)jit->memory);
    size_t kept = (jit->code_bytes + PAGE - 1) & ~((size_t)PAGE - 1);
    if (kept < jit->memory_bytes && !munmap((uint8_t *)jit->memory + kept, jit->memory_bytes - kept)) jit->memory_bytes = kept;
    if (mprotect(jit->memory, jit->memory_bytes, PROT_READ | PROT_EXEC))
        FAIL("this system refuses to make generated code executable: %s", strerror(errno));
    return 0;
}

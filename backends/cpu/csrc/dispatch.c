/* Which of the compiled instruction sets this machine has. */
#include "conv.h"

#include <string.h>

#if defined(__x86_64__)
extern const struct bk_isa bk_avx512, bk_avx512_half, bk_avx2;
#endif
#if defined(__aarch64__)
extern const struct bk_isa bk_neon;
#endif
extern const struct bk_isa bk_portable;

const struct bk_isa *bk_isa_at(int index)
{
    const struct bk_isa *found[5];
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) {
        found[n++] = &bk_avx512;
        found[n++] = &bk_avx512_half;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found[n++] = &bk_avx2;
#endif
#if defined(__aarch64__)
    found[n++] = &bk_neon;
#endif
    found[n++] = &bk_portable;
    return index >= 0 && index < n ? found[index] : NULL;
}

const struct bk_isa *bk_find_isa(const char *name, int vl)
{
    const struct bk_isa *isa;
    for (int i = 0; (isa = bk_isa_at(i)); i++)
        if (!strcmp(isa->name, name) && (vl == 0 || isa->vl == vl)) return isa;
    return NULL;
}

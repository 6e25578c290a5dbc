/* The few AVX-512 instructions that generated code needs, as bytes (Intel SDM vol. 2, EVEX encoding). */
#ifndef BREAKEVEN_JIT_EMIT_H
#define BREAKEVEN_JIT_EMIT_H

#include <stdint.h>
#include <string.h>

enum { REG_RCX = 1, REG_RDX = 2, REG_RSI = 6, REG_RDI = 7 };
enum { PP_NONE = 0, PP_66 = 1 };
enum { MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3 };
enum { EVEX_512 = 0x40, EVEX_BROADCAST = 0x10, EVEX_ZERO = 0x80 };
enum { EMIT_LONGEST = 11 };

/* The caller makes sure that there is room. */
struct emitter {
    uint8_t *at;
};

static inline void emit_byte(struct emitter *e, unsigned byte) { *e->at++ = (uint8_t)byte; }

static inline void emit_bytes(struct emitter *e, const void *bytes, size_t n)
{
    memcpy(e->at, bytes, n);
    e->at += n;
}

/* Prefix: register numbers are stored inverted, bit 3 and bit 4 apart from the rest. `x` is bit 4 of a register operand. */
static inline void emit_evex(struct emitter *e, int pp, int map, int reg, int second, int base, int x, int flags, int mask)
{
    emit_byte(e, 0x62);
    unsigned r = ~(unsigned)reg, v = ~(unsigned)second, b = ~(unsigned)base;
    emit_byte(e, (r >> 3 & 1) << 7 | (unsigned)!x << 6 | (b >> 3 & 1) << 5 | (r >> 4 & 1) << 4 | (unsigned)map);
    emit_byte(e, (v & 15) << 3 | 4u | (unsigned)pp);
    emit_byte(e, EVEX_512 | (unsigned)flags | (v >> 4 & 1) << 3 | (unsigned)mask);
}

static inline void emit_registers(struct emitter *e, int pp, int map, int opcode, int reg, int second, int last, int flags, int mask)
{
    emit_evex(e, pp, map, reg, second, last, last >> 4, flags, mask);
    emit_byte(e, (unsigned)opcode);
    emit_byte(e, 0xC0u | ((unsigned)reg & 7) << 3 | ((unsigned)last & 7));
}

/* Memory operand base + displacement; one byte of displacement counts in units of `scale` bytes.
 * base is none of rsp, rbp, r12, r13. */
static inline void emit_memory(struct emitter *e, int pp, int map, int opcode, int reg, int second, int base, int32_t displacement,
                               int scale, int flags, int mask)
{
    int small = displacement % scale == 0 && displacement / scale >= -128 && displacement / scale <= 127;
    emit_evex(e, pp, map, reg, second, base, 0, flags, mask);
    emit_byte(e, (unsigned)opcode);
    emit_byte(e, (displacement == 0 ? 0u : small ? 0x40u : 0x80u) | ((unsigned)reg & 7) << 3 | ((unsigned)base & 7));
    if (displacement == 0) return;
    if (small) emit_byte(e, (unsigned)(displacement / scale) & 255);
    else emit_bytes(e, &displacement, 4);
}

/* zmm[sum] += zmm[x] * the float at base + displacement */
static inline void emit_fma_broadcast(struct emitter *e, int sum, int x, int base, int32_t displacement)
{
    emit_memory(e, PP_66, MAP_0F38, 0xB8, sum, x, base, displacement, 4, EVEX_BROADCAST, 0);
}

static inline void emit_broadcast(struct emitter *e, int to, int base, int32_t displacement)
{
    emit_memory(e, PP_66, MAP_0F38, 0x18, to, 0, base, displacement, 4, 0, 0);
}

static inline void emit_load(struct emitter *e, int to, int base, int32_t displacement)
{
    emit_memory(e, PP_NONE, MAP_0F, 0x10, to, 0, base, displacement, 64, 0, 0);
}

static inline void emit_copy(struct emitter *e, int to, int from) { emit_registers(e, PP_NONE, MAP_0F, 0x28, to, 0, from, 0, 0); }

static inline void emit_save(struct emitter *e, int from, int base, int32_t displacement)
{
    emit_memory(e, PP_NONE, MAP_0F, 0x11, from, 0, base, displacement, 64, 0, 0);
}

/* to = lanes [shift, shift + 16) of low followed by high */
static inline void emit_align(struct emitter *e, int to, int high, int low, int shift)
{
    emit_registers(e, PP_66, MAP_0F3A, 0x03, to, high, low, 0, 0);
    emit_byte(e, (unsigned)shift);
}

/* a = max(a, least); a NaN in a stays */
static inline void emit_max(struct emitter *e, int a, int least) { emit_registers(e, PP_NONE, MAP_0F, 0x5F, a, least, a, 0, 0); }

/* to = the lanes of from that are set in k1, side by side, then zeros */
static inline void emit_compress(struct emitter *e, int to, int from)
{
    emit_registers(e, PP_66, MAP_0F38, 0x8A, from, 0, to, EVEX_ZERO, 1);
}

/* Store to r9 + displacement the lanes that are set in k2. */
static inline void emit_store(struct emitter *e, int from, int32_t displacement)
{
    emit_memory(e, PP_NONE, MAP_0F, 0x11, from, 0, 9, displacement, 64, 0, 2);
}

/* From struct mark at r8 + displacement: k1, k2 and r9 = rdx + 4 * its position. */
static inline void emit_mark(struct emitter *e, int displacement)
{
    const uint8_t code[] = {0xC4, 0xC1, 0x78, 0x90, 0x48, (uint8_t)displacement,       /* kmovw k1, [r8 + d] */
                            0xC4, 0xC1, 0x78, 0x90, 0x50, (uint8_t)(displacement + 2), /* kmovw k2, [r8 + d + 2] */
                            0x4D, 0x63, 0x48, (uint8_t)(displacement + 4),             /* movsxd r9, [r8 + d + 4] */
                            0x4E, 0x8D, 0x0C, 0x8A};                                   /* lea r9, [rdx + r9 * 4] */
    emit_bytes(e, code, sizeof code);
}

/* rsi or rdi += bytes */
static inline void emit_add(struct emitter *e, int reg, int32_t bytes)
{
    const uint8_t code[] = {0x48, 0x81, (uint8_t)(0xC0 | reg)};
    emit_bytes(e, code, sizeof code);
    emit_bytes(e, &bytes, 4);
}

/* Ask for the line at rax + displacement in L2. */
static inline void emit_prefetch(struct emitter *e, int32_t displacement)
{
    static const uint8_t code[] = {0x0F, 0x18, 0x90}; /* prefetcht1 */
    emit_bytes(e, code, sizeof code);
    emit_bytes(e, &displacement, 4);
}

/* Ask for the line at r9 + displacement, to be written soon. */
static inline void emit_prefetch_write(struct emitter *e, int32_t displacement)
{
    static const uint8_t code[] = {0x41, 0x0F, 0x0D, 0x89}; /* prefetchw */
    emit_bytes(e, code, sizeof code);
    emit_bytes(e, &displacement, 4);
}

static inline void emit_enter(struct emitter *e)
{
    static const uint8_t code[] = {0xF3, 0x0F, 0x1E, 0xFA,  /* endbr64 */
                                   0x4C, 0x89, 0xC8};       /* mov rax, r9 */
    emit_bytes(e, code, sizeof code);
}

static inline void emit_return(struct emitter *e)
{
    static const uint8_t code[] = {0xC5, 0xF8, 0x77, 0xC3}; /* vzeroupper; ret */
    emit_bytes(e, code, sizeof code);
}

#endif

/* The few AVX2 and FMA instructions that generated code needs, as bytes (Intel SDM vol. 2, VEX encoding, 256 bits). */
#ifndef BREAKEVEN_EMIT_VEX_H
#define BREAKEVEN_EMIT_VEX_H

#include "jit_emit.h"

enum { REG_RAX = 0, VEX_256 = 4, VEX_LONGEST = 9 };

/* Prefix: register numbers are stored inverted. The short form does for map 0F when `last` is below 8. */
static inline void emit_vex(struct emitter *e, int pp, int map, int reg, int second, int last)
{
    unsigned r = (~(unsigned)reg >> 3 & 1) << 7, b = (~(unsigned)last >> 3 & 1) << 5, rest = (~(unsigned)second & 15) << 3 | VEX_256 | (unsigned)pp;
    if (map == MAP_0F && last < 8) {
        emit_byte(e, 0xC5);
        emit_byte(e, r | rest);
        return;
    }
    emit_byte(e, 0xC4);
    emit_byte(e, r | 0x40 | b | (unsigned)map);
    emit_byte(e, rest);
}

static inline void emit_vex_registers(struct emitter *e, int pp, int map, int opcode, int reg, int second, int last)
{
    emit_vex(e, pp, map, reg, second, last);
    emit_byte(e, (unsigned)opcode);
    emit_byte(e, 0xC0u | ((unsigned)reg & 7) << 3 | ((unsigned)last & 7));
}

/* Memory operand base + displacement; base is rax to rdi, but not rsp or rbp. */
static inline void emit_vex_memory(struct emitter *e, int pp, int map, int opcode, int reg, int second, int base, int32_t displacement)
{
    int small = displacement >= -128 && displacement <= 127;
    emit_vex(e, pp, map, reg, second, base);
    emit_byte(e, (unsigned)opcode);
    emit_byte(e, (displacement == 0 ? 0u : small ? 0x40u : 0x80u) | ((unsigned)reg & 7) << 3 | (unsigned)base);
    if (displacement == 0) return;
    if (small) emit_byte(e, (unsigned)displacement & 255);
    else emit_bytes(e, &displacement, 4);
}

/* ymm[sum] += ymm[w] * ymm[x] */
static inline void vex_fma(struct emitter *e, int sum, int w, int x) { emit_vex_registers(e, PP_66, MAP_0F38, 0xB8, sum, w, x); }

/* ymm[sum] += ymm[w] * the vector at base + displacement */
static inline void vex_fma_memory(struct emitter *e, int sum, int w, int base, int32_t displacement)
{
    emit_vex_memory(e, PP_66, MAP_0F38, 0xB8, sum, w, base, displacement);
}

static inline void vex_load(struct emitter *e, int to, int base, int32_t displacement)
{
    emit_vex_memory(e, PP_NONE, MAP_0F, 0x10, to, 0, base, displacement);
}

static inline void vex_store(struct emitter *e, int from, int base, int32_t displacement)
{
    emit_vex_memory(e, PP_NONE, MAP_0F, 0x11, from, 0, base, displacement);
}

static inline void vex_zero(struct emitter *e, int to) { emit_vex_registers(e, PP_NONE, MAP_0F, 0x57, to, to & 7, to & 7); }

/* Every lane of ymm[to] = the float at base + displacement */
static inline void vex_broadcast(struct emitter *e, int to, int base, int32_t displacement)
{
    emit_vex_memory(e, PP_66, MAP_0F38, 0x18, to, 0, base, displacement);
}

static inline void vex_move(struct emitter *e, int to, int from)
{
    emit_vex_registers(e, PP_NONE, MAP_0F, 0x28, to, 0, from);
}

/* ymm[to] = the larger of ymm[floor] and ymm[to], which stays if it is NaN */
static inline void vex_at_least(struct emitter *e, int to, int floor) { emit_vex_registers(e, PP_NONE, MAP_0F, 0x5F, to, floor, to); }

/* Both halves of ymm[to] = the four floats at base + displacement */
static inline void vex_load_four(struct emitter *e, int to, int base, int32_t displacement)
{
    emit_vex_memory(e, PP_66, MAP_0F38, 0x1A, to, 0, base, displacement);
}

/* Every lane of ymm[to] = number k of the four floats that both halves of ymm[four] hold */
static inline void vex_spread(struct emitter *e, int to, int four, int k)
{
    emit_vex_registers(e, PP_NONE, MAP_0F, 0xC6, to, four, four);
    emit_byte(e, (unsigned)k * 0x55);
}

static inline void vex_begin(struct emitter *e)
{
    static const uint8_t endbr64[] = {0xF3, 0x0F, 0x1E, 0xFA};
    emit_bytes(e, endbr64, sizeof endbr64);
}

/* Start of a tile: rax = rdi + the offset at rcx. */
static inline void vex_find_planes(struct emitter *e)
{
    static const uint8_t code[] = {0x48, 0x63, 0x01, 0x48, 0x01, 0xF8};
    emit_bytes(e, code, sizeof code);
}

/* Its end: rcx to the next offset, rdx on by `bytes`. */
static inline void vex_next_planes(struct emitter *e, int32_t bytes)
{
    static const uint8_t code[] = {0x48, 0x83, 0xC1, 0x04, 0x48, 0x81, 0xC2};
    emit_bytes(e, code, sizeof code);
    emit_bytes(e, &bytes, 4);
}

/* The same of stops: rax, rdi and rdx from rcx; then on to the next. */
static inline void vex_find_stop(struct emitter *e)
{
    static const uint8_t code[] = {0x48, 0x8B, 0x01, 0x48, 0x8B, 0x79, 0x08, 0x48, 0x8B, 0x51, 0x10};
    emit_bytes(e, code, sizeof code);
}

static inline void vex_next_stop(struct emitter *e)
{
    static const uint8_t code[] = {0x48, 0x83, 0xC1, 0x18};
    emit_bytes(e, code, sizeof code);
}

/* Again from `loop` while r8 tiles are left; then return. */
static inline void vex_leave(struct emitter *e, const uint8_t *loop)
{
    static const uint8_t count[] = {0x49, 0xFF, 0xC8, 0x0F, 0x85};
    emit_bytes(e, count, sizeof count);
    int32_t back = (int32_t)(loop - (e->at + 4));
    emit_bytes(e, &back, 4);
    emit_return(e);
}

#endif

/* Small kernels that measure the device: probes.py runs them. None writes what it computes unless it must,
 * but each result depends on every operation, so that no compiler can drop one. */
#ifndef REPEAT
#define REPEAT 1
#endif
#if WIDTH == 1
typedef float vec;
#define SUM(v) (v)
#else
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, WIDTH) vec;
#define SUM(v) (v.s0 + v.s1 + v.s2 + v.s3)
#endif

/* CHAINS independent chains of multiply-adds. Bound: FMA units. 2 * WIDTH * CHAINS * REPEAT FLOP a turn; REPEAT makes the loop's own
 * instructions negligible where they take a multiply-add's place (GPUs). */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void fma_chains(__global float *out, const float s, const int turns)
{
    vec a[CHAINS];
    const vec b = (vec)(s), c = (vec)(s * 0.5f);
    UNROLL for (int i = 0; i < CHAINS; ++i)
        a[i] = (vec)(s + i + get_global_id(0));
    for (int k = 0; k < turns; ++k) {
        UNROLL for (int r = 0; r < REPEAT; ++r)
            UNROLL for (int i = 0; i < CHAINS; ++i)
                a[i] = MAD(a[i], b, c);
    }
    UNROLL for (int i = 1; i < CHAINS; ++i)
        a[0] += a[i];
    out[get_global_id(0)] = SUM(a[0]);
}

/* Stream triad, four floats a work-item. Bound: memory. */
__kernel void triad(__global float *a, __global const float *b, __global const float *c, const float s)
{
    const int i = get_global_id(0);
    vstore4(vload4(i, b) + s * vload4(i, c), i, a);
}

/* Sixteen reads of local memory a turn, neighbours read neighbours. Bound: local memory. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void local_reads(__global float *out, const int turns)
{
    __local float tile[2048];
    for (int i = get_local_id(0); i < 2048; i += GROUP)
        tile[i] = i * 0.001f;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int k = 0; k < turns; ++k) {
        const int at = get_local_id(0) + ((k * 17) & 255);
        UNROLL for (int i = 0; i < 16; ++i)
            sum[i % 4] += tile[at + i * 64];
    }
    out[get_global_id(0)] = sum[0] + sum[1] + sum[2] + sum[3];
}

/* Next to nothing. Bound: the launch. */
__kernel void touch(__global float *out)
{
    out[get_global_id(0)] += 1.0f;
}

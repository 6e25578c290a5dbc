/* Put before every kernel file. MAD: -DFUSED where fma() is one instruction; else a product and a sum that
 * -cl-mad-enable lets the compiler fuse (PoCL's pip build emulates fma() in software, ten times slower). */
#ifdef FUSED
#define MAD(a, b, c) fma(a, b, c)
#else
#define MAD(a, b, c) ((a) * (b) + (c))
#endif
#define UNROLL _Pragma("unroll")

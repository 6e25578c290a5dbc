/* Probes for AVX2 with FMA. */
#define LANES 8
#define SET probes_avx2
#define SET_NAME "avx2"
#include "probe_body.h"

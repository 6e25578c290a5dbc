/* Probes with 4 lanes, which every compiler maps to SSE2, NEON or scalars. */
#define LANES 4
#define SET probes_portable
#define SET_NAME "portable"
#include "probe_body.h"

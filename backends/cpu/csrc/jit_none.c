/* Stands in for the other jit files where no code can be generated. */
#include "bands.h"
#include "jit.h"

#include <stdio.h>

const char *bk_jit_obstacle(void) { return "code is generated for x86-64 only"; }

struct bk_jit *bk_jit_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                           struct bk_jit_wish wish, char *message)
{
    (void)problem, (void)weight, (void)bias, (void)relu, (void)threads, (void)wish;
    snprintf(message, BK_MESSAGE, "%s", bk_jit_obstacle());
    return NULL;
}

void bk_jit_free(struct bk_jit *jit) { (void)jit; }

void bk_jit_describe(const struct bk_jit *jit, struct bk_jit_info *info)
{
    (void)jit;
    *info = (struct bk_jit_info){0};
}

void bk_jit_share(const struct bk_jit *jit, int threads, int64_t *start) { (void)jit, (void)threads, (void)start; }

double bk_jit_run(const struct bk_jit *jit, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed, double (*clock)(void))
{
    (void)jit, (void)x, (void)y, (void)scratch, (void)unit, (void)packed, (void)clock;
    return 0;
}

const char *bk_bands_obstacle(void) { return bk_jit_obstacle(); }

struct bk_bands *bk_bands_make(const struct bk_problem *problem, const float *weight, const float *bias, int relu, int threads,
                               struct bk_bands_wish wish, char *message)
{
    (void)problem, (void)weight, (void)bias, (void)relu, (void)threads, (void)wish;
    snprintf(message, BK_MESSAGE, "%s", bk_jit_obstacle());
    return NULL;
}

void bk_bands_free(struct bk_bands *bands) { (void)bands; }

void bk_bands_describe(const struct bk_bands *bands, struct bk_bands_info *info)
{
    (void)bands;
    *info = (struct bk_bands_info){0};
}

double bk_bands_run(const struct bk_bands *bands, const float *x, float *y, float *scratch, int64_t unit, int64_t *packed,
                    double (*clock)(void))
{
    (void)bands, (void)x, (void)y, (void)scratch, (void)unit, (void)packed, (void)clock;
    return 0;
}

/* One call: every thread begins with a share of the units of its own, the same in every call, so that its part of input, output
 * and code stays in its core's cache; one that is done takes units from the end of the largest share left. */
#include "conv.h"
#include "jit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Units [low half, high half) that nobody has taken. */
struct share {
    _Alignas(BK_ALIGN) _Atomic uint64_t left;
};

struct bk_arena {
    struct bk_arena *next;
    struct share *shares;
    float *memory; /* one slice per thread */
};

struct job {
    const struct bk_plan *plan;
    const float *x;
    float *y;
    struct bk_arena *arena;
    double packing; /* of the calling thread */
};

static uint64_t units(uint64_t from, uint64_t to) { return to << 32 | from; }
static int64_t first(uint64_t left) { return (int64_t)(left & UINT32_MAX); }
static int64_t end(uint64_t left) { return (int64_t)(left >> 32); }

static void free_arena(struct bk_arena *arena)
{
    if (arena->shares) bk_free(arena->shares);
    if (arena->memory) bk_free(arena->memory);
    free(arena);
}

/* Scratch memory is reused from call to call; concurrent calls get their own. */
static struct bk_arena *borrow(struct bk_plan *plan)
{
    pthread_mutex_lock(plan->lock);
    struct bk_arena *arena = plan->idle;
    if (arena) plan->idle = arena->next;
    pthread_mutex_unlock(plan->lock);
    if (arena) return arena;
    arena = calloc(1, sizeof *arena);
    if (!arena) return NULL;
    arena->shares = bk_alloc((size_t)plan->threads * sizeof *arena->shares);
    arena->memory = bk_alloc((size_t)(plan->slice_floats * plan->threads) * sizeof(float));
    if (arena->shares && arena->memory) return arena;
    free_arena(arena);
    return NULL;
}

static void give_back(struct bk_plan *plan, struct bk_arena *arena)
{
    pthread_mutex_lock(plan->lock);
    arena->next = plan->idle;
    plan->idle = arena;
    pthread_mutex_unlock(plan->lock);
}

void bk_run_free(struct bk_plan *plan)
{
    while (plan->idle) {
        struct bk_arena *arena = plan->idle;
        plan->idle = arena->next;
        free_arena(arena);
    }
}

/* The next unit of one's own share, or -1. */
static int64_t next_own(struct share *share)
{
    uint64_t left = atomic_load_explicit(&share->left, memory_order_relaxed);
    while (first(left) < end(left))
        if (atomic_compare_exchange_weak_explicit(&share->left, &left, left + 1, memory_order_relaxed, memory_order_relaxed))
            return first(left);
    return -1;
}

/* The last unit of the largest share left, or -1 when all are taken. */
static int64_t next_of_others(struct share *shares, int threads)
{
    for (;;) {
        struct share *largest = NULL;
        uint64_t most = 0;
        for (int i = 0; i < threads; i++) {
            uint64_t left = atomic_load_explicit(&shares[i].left, memory_order_relaxed);
            if (end(left) - first(left) <= (largest ? end(most) - first(most) : 0)) continue;
            largest = shares + i;
            most = left;
        }
        if (!largest) return -1;
        uint64_t less = units((uint64_t)first(most), (uint64_t)end(most) - 1);
        if (atomic_compare_exchange_strong_explicit(&largest->left, &most, less, memory_order_relaxed, memory_order_relaxed))
            return end(less);
    }
}

static double run_item(const struct job *job, float *scratch, int64_t i)
{
    const struct bk_plan *plan = job->plan;
    int64_t chunks = plan->choice.chunks, tiles = plan->layout.tiles_x * plan->layout.tiles_y;
    int64_t group = i / tiles / chunks, chunk = i / tiles % chunks;
    const int64_t *start = plan->chunk_start + group * (chunks + 1) + chunk;
    if (start[0] == start[1]) return 0;
    return plan->isa->run_tile(plan, job->x, job->y, scratch, group, i % tiles, start[0], start[1]);
}

static void work(void *context, int member)
{
    struct job *job = context;
    const struct bk_plan *plan = job->plan;
    struct share *shares = job->arena->shares;
    float *scratch = job->arena->memory + member * plan->slice_floats;
    int64_t unit, packed = -1;
    double packing = 0;
    while ((unit = next_own(shares + member)) >= 0 || (unit = next_of_others(shares, plan->threads)) >= 0)
        packing += plan->jit     ? bk_jit_run(plan->jit, job->x, job->y, scratch, unit, &packed, bk_now)
                   : plan->bands ? bk_bands_run(plan->bands, job->x, job->y, scratch, unit, &packed, bk_now)
                                 : run_item(job, scratch, unit);
    if (member == 0) job->packing = packing;
}

int bk_plan_run(struct bk_plan *plan, const float *x, float *y, struct bk_clock *clock)
{
    double begin = bk_now();
    struct bk_arena *arena = borrow(plan);
    if (!arena) return -1;
    struct job job = {.plan = plan, .x = x, .y = y, .arena = arena};
    for (int i = 0; i < plan->threads; i++)
        atomic_store_explicit(&arena->shares[i].left, units((uint64_t)plan->share_start[i], (uint64_t)plan->share_start[i + 1]),
                              memory_order_relaxed);
    bk_team_run(plan->threads, work, &job);
    give_back(plan, arena);
    clock->total_s = bk_now() - begin;
    clock->packing_s = job.packing;
    return 0;
}

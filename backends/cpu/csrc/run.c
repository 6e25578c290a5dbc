/* One call: share the tiles and chunks of output channels among the threads. */
#include "conv.h"
#include "jit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct job {
    const struct bk_plan *plan;
    const float *x;
    float *y, *memory;
    atomic_llong next;
    double packing; /* of the calling thread */
};

/* Scratch memory is reused from call to call; concurrent calls get their own. */
static struct bk_arena *borrow(struct bk_plan *plan)
{
    pthread_mutex_lock(plan->lock);
    struct bk_arena *arena = plan->idle;
    if (arena) plan->idle = arena->next;
    pthread_mutex_unlock(plan->lock);
    if (arena) return arena;
    arena = malloc(sizeof *arena);
    if (!arena) return NULL;
    arena->memory = bk_alloc((size_t)(plan->slice_floats * plan->threads) * sizeof(float));
    if (arena->memory) return arena;
    free(arena);
    return NULL;
}

static void give_back(struct bk_plan *plan, struct bk_arena *arena)
{
    pthread_mutex_lock(plan->lock);
    arena->next = plan->idle;
    plan->idle = arena;
    pthread_mutex_unlock(plan->lock);
}

static void work(void *context, int member)
{
    struct job *job = context;
    const struct bk_plan *plan = job->plan;
    int64_t chunks = plan->choice.chunks, tiles = plan->layout.tiles_x * plan->layout.tiles_y;
    int64_t items = plan->problem.g * chunks * tiles;
    float *scratch = job->memory + member * plan->slice_floats;
    double packing = 0;
    for (int64_t i; (i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < items;) {
        int64_t group = i / tiles / chunks, chunk = i / tiles % chunks;
        const int64_t *start = plan->chunk_start + group * (chunks + 1) + chunk;
        if (start[0] < start[1]) packing += plan->isa->run_tile(plan, job->x, job->y, scratch, group, i % tiles, start[0], start[1]);
    }
    if (member == 0) job->packing = packing;
}

/* Units that follow each other share their packed input: hand out runs of them, a few per thread. */
static void work_generated(void *context, int member)
{
    struct job *job = context;
    const struct bk_plan *plan = job->plan;
    int64_t units = plan->jit_units, run = units / (8 * plan->threads) + 1;
    float *scratch = job->memory + member * plan->slice_floats;
    double packing = 0;
    if (plan->threads == 1) run = units;
    for (int64_t i; (i = atomic_fetch_add_explicit(&job->next, run, memory_order_relaxed)) < units;)
        packing += bk_jit_run(plan->jit, job->x, job->y, scratch, i, i + run < units ? i + run : units, bk_now);
    if (member == 0) job->packing = packing;
}

int bk_plan_run(struct bk_plan *plan, const float *x, float *y, struct bk_clock *clock)
{
    double begin = bk_now();
    struct bk_arena *arena = borrow(plan);
    if (!arena) return -1;
    struct job job = {.plan = plan, .x = x, .y = y, .memory = arena->memory};
    atomic_init(&job.next, 0);
    bk_team_run(plan->threads, plan->jit ? work_generated : work, &job);
    give_back(plan, arena);
    clock->total_s = bk_now() - begin;
    clock->packing_s = job.packing;
    return 0;
}

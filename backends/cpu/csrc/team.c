/* A small pool of threads: no OpenMP runtime, because PyTorch and MKL bring theirs into the same process.
 *
 * A call borrows an idle team of the right size or makes one, so concurrent calls never wait for each other.
 * Helpers wait for the next call first busily, then letting others have the CPU, then asleep. Nobody waits for a helper that
 * has not begun: a call ends when its work is done, and one that wakes up too late finds it closed. Helpers keep off the caller's
 * CPU where they may: a system that wakes one up there leaves it waiting behind the caller for milliseconds, other CPUs idle or not.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "conv.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BUSY_S 20e-6   /* a call that follows at once finds its helpers awake ... */
#define POLITE_S 200e-6 /* ... and so does one a little later, at no cost to other threads that want the CPU */

/* The state of a team: the number of the call, whether it is closed to helpers, and how many are at work on it. */
#define CALL (~(uint64_t)0 << 32)
#define ONE_CALL ((uint64_t)1 << 32)
#define CLOSED ((uint64_t)1 << 31)
#define AT_WORK (CLOSED - 1)

struct team {
    struct team *next;
    int members;
    int kept_off;     /* the CPU that helpers keep off, -1 at first */
    void (*work)(void *, int);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_int asleep;
    _Alignas(BK_ALIGN) _Atomic uint64_t state;
    pthread_t thread[]; /* of each helper */
};

struct helper {
    struct team *team;
    int member;
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct team *idle;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A forked child has none of the parent's threads: forget the teams. */
static void forget_teams(void)
{
    idle = NULL;
    pthread_mutex_init(&idle_lock, NULL);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_teams); }

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Wait until the bits of the state under `mask` are `value`, or, with `other`, until they are something else. */
static uint64_t await(struct team *team, uint64_t mask, uint64_t value, int other)
{
    double begin = bk_now(), spent;
    uint64_t state;
    while ((spent = bk_now() - begin) < POLITE_S) {
        state = atomic_load_explicit(&team->state, memory_order_acquire);
        if (((state & mask) == value) != other) return state;
        if (spent < BUSY_S) pause_briefly();
        else sched_yield();
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->asleep, 1);
    while (state = atomic_load(&team->state), ((state & mask) == value) == other) pthread_cond_wait(&team->changed, &team->lock);
    atomic_fetch_sub(&team->asleep, 1);
    pthread_mutex_unlock(&team->lock);
    return state;
}

/* Let helpers use every CPU that the caller may use but the one it is on. What the system refuses makes no difference to results. */
static void keep_off(struct team *team)
{
#ifdef __linux__
    cpu_set_t allowed;
    int here = sched_getcpu();
    if (here < 0 || here == team->kept_off || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    if (CPU_COUNT(&allowed) > 1) CPU_CLR(here, &allowed);
    for (int i = 0; i + 1 < team->members; i++) pthread_setaffinity_np(team->thread[i], sizeof allowed, &allowed);
    team->kept_off = here;
#else
    (void)team;
#endif
}

/* After the state has changed: wake those who sleep until it does. */
static void tell(struct team *team)
{
    if (!atomic_load(&team->asleep)) return;
    pthread_mutex_lock(&team->lock);
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->lock);
}

static void *help(void *argument)
{
    struct helper me = *(struct helper *)argument;
    struct team *team = me.team;
    uint64_t seen = 0;
    free(argument);
    for (;;) {
        uint64_t state = await(team, CALL, seen, 1);
        while (!(state & CLOSED) && !atomic_compare_exchange_weak(&team->state, &state, state + 1)) continue;
        seen = state & CALL;
        if (state & CLOSED) continue;
        team->work(team->context, me.member);
        if ((atomic_fetch_sub(&team->state, 1) & ~CALL) == (CLOSED | 1)) tell(team);
    }
    return NULL;
}

/* A new team; it has fewer members than asked for where the system gives no more threads. */
static struct team *make_team(int members)
{
    struct team *team = bk_alloc(sizeof *team + (size_t)members * sizeof *team->thread);
    if (!team) return NULL;
    *team = (struct team){.members = 1, .kept_off = -1};
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->changed, NULL);
    atomic_init(&team->state, CLOSED);
    for (; team->members < members; team->members++) {
        struct helper *helper = malloc(sizeof *helper);
        pthread_t *thread = team->thread + team->members - 1;
        if (!helper) break;
        *helper = (struct helper){team, team->members};
        if (pthread_create(thread, NULL, help, helper)) {
            free(helper);
            break;
        }
        pthread_detach(*thread);
    }
    return team;
}

static struct team *borrow_team(int members)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&idle_lock);
    struct team **place = &idle;
    while (*place && (*place)->members != members) place = &(*place)->next;
    struct team *team = *place;
    if (team) *place = team->next;
    pthread_mutex_unlock(&idle_lock);
    return team ? team : make_team(members);
}

void bk_team_run(int members, void (*work)(void *, int), void *context)
{
    struct team *team = members > 1 ? borrow_team(members) : NULL;
    if (!team) {
        work(context, 0);
        return;
    }
    keep_off(team);
    team->work = work;
    team->context = context;
    atomic_store(&team->state, (atomic_load(&team->state) & CALL) + ONE_CALL);
    tell(team);
    work(context, 0);
    atomic_fetch_or(&team->state, CLOSED);
    await(team, AT_WORK, 0, 0);
    pthread_mutex_lock(&idle_lock);
    team->next = idle;
    idle = team;
    pthread_mutex_unlock(&idle_lock);
}

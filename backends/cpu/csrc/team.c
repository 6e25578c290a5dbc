/* A small pool of threads: no OpenMP runtime, because PyTorch and MKL bring theirs into the same process.
 *
 * A call borrows an idle team of the right size or makes one, so concurrent calls never wait for each other.
 * Helpers spin briefly for the next call and then sleep.
 */
#include "conv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SPINS 2000

struct team {
    struct team *next;
    int members;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint call;    /* number of the current call */
    atomic_int running;  /* helpers still at work */
    void (*work)(void *, int);
    void *context;
};

struct helper {
    struct team *team;
    int member;
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct team *idle;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* A forked child has none of the parent's threads: forget the teams. */
static void forget_teams(void)
{
    idle = NULL;
    pthread_mutex_init(&idle_lock, NULL);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_teams); }

static void *help(void *argument)
{
    struct helper me = *(struct helper *)argument;
    struct team *team = me.team;
    unsigned seen = 0;
    free(argument);
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&team->call, memory_order_acquire) == seen; i++) pause_briefly();
        pthread_mutex_lock(&team->lock);
        while (atomic_load(&team->call) == seen) pthread_cond_wait(&team->wake, &team->lock);
        pthread_mutex_unlock(&team->lock);
        seen++;
        team->work(team->context, me.member);
        if (atomic_fetch_sub(&team->running, 1) == 1) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->done);
            pthread_mutex_unlock(&team->lock);
        }
    }
    return NULL;
}

/* A new team; it has fewer members than asked for where the system gives no more threads. */
static struct team *make_team(int members)
{
    struct team *team = calloc(1, sizeof *team);
    if (!team) return NULL;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->done, NULL);
    team->members = 1;
    for (; team->members < members; team->members++) {
        struct helper *helper = malloc(sizeof *helper);
        pthread_t thread;
        if (!helper) break;
        *helper = (struct helper){team, team->members};
        if (pthread_create(&thread, NULL, help, helper)) {
            free(helper);
            break;
        }
        pthread_detach(thread);
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
    team->work = work;
    team->context = context;
    atomic_store(&team->running, team->members - 1);
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add_explicit(&team->call, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
    work(context, 0);
    for (int i = 0; i < SPINS && atomic_load(&team->running) > 0; i++) pause_briefly();
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->running) > 0) pthread_cond_wait(&team->done, &team->lock);
    pthread_mutex_unlock(&team->lock);
    pthread_mutex_lock(&idle_lock);
    team->next = idle;
    idle = team;
    pthread_mutex_unlock(&idle_lock);
}

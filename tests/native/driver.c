/* Fuzzer of the C kernels, without Python: random problems against a plain loop.
 *
 * driver COUNT [SEED]: COUNT problems, each on every instruction set, layout and kernel,
 * and by generated code where that works. Operands are small
 * integers, so sums are exact and must agree to the last bit. Input and output end right before a page that
 * traps, and scratch memory does too: a load or store past an end stops the program.
 */
#include "conv.h"
#include "jit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;

static int64_t pick(int64_t low, int64_t high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((state >> 33) % (uint64_t)(high - low + 1));
}

/* ---- memory that ends at a trap; replaces memory.c ---- */

struct guarded {
    void *start;
    size_t bytes, all;
};

static struct guarded guard(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    char *base = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + whole, page, PROT_NONE)) {
        perror("mmap");
        exit(2);
    }
    return (struct guarded){base + whole - bytes, bytes, whole + page};
}

static void unguard(struct guarded g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap((char *)g.start + g.bytes + page - g.all, g.all);
}

#define MOST_BLOCKS 64
static struct guarded blocks[MOST_BLOCKS];

void *bk_alloc(size_t bytes)
{
    struct guarded g = guard((bytes + BK_ALIGN - 1) / BK_ALIGN * BK_ALIGN);
    memset(g.start, 0xff, g.bytes); /* not-a-number everywhere: nothing may be used before it is written */
    for (int i = 0; i < MOST_BLOCKS; i++)
        if (!blocks[i].start) {
            blocks[i] = g;
            return g.start;
        }
    return NULL;
}

void bk_free(void *memory)
{
    for (int i = 0; i < MOST_BLOCKS; i++)
        if (blocks[i].start == memory) {
            unguard(blocks[i]);
            blocks[i].start = NULL;
            return;
        }
}

double bk_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- problems ---- */

static void pick_axis(int64_t most, int64_t *i, int64_t *o, int64_t *k, int64_t *s, int64_t *p, int64_t *d)
{
    static const int64_t kernels[] = {1, 1, 2, 3, 3, 5, 7, 11}, strides[] = {1, 1, 1, 2, 3, 4};
    *k = kernels[pick(0, 7)];
    *s = strides[pick(0, 5)];
    *p = pick(0, 4);
    *d = pick(1, 3);
    int64_t span = (*k - 1) * *d + 1, least = span - 2 * *p;
    *i = pick(least > 1 ? least : 1, most + span);
    int64_t room = *i + 2 * *p - span, bare = *i + *p - span;
    *o = pick(bare >= 0 ? bare / *s + 1 : 1, room / *s + 1);
}

static struct bk_problem pick_problem(void)
{
    struct bk_problem p = {.g = pick(1, 3), .mb = pick(0, 3) ? 1 : pick(2, 5)};
    p.ic = p.g * pick(1, 9);
    p.oc = p.g * pick(1, 9);
    pick_axis(12, &p.ih, &p.oh, &p.kh, &p.sh, &p.ph, &p.dh);
    pick_axis(40, &p.iw, &p.ow, &p.kw, &p.sw, &p.pw, &p.dw);
    if (pick(0, 5)) return p;
    p.kh = p.kw = p.sh = p.sw = p.dh = p.dw = 1; /* images as rows of pixels */
    p.ph = p.pw = 0;
    p.oh = p.ih;
    p.ow = p.iw;
    return p;
}

static void print_problem(const struct bk_problem *p)
{
    printf("g%lldmb%lldic%lldih%lldiw%lldoc%lldoh%lldow%lldkh%lldkw%lldsh%lldsw%lldph%lldpw%llddh%llddw%lld\n", (long long)p->g,
           (long long)p->mb, (long long)p->ic, (long long)p->ih, (long long)p->iw, (long long)p->oc, (long long)p->oh, (long long)p->ow,
           (long long)p->kh, (long long)p->kw, (long long)p->sh, (long long)p->sw, (long long)p->ph, (long long)p->pw,
           (long long)p->dh - 1, (long long)p->dw - 1);
}

struct operands {
    struct guarded x, y;
    float *weight, *bias, *expected;
    int relu;
    size_t outputs;
};

static float one_output(const struct bk_problem *p, const struct operands *o, int64_t n, int64_t oc, int64_t i, int64_t j)
{
    int64_t in = p->ic / p->g, group = oc / (p->oc / p->g);
    float sum = o->bias ? o->bias[oc] : 0;
    for (int64_t c = 0; c < in; c++)
        for (int64_t r = 0; r < p->kh; r++)
            for (int64_t s = 0; s < p->kw; s++) {
                int64_t h = i * p->sh + r * p->dh - p->ph, w = j * p->sw + s * p->dw - p->pw;
                if (h < 0 || w < 0 || h >= p->ih || w >= p->iw) continue;
                sum += o->weight[((oc * in + c) * p->kh + r) * p->kw + s] *
                       ((const float *)o->x.start)[((n * p->ic + group * in + c) * p->ih + h) * p->iw + w];
            }
    return o->relu && sum < 0 ? 0 : sum;
}

static struct operands make_operands(const struct bk_problem *p)
{
    static const int64_t percent[] = {0, 5, 30, 100};
    size_t inputs = (size_t)(p->mb * p->ic * p->ih * p->iw), weights = (size_t)(p->oc * (p->ic / p->g) * p->kh * p->kw), k = 0;
    struct operands o = {.outputs = (size_t)(p->mb * p->oc * p->oh * p->ow), .relu = (int)pick(0, 1)};
    int64_t density = percent[pick(0, 3)];
    o.x = guard(inputs * 4);
    o.y = guard(o.outputs * 4);
    o.weight = malloc(weights * 4);
    o.bias = pick(0, 1) ? malloc((size_t)p->oc * 4) : NULL;
    o.expected = malloc(o.outputs * 4);
    for (size_t i = 0; i < inputs; i++) ((float *)o.x.start)[i] = (float)pick(-8, 8);
    for (size_t i = 0; i < weights; i++) o.weight[i] = pick(1, 100) <= density ? (float)pick(-8, 8) : 0;
    for (int64_t i = 0; o.bias && i < p->oc; i++) o.bias[i] = (float)pick(-8, 8);
    for (int64_t n = 0; n < p->mb; n++)
        for (int64_t c = 0; c < p->oc; c++)
            for (int64_t i = 0; i < p->oh; i++)
                for (int64_t j = 0; j < p->ow; j++) o.expected[k++] = one_output(p, &o, n, c, i, j);
    return o;
}

static void free_operands(struct operands *o)
{
    unguard(o->x);
    unguard(o->y);
    free(o->weight);
    free(o->bias);
    free(o->expected);
}

/* ---- one case on one set of kernels ---- */

static struct bk_choice pick_choice(const struct bk_problem *p, const struct bk_isa *isa, int dense, int layout)
{
    int64_t most = dense ? isa->max_tile / BK_DENSE_CHANNELS : isa->max_tile;
    struct bk_choice c = {.flat = layout & 1, .slide = layout >> 1};
    c.vectors = pick(1, most);
    c.rows = c.flat ? 1 : pick(1, most / c.vectors);
    c.channel_block = pick(1, p->ic / p->g);
    c.chunks = pick(1, p->oc / p->g);
    return c;
}

static int compare(const struct bk_problem *p, struct operands *o, const char *what)
{
    const float *y = o->y.start;
    for (size_t i = 0; i < o->outputs; i++)
        if (!(y[i] == o->expected[i])) {
            printf("%s: output %zu is %g, expected %g: ", what, i, (double)y[i], (double)o->expected[i]);
            print_problem(p);
            return 1;
        }
    return 0;
}

static int run_plan(const struct bk_problem *p, struct operands *o, struct bk_plan *plan, const char *what)
{
    struct bk_clock clock;
    int bad = 0;
    for (int call = 0; call < 2 && !bad; call++) { /* the second call meets used scratch memory */
        memset(o->y.start, 0xff, o->y.bytes);
        bad = bk_plan_run(plan, o->x.start, o->y.start, &clock) || compare(p, o, what);
    }
    bk_plan_free(plan);
    return bad;
}

static int run_case(const struct bk_problem *p, struct operands *o, const struct bk_isa *isa, int dense, int layout, int *done)
{
    char message[BK_MESSAGE] = "", what[200];
    struct bk_choice c = pick_choice(p, isa, dense, layout);
    struct bk_plan *plan = bk_plan_make(p, &c, isa, dense, o->weight, o->bias, o->relu, (int)pick(1, 3), message);
    if (!plan) return strstr(message, "no room") || strstr(message, "too large for their offsets") ? 0 : (puts(message), 1);
    snprintf(what, sizeof what, "%s vl%d %s flat%d slide%d tile %lldx%lld block %lld chunks %lld threads %d", isa->name, isa->vl,
             dense ? "dense" : "sparse", (int)c.flat, (int)c.slide, (long long)c.rows, (long long)c.vectors, (long long)c.channel_block,
             (long long)c.chunks, plan->threads);
    ++*done;
    return run_plan(p, o, plan, what);
}

static int run_generated(const struct bk_problem *p, struct operands *o, int *done)
{
    char message[BK_MESSAGE] = "", what[200];
    if (bk_jit_obstacle()) return 0;
    struct bk_plan *plan = bk_plan_generate(p, o->weight, o->bias, o->relu, (int)pick(1, 3), (struct bk_jit_wish){pick(0, 3), pick(0, 3)}, message);
    if (!plan) return puts(message), 1;
    snprintf(what, sizeof what, "generated code, threads %d", plan->threads);
    ++*done;
    return run_plan(p, o, plan, what);
}

static int run_bands(const struct bk_problem *p, struct operands *o, int *done)
{
    char message[BK_MESSAGE] = "", what[200];
    if (bk_bands_obstacle()) return 0;
    struct bk_bands_wish wish = {pick(0, 9), pick(0, 3)};
    struct bk_plan *plan = bk_plan_generate_bands(p, o->weight, o->bias, o->relu, (int)pick(1, 3), wish, message);
    if (!plan) return puts(message), 1;
    snprintf(what, sizeof what, "code for AVX2, threads %d, columns %d, part %d", plan->threads, (int)wish.columns, (int)wish.part);
    ++*done;
    return run_plan(p, o, plan, what);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100, done = 0, bad = 0;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 20170424;
    const struct bk_isa *isa;
    for (int i = 0; i < count && !bad; i++) {
        struct bk_problem p = pick_problem();
        struct operands o = make_operands(&p);
        for (int k = 0; (isa = bk_isa_at(k)) && !bad; k++)
            for (int layout = 0; layout < 4 && !bad; layout++)
                for (int dense = 0; dense < 2 && !bad; dense++) bad = run_case(&p, &o, isa, dense, layout, &done);
        bad = bad || run_generated(&p, &o, &done) || run_bands(&p, &o, &done);
        free_operands(&o);
    }
    printf("%d cases on %d problems:", done, count);
    for (int k = 0; (isa = bk_isa_at(k)); k++) printf(" %s/%d", isa->name, isa->vl);
    puts(bad ? ": FAILED" : ": all equal");
    return bad;
}

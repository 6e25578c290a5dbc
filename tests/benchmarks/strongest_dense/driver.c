/* oneDNN 2.x convolution on its own blocked layouts, driven line by line from standard input.
 *
 *   problem ALG g mb ic ih iw oc oh ow kh kw sh sw ph pw dh dw    ALG: direct | winograd
 *       -> "impl NAME", or "error TEXT" where oneDNN has no such primitive
 *   check X W Y    read NCHW x and OIHW w (raw float32), convolve, write NCHW y   -> "done"
 *   sample N       N calls on the blocked arrays                                  -> median seconds of a call
 *
 * Layout changes are outside the samples: this is the strongest dense code known, as inside a network.
 */
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SRC, WEI, DST, ARRAYS };

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t convolution;
static dnnl_memory_t blocked[ARRAYS], plain[ARRAYS];
static size_t floats[ARRAYS];

static int failed(dnnl_status_t status, const char *what) {
    if (status != dnnl_success) {
        printf("error %s: status %d\n", what, (int)status);
        fflush(stdout);
    }
    return status != dnnl_success;
}

static void release(void) {
    if (convolution) dnnl_primitive_destroy(convolution);
    convolution = NULL;
    for (int i = 0; i < ARRAYS; i++) {
        if (blocked[i]) dnnl_memory_destroy(blocked[i]);
        if (plain[i]) dnnl_memory_destroy(plain[i]);
        blocked[i] = plain[i] = NULL;
    }
}

static int reorder(dnnl_memory_t from, dnnl_memory_t to) {
    const dnnl_memory_desc_t *a, *b;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t step;
    dnnl_memory_get_memory_desc(from, &a);
    dnnl_memory_get_memory_desc(to, &b);
    if (failed(dnnl_reorder_primitive_desc_create(&pd, a, engine, b, engine, NULL), "reorder")) return -1;
    dnnl_primitive_create(&step, pd);
    dnnl_primitive_desc_destroy(pd);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_status_t status = dnnl_primitive_execute(step, stream, 2, arguments);
    dnnl_stream_wait(stream);
    dnnl_primitive_destroy(step);
    return failed(status, "reorder") ? -1 : 0;
}

static void set_problem(const char *alg, const int64_t *v) {
    int64_t g = v[0], mb = v[1], ic = v[2], oc = v[5];
    dnnl_dims_t shapes[ARRAYS] = {{mb, ic, v[3], v[4]}, {oc, ic, v[8], v[9]}, {mb, oc, v[6], v[7]}};
    int ndims[ARRAYS] = {4, 4, 4};
    dnnl_format_tag_t tags[ARRAYS] = {dnnl_nchw, dnnl_oihw, dnnl_nchw};
    if (g > 1) {
        dnnl_dims_t grouped = {g, oc / g, ic / g, v[8], v[9]};
        memcpy(shapes[WEI], grouped, sizeof grouped);
        ndims[WEI] = 5, tags[WEI] = dnnl_goihw;
    }
    dnnl_memory_desc_t any[ARRAYS], flat[ARRAYS];
    for (int i = 0; i < ARRAYS; i++) {
        if (failed(dnnl_memory_desc_init_by_tag(&any[i], ndims[i], shapes[i], dnnl_f32, dnnl_format_tag_any), "shape")) return;
        dnnl_memory_desc_init_by_tag(&flat[i], ndims[i], shapes[i], dnnl_f32, tags[i]);
        floats[i] = 1;
        for (int d = 0; d < ndims[i]; d++) floats[i] *= (size_t)shapes[i][d];
    }
    int64_t end_h = (v[6] - 1) * v[10] + (v[8] - 1) * (v[14] + 1) + 1 - v[3] - v[12];
    int64_t end_w = (v[7] - 1) * v[11] + (v[9] - 1) * (v[15] + 1) + 1 - v[4] - v[13];
    dnnl_dims_t strides = {v[10], v[11]}, dilates = {v[14], v[15]}, before = {v[12], v[13]}, after = {end_h, end_w};
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t pd;
    dnnl_alg_kind_t kind = strcmp(alg, "winograd") ? dnnl_convolution_direct : dnnl_convolution_winograd;
    if (failed(dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, kind, &any[SRC], &any[WEI], NULL, &any[DST], strides,
                                                          dilates, before, after), "convolution") ||
        failed(dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL), alg))
        return;
    const dnnl_query_t queries[ARRAYS] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
    for (int i = 0; i < ARRAYS; i++) {
        dnnl_memory_create(&blocked[i], dnnl_primitive_desc_query_md(pd, queries[i], 0), engine, DNNL_MEMORY_ALLOCATE);
        dnnl_memory_create(&plain[i], &flat[i], engine, DNNL_MEMORY_ALLOCATE);
    }
    const char *name = "?";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    int bad = failed(dnnl_primitive_create(&convolution, pd), "primitive");
    if (!bad) printf("impl %s\n", name);
    dnnl_primitive_desc_destroy(pd);
}

static dnnl_status_t run(void) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, blocked[SRC]}, {DNNL_ARG_WEIGHTS, blocked[WEI]}, {DNNL_ARG_DST, blocked[DST]}};
    dnnl_status_t status = dnnl_primitive_execute(convolution, stream, 3, arguments);
    dnnl_stream_wait(stream);
    return status;
}

static int transfer(const char *path, int array, const char *mode) {
    void *data;
    FILE *file = fopen(path, mode);
    if (!file) return -1;
    dnnl_memory_get_data_handle(plain[array], &data);
    size_t moved = mode[0] == 'r' ? fread(data, 4, floats[array], file) : fwrite(data, 4, floats[array], file);
    return fclose(file) || moved != floats[array] ? -1 : 0;
}

static void check(const char *x, const char *w, const char *y) {
    if (!convolution || transfer(x, SRC, "rb") || transfer(w, WEI, "rb")) {
        printf("error cannot read the arrays\n");
        return;
    }
    if (reorder(plain[SRC], blocked[SRC]) || reorder(plain[WEI], blocked[WEI]) || failed(run(), "run") || reorder(blocked[DST], plain[DST])) return;
    printf(transfer(y, DST, "wb") ? "error cannot write the result\n" : "done\n");
}

static int ascending(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static void sample(int count) {
    static double seconds[1000];
    count = count < 1 ? 1 : count > 1000 ? 1000 : count;
    for (int i = 0; i < count && convolution; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        run();
        clock_gettime(CLOCK_MONOTONIC, &b);
        seconds[i] = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    }
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
    printf("%.9f\n", seconds[count / 2]);
}

int main(void) {
    char line[4096], alg[16], x[1024], w[1024], y[1024];
    dnnl_engine_create(&engine, dnnl_cpu, 0);
    dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    while (fgets(line, sizeof line, stdin)) {
        int64_t v[16];
        int used = 0, count = 0, n;
        if (sscanf(line, "problem %15s %n", alg, &used) == 1) {
            for (char *at = line + used, *end; count < 16; count++, at = end) {
                v[count] = strtoll(at, &end, 10);
                if (end == at) break;
            }
            release();
            if (count == 16) set_problem(alg, v);
            else printf("error 16 numbers are needed\n");
        } else if (sscanf(line, "check %1023s %1023s %1023s", x, w, y) == 3) {
            check(x, w, y);
        } else if (sscanf(line, "sample %d", &n) == 1) {
            sample(n);
        } else {
            printf("error unknown command\n");
        }
        fflush(stdout);
    }
    release();
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return 0;
}

/* A convolution as the C files pass it on. */
#ifndef BREAKEVEN_PROBLEM_H
#define BREAKEVEN_PROBLEM_H

#include <stdint.h>
#include <stdio.h>

#define BK_MESSAGE 200 /* bytes of an error message */

/* Leave a function that has `char *message`, saying what does not fit. */
#define FAIL(...)                                   \
    do {                                            \
        snprintf(message, BK_MESSAGE, __VA_ARGS__); \
        return -1;                                  \
    } while (0)

/* benchdnn's letters, except that dh, dw are steps (1 = no dilation). */
struct bk_problem {
    int64_t g, mb, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw;
};

#endif

/* src/device/kernels/trajectory.cu on a CPU: lists from standard input, the end points to standard output. */
#include "cuda.h"
#include "trajectory.cu"

static float *weights, *scales, *e, *x;
static unsigned *ops, *term_slots, *key, *n;
static double *term_by;
static unsigned long long *first;

static void call(void) {
    trajectory(weights, scales, e, ops, n[0], term_slots, term_by, key, *first, x, n[1], n[2]);
}

int main(void) {
    weights = list(), scales = list(), e = list(), ops = list(), term_slots = list(), term_by = list();
    key = list(), first = list(), x = list(), n = list();
    launch(n[3], THREADS);
    fwrite(x, sizeof(float), (size_t)n[1] * DIM, stdout);
    return 0;
}

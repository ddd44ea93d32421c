/* src/device/kernels/trajectory.cu on a CPU: lists from standard input; the end points, and how often each was asked about, to standard
   output. */
#include "cuda.h"
#include "trajectory.cu"

static float *weights, *scales, *e, *x;
static unsigned *ops, *term_slots, *runs, *n, *asked;
static double *term_by;

static void call(void) { trajectory(weights, scales, e, ops, term_slots, term_by, runs, n[0], x, asked); }

int main(void) {
    weights = list(), scales = list(), e = list(), ops = list(), term_slots = list(), term_by = list();
    runs = list(), x = list(), n = list();
    asked = calloc(n[2], sizeof(unsigned));
    launch(n[1], THREADS);
    fwrite(x, sizeof(float), (size_t)n[2] * DIM, stdout);
    fwrite(asked, sizeof(unsigned), n[2], stdout);
    return 0;
}

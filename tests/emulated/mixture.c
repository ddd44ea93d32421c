/* src/device/kernels/mixture.cu on a CPU: lists from standard input; the end points, and how often each was asked about, to standard
   output. */
#include "cuda.h"
#include "mixture.cu"

static float *axes, *components, *sigmas, *x;
static unsigned *starts, *ops, *term_slots, *runs, *n, *asked;
static double *term_by;

static void call(void) { mixture(axes, components, starts, sigmas, ops, term_slots, term_by, runs, n[0], x, asked); }

int main(void) {
    axes = list(), components = list(), starts = list(), sigmas = list(), ops = list(), term_slots = list(), term_by = list();
    runs = list(), x = list(), n = list();
    asked = calloc(n[2], sizeof(unsigned));
    launch(n[1], THREADS);
    fwrite(x, sizeof(float), (size_t)n[2] * DIM, stdout);
    fwrite(asked, sizeof(unsigned), n[2], stdout);
    return 0;
}

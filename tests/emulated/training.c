/* src/device/kernels/training.cu on a CPU: lists from standard input; after some updates the last gradient, the state and the loss to standard
   output. */
#include "cuda.h"
#include "training.cu"

static float *weights, *transposed, *first, *second, *average, *frequencies, *goals, *plan, *inputs, *deltas, *gradient;
static double *clip, *losses, *squares;
static unsigned *layers, *tiles, *n;
static int which;

static void call(void) {
    if (which == 0)
        rows_gradient(weights, transposed, frequencies, goals, inputs, deltas, losses, n[0]);
    else if (which == 1)
        weights_gradient(layers, tiles, inputs, deltas, gradient, squares, n[0]);
    else
        adam(weights, transposed, first, second, average, gradient, squares, n[2], losses, n[3], plan, *clip, n[1]);
}

static float *room(size_t count) {
    float *all = malloc(count * sizeof(double));
    memset(all, 0xff, count * sizeof(double));
    return all;
}

int main(void) {
    weights = list(), transposed = list(), first = list(), second = list(), average = list(), frequencies = list(), goals = list();
    plan = list(), clip = list(), layers = list(), tiles = list();
    /* rows, weights, tiles, blocks, inputs and deltas for each row, updates */
    n = list();
    inputs = room((size_t)n[0] * n[4]), deltas = room((size_t)n[0] * n[5]), gradient = room(n[1]);
    losses = (double *)room(n[3]), squares = (double *)room(n[2]);
    for (unsigned update = 0; update < n[6]; update++) {
        which = 0, launch(n[3], THREADS);
        which = 1, launch(n[2], THREADS);
        which = 2, launch(2, THREADS);
    }
    const float *all[5] = {gradient, weights, average, first, second};
    for (int i = 0; i < 5; i++) fwrite(all[i], sizeof(float), n[1], stdout);
    double loss = 0.0;
    for (unsigned i = 0; i < n[3]; i++) loss += losses[i];
    const float last = (float)loss;
    fwrite(&last, sizeof last, 1, stdout);
    return 0;
}

/* Whole runs of samplers around the exact score of a mixture of Gaussians (solvers/src/exact), in one launch: a thread for each row, which
   goes through its run's tape on its own; its slots lie in shared memory, a column for each thread.

   Compiled for each DIM and AXES: 1 if the components have axes of their own, else 0. */

#include "tape.cuh"

#define THREADS 256
#define NUMBERS (2 * DIM + 1)
#define PAIRS ((DIM + 1) / 2)
#define SLOT(s, d) shared[((s)*DIM + (d)) * THREADS + threadIdx.x]

/* log (w N(x; centre, C)) but for a constant, and C^-1 (x - centre) in the component's axes. c: centre and 1/C in its axes, and the rest of
   the logarithm. */
DEVICE float look(const float *c, const float *axes, const float *x, float *pull) {
    float energy = 0.0f;
    UNROLL for (int j = 0; j < DIM; j++) {
        float y = -c[j];
        if (AXES)
            UNROLL for (int i = 0; i < DIM; i++) y += x[i] * axes[i * DIM + j];
        else
            y += x[j];
        pull[j] = y * c[DIM + j];
        energy += y * pull[j];
    }
    return c[2 * DIM] - 0.5f * energy;
}

/* sigma sum of r C^-1 (x - centre) over `count` components with responsibilities r; x and the answer lie THREADS apart. */
DEVICE void answer(const float *axes, const float *components, unsigned count, float sigma, const float *x, float *into) {
    float point[DIM], pull[DIM], sum[DIM], total = 0.0f, top = -3.4e38f;
    UNROLL for (int d = 0; d < DIM; d++) point[d] = x[d * THREADS], sum[d] = 0.0f;
    for (unsigned k = 0; k < count; k++) top = fmaxf(top, look(components + k * NUMBERS, axes + k * DIM * DIM, point, pull));
    for (unsigned k = 0; k < count; k++) {
        const float *q = axes + k * DIM * DIM;
        const float weight = __expf(look(components + k * NUMBERS, q, point, pull) - top);
        total += weight;
        UNROLL for (int i = 0; i < DIM; i++) {
            float back = AXES ? 0.0f : pull[i];
            if (AXES)
                UNROLL for (int j = 0; j < DIM; j++) back += pull[j] * q[i * DIM + j];
            sum[i] += weight * back;
        }
    }
    UNROLL for (int d = 0; d < DIM; d++) into[d * THREADS] = sum[d] * (sigma / total);
}

/* components: NUMBERS for each component of each question, which begin at starts; axes: DIM x DIM for each component. sigmas: one for each
   question. x: rows x DIM, start and end. asked: how often each row was asked about. */
KERNEL void mixture(const float *axes, const float *components, const unsigned *starts, const float *sigmas, const unsigned *ops,
                    const unsigned *term_slots, const double *term_by, const unsigned *runs, unsigned tiles, float *x, unsigned *asked) {
    SHARED(shared);
    const Run *run = (const Run *)runs;
    for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        while (tile >= run[1].tile) run++;
        const unsigned row = (tile - run->tile) * THREADS + threadIdx.x;
        if (row >= run->rows) continue;
        float *own = x + (size_t)(run->row + row) * DIM;
        unsigned questions = 0;
        for (int d = 0; d < DIM; d++) SLOT(0, d) = own[d];
        for (unsigned o = 0; o < run->ops; o++) {
            const Op op = ((const Op *)ops)[run->op + o];
            if (op.kind == SUM) {
                for (int d = 0; d < DIM; d++) {
                    double sum = 0.0;
                    for (unsigned t = op.a; t < op.a + op.b; t++) sum += term_by[t] * (double)SLOT(term_slots[t], d);
                    SLOT(op.into, d) = (float)sum;
                }
            } else if (op.kind == NORMAL) {
                for (unsigned pair = 0; pair < PAIRS; pair++) {
                    double z[2];
                    normals(run->key, wide(&op.a), (wide(run->first) + row) * PAIRS + pair, z);
                    SLOT(op.into, 2 * pair) = (float)z[0];
                    if (2 * pair + 1 < DIM) SLOT(op.into, 2 * pair + 1) = (float)z[1];
                }
            } else {
                answer(axes, components + (size_t)starts[op.b] * NUMBERS, starts[op.b + 1] - starts[op.b], sigmas[op.b], &SLOT(op.a, 0),
                       &SLOT(op.into, 0));
                questions++;
            }
        }
        for (int d = 0; d < DIM; d++) own[d] = SLOT(run->end, d);
        asked[run->row + row] = questions;
    }
}

/* Whole runs of samplers around a multilayer perceptron (src/net/mlp.rs), in one launch.

   A block takes GROUPS x TALL rows of a run through all operations of its tape (solvers/src/tape.rs): the weights lie in its shared memory from the
   first step to the last, and so do the slots of its rows and one layer of activations. A thread computes TALL rows x 4 columns of a layer in
   registers; sixteen neighbours in a warp share their rows, so that a product reads each weight once for two row groups.

   Compiled for each WIDTH (64 or 128), TALL, DIM and DEPTH. It is plain C with a few words of CUDA, which tests define otherwise to run it on a CPU. */

#include "tape.cuh"

#define THREADS 256
#define COLUMNS (WIDTH / 4)
#define GROUPS (THREADS / COLUMNS)
#define ROWS (GROUPS * TALL)
#define STRIDE (WIDTH + 4)

DEVICE float silu(float z) { return __fdividef(z, 1.0f + __expf(-z)); }

/* weights: hidden matrices (inner x outer), input matrix (dim x WIDTH), biases of the input and the hidden layers, output matrix (dim x WIDTH),
   output bias. scales, e: 1/S, and WIDTH numbers, for each question. x: rows x dim, start and end. asked: how often each row was asked
   about. */
KERNEL void trajectory(const float *weights, const float *scales, const float *e_of, const unsigned *ops, const unsigned *term_slots,
                       const double *term_by, const unsigned *runs, unsigned tiles, float *x, unsigned *asked) {
    SHARED(shared);
    const Run *run = (const Run *)runs;
    const unsigned thread = threadIdx.x, dim = DIM, depth = DEPTH;
    const unsigned weight_count = depth * WIDTH * WIDTH + (2 * dim + depth + 1) * WIDTH + dim;
    float *hidden = shared;
    float *input = hidden + depth * WIDTH * WIDTH;
    float *bias = input + dim * WIDTH;
    float *output = bias + (depth + 1) * WIDTH;
    float *output_bias = output + dim * WIDTH;
    float *h = shared + (weight_count + 3) / 4 * 4;
    float *slot = h + ROWS * STRIDE;

    for (unsigned i = thread; i < weight_count; i += THREADS) shared[i] = weights[i];

    const unsigned warp = thread >> 5;
    const unsigned column = 4 * ((thread & 15) | warp % (COLUMNS / 16) << 4);
    const unsigned group = (thread >> 4 & 1) | warp / (COLUMNS / 16) << 1;
    const unsigned size = ROWS * dim, pairs = (dim + 1) / 2;

    for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        while (tile >= run[1].tile) run++;
        const unsigned top = (tile - run->tile) * ROWS, count = run->rows - top < ROWS ? (run->rows - top) * dim : size;
        float *own = x + (size_t)(run->row + top) * dim;
        unsigned questions = 0;
        for (unsigned i = thread; i < size; i += THREADS) slot[i] = i < count ? own[i] : 0.0f;
        BARRIER();
        for (unsigned o = 0; o < run->ops; o++) {
            const Op op = ((const Op *)ops)[run->op + o];
            float *into = slot + op.into * size;
            if (op.kind == SUM) {
                for (unsigned i = thread; i < size; i += THREADS) {
                    double sum = 0.0;
                    for (unsigned t = op.a; t < op.a + op.b; t++) sum += term_by[t] * (double)slot[term_slots[t] * size + i];
                    into[i] = (float)sum;
                }
            } else if (op.kind == NORMAL) {
                for (unsigned i = thread; i < ROWS * pairs; i += THREADS) {
                    const unsigned row = i / pairs, pair = i % pairs;
                    double z[2];
                    normals(run->key, wide(&op.a), (wide(run->first) + top + row) * pairs + pair, z);
                    into[row * dim + 2 * pair] = (float)z[0];
                    if (2 * pair + 1 < dim) into[row * dim + 2 * pair + 1] = (float)z[1];
                }
            } else {
                const float *from = slot + op.a * size;
                const float scale = scales[op.b];
                float e[4], sum[TALL][4];
                for (int c = 0; c < 4; c++) e[c] = e_of[op.b * WIDTH + column + c];
                UNROLL for (int r = 0; r < TALL; r++) {
                    const float *point = from + (group + r * GROUPS) * dim;
                    for (int c = 0; c < 4; c++) sum[r][c] = bias[column + c] + e[c];
                    for (unsigned d = 0; d < dim; d++)
                        for (int c = 0; c < 4; c++) sum[r][c] += point[d] * scale * input[d * WIDTH + column + c];
                }
                for (unsigned layer = 0; layer < depth; layer++) {
                    UNROLL for (int r = 0; r < TALL; r++) {
                        float4 now = {silu(sum[r][0]), silu(sum[r][1]), silu(sum[r][2]), silu(sum[r][3])};
                        *(float4 *)(h + (group + r * GROUPS) * STRIDE + column) = now;
                        for (int c = 0; c < 4; c++) sum[r][c] = bias[(layer + 1) * WIDTH + column + c] + e[c];
                    }
                    BARRIER();
                    const float *matrix = hidden + layer * WIDTH * WIDTH + column;
                    UNROLL2 for (int k = 0; k < WIDTH; k += 4) {
                        const float4 w0 = *(const float4 *)(matrix + k * WIDTH), w1 = *(const float4 *)(matrix + (k + 1) * WIDTH);
                        const float4 w2 = *(const float4 *)(matrix + (k + 2) * WIDTH), w3 = *(const float4 *)(matrix + (k + 3) * WIDTH);
                        UNROLL for (int r = 0; r < TALL; r++) {
                            const float4 a = *(const float4 *)(h + (group + r * GROUPS) * STRIDE + k);
                            sum[r][0] += a.x * w0.x + a.y * w1.x + a.z * w2.x + a.w * w3.x;
                            sum[r][1] += a.x * w0.y + a.y * w1.y + a.z * w2.y + a.w * w3.y;
                            sum[r][2] += a.x * w0.z + a.y * w1.z + a.z * w2.z + a.w * w3.z;
                            sum[r][3] += a.x * w0.w + a.y * w1.w + a.z * w2.w + a.w * w3.w;
                        }
                    }
                    BARRIER();
                }
                /* Each thread's part of the outputs of its rows, in the room of h; then one thread for each output. */
                UNROLL for (int r = 0; r < TALL; r++) {
                    for (int c = 0; c < 4; c++) sum[r][c] = silu(sum[r][c]);
                    for (unsigned d = 0; d < dim; d++) {
                        const float *w = output + d * WIDTH + column;
                        h[((group + r * GROUPS) * dim + d) * (COLUMNS + 1) + column / 4] =
                            sum[r][0] * w[0] + sum[r][1] * w[1] + sum[r][2] * w[2] + sum[r][3] * w[3];
                    }
                }
                BARRIER();
                for (unsigned i = thread; i < size; i += THREADS) {
                    float total = output_bias[i % dim];
                    for (int c = 0; c < COLUMNS; c++) total += h[i * (COLUMNS + 1) + c];
                    into[i] = total;
                }
                questions++;
            }
            BARRIER();
        }
        for (unsigned i = thread; i < count; i += THREADS) own[i] = slot[run->end * size + i];
        for (unsigned i = thread; i < count / dim; i += THREADS) asked[run->row + top + i] = questions;
        BARRIER();
    }
}

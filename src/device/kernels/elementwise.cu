/* The element-wise work of a step in one launch each, for models that are not in the kernel of whole trajectories. */

#include "random.cuh"

/* out = sum of by[i] x[i], for one to eight x; `more`: added to what out holds. */
KERNEL void weighted_sum(float *out, unsigned long long count, unsigned terms, unsigned more, const float *x0, const float *x1,
                         const float *x2, const float *x3, const float *x4, const float *x5, const float *x6, const float *x7, double b0,
                         double b1, double b2, double b3, double b4, double b5, double b6, double b7) {
    const float *x[8] = {x0, x1, x2, x3, x4, x5, x6, x7};
    const double by[8] = {b0, b1, b2, b3, b4, b5, b6, b7};
    for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < count;
         i += (unsigned long long)gridDim.x * blockDim.x) {
        double sum = more ? (double)out[i] : 0.0;
        UNROLL for (unsigned t = 0; t < 8; t++)
            if (t < terms) sum += by[t] * (double)x[t][i];
        out[i] = (float)sum;
    }
}

/* Rows first .. of a stream, rows x dim. */
KERNEL void standard_normals(float *out, unsigned long long rows, unsigned dim, const unsigned *key, unsigned long long stream,
                             unsigned long long first) {
    const unsigned pairs = (dim + 1) / 2;
    for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * pairs;
         i += (unsigned long long)gridDim.x * blockDim.x) {
        const unsigned long long row = i / pairs;
        const unsigned pair = (unsigned)(i % pairs);
        double z[2];
        normals(key, stream, (first + row) * pairs + pair, z);
        out[row * dim + 2 * pair] = (float)z[0];
        if (2 * pair + 1 < dim) out[row * dim + 2 * pair + 1] = (float)z[1];
    }
}

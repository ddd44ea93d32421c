/* One update of a multilayer perceptron (src/net/mlp.rs) in three launches: rows forward and back, the gradient of each weight, Adam.

   Every layer is a matrix of (inputs + 1) x outputs, the bias its last row; the layers follow each other: embedding, input, hidden ones,
   output. Widths are padded with zeros to a power of two, and stay zero. Compiled for each WIDTH (32 to 512), DIM, DEPTH and EMBEDDING. */

#define THREADS 256
#define ROWS 8
#define COLUMNS (WIDTH / 4)
#define SLICES (THREADS / COLUMNS)
#define GOAL (2 * DIM + 3)
#define TILE 32

/* Where the layers begin. */
#define INPUT ((EMBEDDING + 1) * WIDTH)
#define HIDDEN (INPUT + (DIM + 1) * WIDTH)
#define OUTPUT (HIDDEN + DEPTH * (WIDTH + 1) * WIDTH)

/* The sum over the block's threads, for all of them. */
DEVICE double block_sum(double own, double *room) {
    room[threadIdx.x] = own;
    BARRIER();
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
        BARRIER();
    }
    return room[0];
}

/* Parts of the sums over k < count of a[k][row] m[k][column]: each thread takes four columns of all rows, and every SLICES-th k. */
DEVICE void product(const float *a, const float *m, unsigned count, float *parts) {
    const unsigned slice = threadIdx.x / COLUMNS, column = 4 * (threadIdx.x % COLUMNS);
    float sum[ROWS][4];
    UNROLL for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < 4; c++) sum[r][c] = 0.0f;
    UNROLL4 for (unsigned k = slice; k < count; k += SLICES) {
        const float4 w = *(const float4 *)(m + k * WIDTH + column);
        UNROLL for (int r = 0; r < ROWS; r++) {
            const float v = a[k * ROWS + r];
            sum[r][0] += v * w.x;
            sum[r][1] += v * w.y;
            sum[r][2] += v * w.z;
            sum[r][3] += v * w.w;
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) {
        float4 now = {sum[r][0], sum[r][1], sum[r][2], sum[r][3]};
        *(float4 *)(parts + (slice * ROWS + r) * WIDTH + column) = now;
    }
    BARRIER();
}

/* Element i = row WIDTH + column of a product. */
DEVICE float whole(const float *parts, unsigned i) {
    float sum = 0.0f;
    for (unsigned s = 0; s < SLICES; s++) sum += parts[s * ROWS * WIDTH + i];
    return sum;
}

DEVICE float silu(float z, float *slope) {
    const float s = __fdividef(1.0f, 1.0f + __expf(-z)), h = z * s;
    *slope = s + h * (1.0f - s);
    return h;
}

/* Loss and gradients by the outputs of all layers for ROWS rows. goals: x, goal, scale, level, 1/S of each row. inputs: what each layer is
   given, rows x (EMBEDDING, DIM, WIDTH, ...), one layer after the other; deltas: the gradient by what it gives, in the same way. */
KERNEL void rows_gradient(const float *weights, const float *transposed, const float *frequencies, const float *goals, float *inputs,
                     float *deltas, double *losses, unsigned rows) {
    SHARED(shared);
    float *parts = shared;                       /* SLICES x ROWS x WIDTH */
    float *a = parts + SLICES * ROWS * WIDTH;    /* (EMBEDDING or WIDTH) x ROWS */
    float *e = a + ROWS * (EMBEDDING > WIDTH ? EMBEDDING : WIDTH);
    float *slopes = e + ROWS * WIDTH;            /* of the layers, then of the embedding */
    float *x = slopes + (DEPTH + 2) * ROWS * WIDTH;
    float *off = x + ROWS * DIM;
    const unsigned thread = threadIdx.x, top = blockIdx.x * ROWS, half = EMBEDDING / 2;
    float *const e_slope = slopes + (DEPTH + 1) * ROWS * WIDTH;
    float *const h_of = inputs + (EMBEDDING + DIM) * (size_t)rows;

    for (unsigned i = thread; i < ROWS * half; i += THREADS) {
        const unsigned r = i / half, k = i % half, row = top + r;
        const float turns = row < rows ? goals[(size_t)row * GOAL + 2 * DIM + 1] * frequencies[k] : 0.0f;
        float sine, cosine;
        sincospif(2.0f * (turns - rintf(turns)), &sine, &cosine);
        a[k * ROWS + r] = sine;
        a[(half + k) * ROWS + r] = cosine;
        if (row < rows) {
            inputs[(size_t)row * EMBEDDING + k] = sine;
            inputs[(size_t)row * EMBEDDING + half + k] = cosine;
        }
    }
    for (unsigned i = thread; i < ROWS * DIM; i += THREADS) {
        const unsigned row = top + i / DIM;
        x[i] = row < rows ? goals[(size_t)row * GOAL + i % DIM] * goals[(size_t)row * GOAL + 2 * DIM + 2] : 0.0f;
        if (row < rows) inputs[(size_t)EMBEDDING * rows + (size_t)top * DIM + i] = x[i];
    }
    BARRIER();
    product(a, weights, EMBEDDING, parts);
    for (unsigned i = thread; i < ROWS * WIDTH; i += THREADS)
        e[i] = silu(whole(parts, i) + weights[EMBEDDING * WIDTH + i % WIDTH], e_slope + i);
    BARRIER();
    for (unsigned layer = 0; layer <= DEPTH; layer++) {
        const float *m = layer ? weights + HIDDEN + (layer - 1) * (WIDTH + 1) * WIDTH : weights + INPUT;
        const float *bias = m + (layer ? WIDTH : DIM) * WIDTH;
        if (layer) product(a, m, WIDTH, parts);
        for (unsigned i = thread; i < ROWS * WIDTH; i += THREADS) {
            const unsigned r = i / WIDTH, c = i % WIDTH;
            float z = bias[c] + e[i];
            if (layer)
                z += whole(parts, i);
            else
                for (unsigned d = 0; d < DIM; d++) z += x[r * DIM + d] * m[d * WIDTH + c];
            const float h = silu(z, slopes + layer * ROWS * WIDTH + i);
            a[c * ROWS + r] = h;
            if (top + r < rows) h_of[((size_t)layer * rows + top + r) * WIDTH + c] = h;
        }
        BARRIER();
    }
    /* Eight threads for each output. */
    const float *output = weights + OUTPUT;
    for (unsigned i = thread; i < ROWS * DIM * 8; i += THREADS) {
        const unsigned r = i / 8 / DIM, d = i / 8 % DIM;
        float sum = 0.0f;
        for (unsigned k = i % 8; k < WIDTH; k += 8) sum += a[k * ROWS + r] * output[k * DIM + d];
        parts[i] = sum;
    }
    BARRIER();
    double loss = 0.0;
    for (unsigned i = thread; i < ROWS * DIM; i += THREADS) {
        const unsigned row = top + i / DIM;
        float error = output[WIDTH * DIM + i % DIM], scale = 0.0f;
        for (unsigned k = 0; k < 8; k++) error += parts[8 * i + k];
        if (row < rows) {
            scale = goals[(size_t)row * GOAL + 2 * DIM];
            error = scale * (error - goals[(size_t)row * GOAL + DIM + i % DIM]);
            loss += (double)error * error;
        }
        off[i] = 2.0f * scale * error;
        if (row < rows) deltas[(size_t)(DEPTH + 2) * WIDTH * rows + (size_t)top * DIM + i] = off[i];
    }
    BARRIER();
    loss = block_sum(loss, (double *)parts);
    if (thread == 0) losses[blockIdx.x] = loss;
    BARRIER();
    for (unsigned layer = DEPTH + 1; layer-- > 0;) {
        if (layer < DEPTH) product(a, transposed + layer * WIDTH * WIDTH, WIDTH, parts);
        for (unsigned i = thread; i < ROWS * WIDTH; i += THREADS) {
            const unsigned r = i / WIDTH, c = i % WIDTH;
            float delta = 0.0f;
            if (layer < DEPTH)
                delta = whole(parts, i);
            else
                for (unsigned d = 0; d < DIM; d++) delta += off[r * DIM + d] * output[c * DIM + d];
            delta *= slopes[layer * ROWS * WIDTH + i];
            a[c * ROWS + r] = delta;
            e[i] = (layer < DEPTH ? e[i] : 0.0f) + delta;
            if (top + r < rows) deltas[((size_t)(layer + 1) * rows + top + r) * WIDTH + c] = delta;
        }
        BARRIER();
    }
    for (unsigned i = thread; i < ROWS * WIDTH; i += THREADS)
        if (top + i / WIDTH < rows) deltas[(size_t)top * WIDTH + i] = e[i] * e_slope[i];
}

/* The gradient for TILE x TILE weights of a layer, and the sum of its squares. layers: inputs, outputs, place of the weights, columns before its
   inputs and before its deltas; tiles: layer, first input, first output. */
KERNEL void weights_gradient(const unsigned *layers, const unsigned *tiles, const float *inputs, const float *deltas, float *gradient,
                        double *squares, unsigned rows) {
    SHARED(shared);
    const unsigned *tile = tiles + 3 * blockIdx.x, *layer = layers + 5 * tile[0];
    const unsigned inner = layer[0], outer = layer[1], thread = threadIdx.x;
    const float *a = inputs + (size_t)layer[3] * rows, *delta = deltas + (size_t)layer[4] * rows;
    float *left = shared, *right = shared + TILE * (TILE + 1);
    const unsigned k = thread / 8, j = 4 * (thread % 8);
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (unsigned top = 0; top < rows; top += TILE) {
        for (unsigned i = thread; i < TILE * TILE; i += THREADS) {
            const unsigned row = top + i / TILE, from = tile[1] + i % TILE, to = tile[2] + i % TILE;
            const unsigned at = i / TILE * (TILE + 1) + i % TILE;
            /* The bias is the weight of a constant 1. */
            left[at] = row < rows && from < inner ? a[(size_t)row * inner + from] : from == inner ? 1.0f : 0.0f;
            right[at] = row < rows && to < outer ? delta[(size_t)row * outer + to] : 0.0f;
        }
        BARRIER();
        UNROLL4 for (unsigned row = 0; row < TILE; row++) {
            const float v = left[row * (TILE + 1) + k];
            for (int c = 0; c < 4; c++) sum[c] += v * right[row * (TILE + 1) + j + c];
        }
        BARRIER();
    }
    double square = 0.0;
    for (unsigned c = 0; c < 4; c++) {
        if (tile[1] + k <= inner && tile[2] + j + c < outer) {
            gradient[layer[2] + (tile[1] + k) * outer + tile[2] + j + c] = sum[c];
            square += (double)sum[c] * sum[c];
        }
    }
    square = block_sum(square, (double *)shared);
    if (thread == 0) squares[blockIdx.x] = square;
}

/* Adam with decoupled decay, and the average of the weights (src/train/adam.rs); nothing, if the loss is not finite. plan: beta1, beta2,
   1 - beta1, 1 - beta2, the two corrections, epsilon, rate, what decay keeps, and the decay of the average. */
KERNEL void adam(float *weights, float *transposed, float *first, float *second, float *average, const float *gradient, const double *squares,
            unsigned tiles, const double *losses, unsigned blocks, const float *plan, double clip, unsigned count) {
    SHARED(shared);
    double *room = (double *)shared;
    double loss = 0.0, square = 0.0;
    for (unsigned i = threadIdx.x; i < blocks; i += THREADS) loss += losses[i];
    for (unsigned i = threadIdx.x; i < tiles; i += THREADS) square += squares[i];
    loss = block_sum(loss, room);
    BARRIER();
    square = block_sum(square, room);
    if (!isfinite(loss)) return;
    const float shrink = clip > 0.0 ? (float)fmin(clip / sqrt(square), 1.0) : 1.0f;
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS) {
        const float g = gradient[i] * shrink;
        const float m = plan[0] * first[i] + plan[2] * g, v = plan[1] * second[i] + plan[3] * g * g;
        const float w = plan[8] * weights[i] - plan[7] * (m * plan[4] / (sqrtf(v * plan[5]) + plan[6]));
        first[i] = m;
        second[i] = v;
        weights[i] = w;
        average[i] = plan[9] * average[i] + (1.0f - plan[9]) * w;
        if (i >= HIDDEN && i < OUTPUT) {
            const unsigned layer = (i - HIDDEN) / ((WIDTH + 1) * WIDTH), at = (i - HIDDEN) % ((WIDTH + 1) * WIDTH);
            if (at < WIDTH * WIDTH) transposed[layer * WIDTH * WIDTH + at % WIDTH * WIDTH + at / WIDTH] = w;
        }
    }
}

/* Addressed normals, as solvers/src/key.rs defines them: ChaCha8 (Bernstein 2008) under a key, read at (stream, row), then Box-Muller in f64. */

#define TURN(a, b, c, d) \
    a += b; d ^= a; d = d << 16 | d >> 16; \
    c += d; b ^= c; b = b << 12 | b >> 20; \
    a += b; d ^= a; d = d << 8 | d >> 24; \
    c += d; b ^= c; b = b << 7 | b >> 25;

/* Words 4 quarter .. 4 quarter + 3 of a block. */
DEVICE void chacha8(const unsigned *key, unsigned long long block, unsigned long long stream, int quarter, unsigned *out) {
    unsigned start[16] = {0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u};
    for (int i = 0; i < 8; i++) start[4 + i] = key[i];
    start[12] = (unsigned)block;
    start[13] = (unsigned)(block >> 32);
    start[14] = (unsigned)stream;
    start[15] = (unsigned)(stream >> 32);
    unsigned x[16];
    for (int i = 0; i < 16; i++) x[i] = start[i];
    for (int twice = 0; twice < 4; twice++) {
        TURN(x[0], x[4], x[8], x[12])
        TURN(x[1], x[5], x[9], x[13])
        TURN(x[2], x[6], x[10], x[14])
        TURN(x[3], x[7], x[11], x[15])
        TURN(x[0], x[5], x[10], x[15])
        TURN(x[1], x[6], x[11], x[12])
        TURN(x[2], x[7], x[8], x[13])
        TURN(x[3], x[4], x[9], x[14])
    }
    /* Written out, so that x stays in registers. */
    for (int i = 0; i < 4; i++) {
        unsigned a = x[i] + start[i], b = x[4 + i] + start[4 + i], c = x[8 + i] + start[8 + i], d = x[12 + i] + start[12 + i];
        out[i] = quarter == 0 ? a : quarter == 1 ? b : quarter == 2 ? c : d;
    }
}

/* Pair number `pair` of a stream: two standard normals. */
DEVICE void normals(const unsigned *key, unsigned long long stream, unsigned long long pair, double *z) {
    unsigned w[4];
    chacha8(key, pair >> 2, stream, (int)(pair & 3), w);
    unsigned long long first = (unsigned long long)w[1] << 32 | w[0], second = (unsigned long long)w[3] << 32 | w[2];
    const double unit = 1.0 / 9007199254740992.0; /* 2^-53 */
    double radius = sqrt(-2.0 * log((double)((first >> 11) + 1) * unit));
    double sine, cosine;
    sincospi(2.0 * ((double)(second >> 11) * unit), &sine, &cosine);
    z[0] = radius * cosine;
    z[1] = radius * sine;
}

/* A tape (solvers/src/tape.rs) as the kernels read it. */

#include "random.cuh"

enum { SUM = 0, ASK = 1, NORMAL = 2 };

/* kind, into, then: SUM: first term, number of terms; ASK: slot, number of the question; NORMAL: the stream's halves. */
typedef struct {
    unsigned kind, into, a, b;
} Op;

/* Rows that go through the same operations: `rows` of them from `row` on in the list of points, with normals of `key` from sample `first` on.
   Blocks take tiles of rows, a run's being those from `tile` to the next run's; after the last run comes one that has but a `tile`. */
typedef struct {
    unsigned tile, row, rows, op, ops, end, first[2], key[8];
} Run;

DEVICE unsigned long long wide(const unsigned *halves) { return (unsigned long long)halves[1] << 32 | halves[0]; }

/* The few words of CUDA that the kernels use, on a CPU: a block's threads are threads, its barriers are barriers, blocks come one by one. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned x; } Index;
typedef struct { float x, y, z, w; } float4;

static __thread Index threadIdx;
static Index blockIdx, blockDim, gridDim;
static pthread_barrier_t barrier;
/* SHARED_BYTES is what a block asks for; what lies beyond stays as it is. */
#define BEYOND 4096
static unsigned char shared_room[SHARED_BYTES + BEYOND] __attribute__((aligned(16)));

#define KERNEL static
#define DEVICE static inline
#define SHARED(name) float *name = (float *)shared_room
#define BARRIER() pthread_barrier_wait(&barrier)
#define UNROLL
#define UNROLL2
#define UNROLL4
#define __expf expf
#define __fdividef(a, b) ((a) / (b))

static void sincospi(double x, double *s, double *c) {
    *s = sin(M_PI * x);
    *c = cos(M_PI * x);
}

static void sincospif(float x, float *s, float *c) {
    *s = (float)sin(M_PI * x);
    *c = (float)cos(M_PI * x);
}

static void call(void);

static void *one(void *number) {
    threadIdx.x = (unsigned)(size_t)number;
    call();
    return NULL;
}

static void launch(unsigned blocks, unsigned threads) {
    pthread_t handles[1024];
    gridDim.x = blocks;
    blockDim.x = threads;
    pthread_barrier_init(&barrier, NULL, threads);
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
        /* NaN, so that what nobody wrote is seen. */
        memset(shared_room, 0xff, sizeof shared_room);
        for (size_t i = 0; i < threads; i++)
            if (pthread_create(&handles[i], NULL, one, (void *)i)) exit(2);
        for (size_t i = 0; i < threads; i++) pthread_join(handles[i], NULL);
        for (size_t i = SHARED_BYTES; i < SHARED_BYTES + BEYOND; i++)
            if (shared_room[i] != 0xff) exit(5);
    }
}

/* The next list of the input: its length in bytes, then the bytes. */
static void *list(void) {
    unsigned long long length;
    if (fread(&length, 8, 1, stdin) != 1) exit(3);
    void *room = malloc(length + 1);
    if (!room || fread(room, 1, length, stdin) != length) exit(4);
    return room;
}

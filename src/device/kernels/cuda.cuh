/* The few words of CUDA that the kernels use. */
#define KERNEL extern "C" __global__
#define DEVICE static __device__ __forceinline__
#define SHARED(name) extern __shared__ __align__(16) float name[]
#define BARRIER __syncthreads
#define UNROLL _Pragma("unroll")
#define UNROLL2 _Pragma("unroll 2")
#define UNROLL4 _Pragma("unroll 4")

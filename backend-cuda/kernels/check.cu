// Whether every entry of a gradient is finite.
#include "reduce.cuh"
#include "vector.cuh"

constexpr int THREADS = 256;
constexpr unsigned int CHUNK = 4096;

static __device__ unsigned int both(unsigned int a, unsigned int b) { return a & b; }

// One block a chunk of CHUNK entries.
extern "C" __global__ void __launch_bounds__(THREADS) check_sweep(
    const float* g, unsigned int n, unsigned int* partials) {
    __shared__ unsigned int shared[THREADS];
    unsigned int own = 1;
    const unsigned int first = blockIdx.x * CHUNK;
    sweep<THREADS>(first, min(n - first, CHUNK) + first, [&](unsigned int, float g) { own &= isfinite(g); }, g);
    const unsigned int all = fold<THREADS>(own, shared, both);
    if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

// One block. With `join` an earlier verdict of the same step stays if it was bad.
extern "C" __global__ void __launch_bounds__(THREADS) check_finish(
    const unsigned int* partials, unsigned int count, int join, unsigned int* finite) {
    __shared__ unsigned int shared[THREADS];
    unsigned int own = 1;
    for (unsigned int i = threadIdx.x; i < count; i += THREADS) own &= partials[i];
    const unsigned int all = fold<THREADS>(own, shared, both);
    if (threadIdx.x == 0) *finite = join ? all & *finite : all;
}

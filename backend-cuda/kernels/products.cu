// a.a, b.b and a.b in one sweep, and the quotients that methods take of them, which stay on the device. Terms and sums are
// doubles, which products of floats neither over- nor underflow; chunks and their threads are added in a fixed order.
#include "products.cuh"
#include "reduce.cuh"
#include "vector.cuh"

constexpr int THREADS = 256;
constexpr unsigned int CHUNK = 4096;

struct Products {
    double aa, bb, ab;
};

static __device__ Products add(Products x, Products y) { return {x.aa + y.aa, x.bb + y.bb, x.ab + y.ab}; }

// One block a chunk of CHUNK entries.
extern "C" __global__ void __launch_bounds__(THREADS) products_sweep(
    const float* a, const float* b, unsigned int n, Products* partials) {
    __shared__ Products shared[THREADS];
    Products own = {0.0, 0.0, 0.0};
    const unsigned int first = blockIdx.x * CHUNK;
    const auto take = [&](unsigned int, double x, double y) { own = add(own, {x * x, y * y, x * y}); };
    sweep<THREADS>(first, min(n - first, CHUNK) + first, take, a, b);
    const Products all = fold<THREADS>(own, shared, add);
    if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

// One block.
extern "C" __global__ void __launch_bounds__(THREADS) products_finish(
    const Products* partials, unsigned int count, Quotients* quotients) {
    __shared__ Products shared[THREADS];
    Products own = {0.0, 0.0, 0.0};
    for (unsigned int i = threadIdx.x; i < count; i += THREADS) own = add(own, partials[i]);
    const Products all = fold<THREADS>(own, shared, add);
    if (threadIdx.x != 0) return;
    const bool none = all.bb == 0.0, finite = isfinite(all.aa) && isfinite(all.bb);
    const float projection = !finite ? nanf("") : none || all.aa == 0.0 ? 0.0f : float(all.ab / all.bb);
    *quotients = {projection, none ? 0.0f : float(sqrt(all.aa) / sqrt(all.bb))};
}

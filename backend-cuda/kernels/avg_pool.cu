// Mean of each window, zeros outside the image included.
#include "element.cuh"
#include "pool.cuh"

extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(avg_pool_forward)(
    const Element* x, unsigned int outputs, const Pool pool, float share, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= outputs) return;
    float sum = 0.0f;
    each_value(pool, i, [&](unsigned int from, unsigned int) { sum += x[from]; });
    y[i] = sum * share;
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(avg_pool_backward)(
    const Element* dy, unsigned int inputs, const Pool pool, float share, int accumulate, Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= inputs) return;
    float sum = 0.0f;
    each_window(pool, i, [&](unsigned int output, unsigned int, unsigned int) { sum += dy[output]; });
    dx[i] = accumulate ? dx[i] + sum * share : sum * share;
}

// max(x, 0). NaN stays NaN, so that it shows in the loss. Both kernels work in place too.
#include "element.cuh"

extern "C" __global__ void __launch_bounds__(256) KERNEL(relu_forward)(const Element* x, unsigned int n, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

// Writes dx, or adds to it: dy where the output y is not zero.
extern "C" __global__ void __launch_bounds__(256) KERNEL(relu_backward)(
    const Element* y, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float d = y[i] == 0.0f ? 0.0f : dy[i];
    dx[i] = accumulate ? dx[i] + d : d;
}

// Largest value of each window, of those inside the image; the first of equals gets the gradient. A NaN is the largest, so that it shows in the loss.
#include "element.cuh"
#include "pool.cuh"

// `chosen` is which pixel of its window each output came from.
extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(max_pool_forward)(
    const Element* x, unsigned int outputs, const Pool pool, unsigned int* chosen, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= outputs) return;
    float best = 0.0f;
    // Each window has a pixel of the image.
    unsigned int which = ~0u;
    each_value(pool, i, [&](unsigned int from, unsigned int k) {
        const float value = x[from];
        if (which == ~0u || value > best || isnan(value)) {
            best = value;
            which = k;
        }
    });
    y[i] = best;
    chosen[i] = which;
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(max_pool_backward)(
    const Element* dy, const unsigned int* chosen, unsigned int inputs, const Pool pool, int accumulate, Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= inputs) return;
    float sum = accumulate ? dx[i] : 0.0f;
    each_window(pool, i, [&](unsigned int output, unsigned int r, unsigned int s) {
        if (chosen[output] == r * pool.window_width + s) sum += dy[output];
    });
    dx[i] = sum;
}

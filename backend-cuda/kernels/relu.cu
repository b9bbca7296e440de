// max(x, 0). NaN stays NaN, so that it shows in the loss. Both kernels work in place too.
#include "element.cuh"
#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(256) KERNEL(relu_forward)(const Element* x, unsigned int n, Element* y) {
    map(n, y, [](unsigned int, float x) { return x < 0.0f ? 0.0f : x; }, x);
}

// Writes dx, or adds to it: dy where the output y is not zero.
extern "C" __global__ void __launch_bounds__(256) KERNEL(relu_backward)(
    const Element* y, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    map_onto(n, dx, accumulate, [](unsigned int, float y, float dy) { return y == 0.0f ? 0.0f : dy; }, y, dy);
}

// Sums of tensors; `y` may be one of the terms.
#include "element.cuh"
#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(256) KERNEL(add)(
    const Element* a, const Element* b, unsigned int n, Element* y) {
    map(n, y, [](unsigned int, float a, float b) { return a + b; }, a, b);
}

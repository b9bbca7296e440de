// Every channel of a sample times a number of its own: squeeze-and-excitation, and the gradient of its image.
#include "divisor.cuh"
#include "element.cuh"

// y[n, p, c] = x[n, p, c] s[n, c], written or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(scale)(
    const Element* x, const Element* s, unsigned int n, const Divisor by_channels, const Divisor by_pixels, int accumulate,
    Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int channel = i;
    const unsigned int sample = by_pixels.quotient(by_channels.split(channel));
    const float value = x[i] * s[sample * by_channels.divisor + channel];
    y[i] = accumulate ? y[i] + value : value;
}

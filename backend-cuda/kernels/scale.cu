// Every channel of a sample times a number of its own: squeeze-and-excitation, and the gradient of its image.
#include "divisor.cuh"
#include "neighbours.cuh"

// y[n, p, c] = x[n, p, c] s[n, c], written or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(scale)(
    const Element* x, const Element* s, unsigned int n, const Divisor by_channels, const Divisor by_pixels, int accumulate,
    Element* y) {
    const unsigned int channels = by_channels.divisor;
    each_neighbours(n, in_neighbours(channels, x, s, y), [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        unsigned int channel = i;
        const unsigned int sample = by_pixels.quotient(by_channels.split(channel));
        Group<Element, COUNT> values, factors, to;
        values.read(x + i);
        factors.read(s + sample * channels + channel);
        if (accumulate) to.read(y + i);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) {
            const float value = values.at[j] * factors.at[j];
            to.at[j] = accumulate ? to.at[j] + value : value;
        }
        to.write(y + i);
    });
}

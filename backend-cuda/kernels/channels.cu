// Channels of two images one behind the other, and a part of an image's channels: concatenation, and the zeros behind a
// shortcut's channels.
#include "divisor.cuh"
#include "neighbours.cuh"

// `first` channels of a, then those of b, or zeros where b is null; n values altogether.
extern "C" __global__ void __launch_bounds__(256) KERNEL(channels_join)(
    const Element* a, const Element* b, unsigned int n, const Divisor by_channels, unsigned int first, Element* y) {
    const unsigned int second = by_channels.divisor - first;
    const bool grouped = in_neighbours(first, a, b, y) && second % VECTOR<Element> == 0;
    each_neighbours(n, grouped, [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        unsigned int channel = i;
        const unsigned int pixel = by_channels.split(channel);
        Group<Element, COUNT> values;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) values.at[j] = 0.0f;
        if (channel < first) values.read(a + pixel * first + channel);
        else if (b != nullptr) values.read(b + pixel * second + channel - first);
        values.write(y + i);
    });
}

// Of `channels` channels those from `before` on, as many as `by_part` says: n values, written or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(channels_part)(
    const Element* x, unsigned int n, const Divisor by_part, unsigned int channels, unsigned int before, int accumulate,
    Element* y) {
    const bool grouped = in_neighbours(channels, x, y) && (by_part.divisor | before) % VECTOR<Element> == 0;
    each_neighbours(n, grouped, [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        unsigned int channel = i;
        const unsigned int pixel = by_part.split(channel);
        Group<Element, COUNT> values, to;
        values.read(x + pixel * channels + before + channel);
        if (accumulate) to.read(y + i);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) {
            const float value = values.at[j];
            to.at[j] = accumulate ? float(to.at[j]) + value : value;
        }
        to.write(y + i);
    });
}

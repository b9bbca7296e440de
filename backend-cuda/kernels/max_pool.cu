// Largest value of each window, of those inside the image; the first of equals gets the gradient. A NaN is the largest, so that it shows in the loss.
#include "neighbours.cuh"
#include "pool.cuh"

// `chosen` is which pixel of its window each output came from.
extern "C" __global__ void __launch_bounds__(256, 3) KERNEL(max_pool_forward)(
    const Element* x, unsigned int outputs, const Pool pool, unsigned int* chosen, Element* y) {
    const bool grouped = in_neighbours(pool.by_channels.divisor, x, y) && aligned(chosen);
    each_neighbours(outputs, grouped, [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        float best[COUNT] = {};
        // Each window has a pixel of the image.
        Group<unsigned int, COUNT> which;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) which.at[j] = ~0u;
        each_value(pool, i, [&](unsigned int from, unsigned int k) {
            Group<Element, COUNT> values;
            values.read(x + from);
#pragma unroll
            for (unsigned int j = 0; j < COUNT; j++) {
                const float value = values.at[j];
                if (which.at[j] == ~0u || value > best[j] || isnan(value)) {
                    best[j] = value;
                    which.at[j] = k;
                }
            }
        });
        Group<Element, COUNT> to;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) to.at[j] = best[j];
        to.write(y + i);
        which.write(chosen + i);
    });
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256, 3) KERNEL(max_pool_backward)(
    const Element* dy, const unsigned int* chosen, unsigned int inputs, const Pool pool, int accumulate, Element* dx) {
    const bool grouped = in_neighbours(pool.by_channels.divisor, dy, dx) && aligned(chosen);
    each_neighbours(inputs, grouped, [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        Group<Element, COUNT> to;
        if (accumulate) to.read(dx + i);
        float sum[COUNT];
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) sum[j] = accumulate ? float(to.at[j]) : 0.0f;
        each_window(pool, i, [&](unsigned int output, unsigned int r, unsigned int s) {
            Group<Element, COUNT> slopes;
            Group<unsigned int, COUNT> which;
            slopes.read(dy + output);
            which.read(chosen + output);
#pragma unroll
            for (unsigned int j = 0; j < COUNT; j++)
                if (which.at[j] == r * pool.window_width + s) sum[j] += slopes.at[j];
        });
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) to.at[j] = sum[j];
        to.write(dx + i);
    });
}

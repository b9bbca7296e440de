// Mean of each window, zeros outside the image included.
#include "neighbours.cuh"
#include "pool.cuh"

extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(avg_pool_forward)(
    const Element* x, unsigned int outputs, const Pool pool, float share, Element* y) {
    each_neighbours(outputs, in_neighbours(pool.by_channels.divisor, x, y), [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        float sum[COUNT] = {};
        each_value(pool, i, [&](unsigned int from, unsigned int) {
            Group<Element, COUNT> values;
            values.read(x + from);
#pragma unroll
            for (unsigned int j = 0; j < COUNT; j++) sum[j] += values.at[j];
        });
        Group<Element, COUNT> means;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) means.at[j] = sum[j] * share;
        means.write(y + i);
    });
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256, 4) KERNEL(avg_pool_backward)(
    const Element* dy, unsigned int inputs, const Pool pool, float share, int accumulate, Element* dx) {
    each_neighbours(inputs, in_neighbours(pool.by_channels.divisor, dy, dx), [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        float sum[COUNT] = {};
        each_window(pool, i, [&](unsigned int output, unsigned int, unsigned int) {
            Group<Element, COUNT> slopes;
            slopes.read(dy + output);
#pragma unroll
            for (unsigned int j = 0; j < COUNT; j++) sum[j] += slopes.at[j];
        });
        Group<Element, COUNT> to;
        if (accumulate) to.read(dx + i);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) to.at[j] = accumulate ? fmaf(sum[j], share, to.at[j]) : sum[j] * share;
        to.write(dx + i);
    });
}

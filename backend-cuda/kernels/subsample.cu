// Every stride-th pixel from (shift, shift) on, zeros beyond the image: y[i, j] = x[i*stride + shift, j*stride + shift].
#include "divisor.cuh"
#include "neighbours.cuh"
#include "place.cuh"

struct Subsample {
    unsigned int height;
    unsigned int width;
    unsigned int out_height;
    unsigned int out_width;
    unsigned int shift;
    Divisor by_stride;
    Divisor by_channels;
    Divisor by_width;
    Divisor by_height;
    Divisor by_out_width;
    Divisor by_out_height;
};

extern "C" __global__ void __launch_bounds__(256) KERNEL(subsample_forward)(
    const Element* x, unsigned int outputs, const Subsample shape, Element* y) {
    const unsigned int channels = shape.by_channels.divisor;
    each_neighbours(outputs, in_neighbours(channels, x, y), [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        const Place at = place(i, shape.by_channels, shape.by_out_width, shape.by_out_height);
        const unsigned int row = at.y * shape.by_stride.divisor + shape.shift;
        const unsigned int column = at.x * shape.by_stride.divisor + shape.shift;
        Group<Element, COUNT> values;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) values.at[j] = 0.0f;
        if (row < shape.height && column < shape.width)
            values.read(x + ((at.n * shape.height + row) * shape.width + column) * channels + at.c);
        values.write(y + i);
    });
}

// Writes dx, or adds to it: each pixel has one reader at most.
extern "C" __global__ void __launch_bounds__(256) KERNEL(subsample_backward)(
    const Element* dy, unsigned int inputs, const Subsample shape, int accumulate, Element* dx) {
    const unsigned int channels = shape.by_channels.divisor;
    each_neighbours(inputs, in_neighbours(channels, dy, dx), [&](unsigned int i, auto neighbours) {
        constexpr unsigned int COUNT = decltype(neighbours)::count;
        const Place at = place(i, shape.by_channels, shape.by_width, shape.by_height);
        Group<Element, COUNT> slopes, to;
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) slopes.at[j] = 0.0f;
        if (at.y >= shape.shift && at.x >= shape.shift) {
            unsigned int row = at.y - shape.shift, column = at.x - shape.shift;
            const unsigned int out_row = shape.by_stride.split(row), out_column = shape.by_stride.split(column);
            const unsigned int pixel = (at.n * shape.out_height + out_row) * shape.out_width + out_column;
            if (row == 0 && column == 0 && out_row < shape.out_height && out_column < shape.out_width)
                slopes.read(dy + pixel * channels + at.c);
        }
        if (accumulate) to.read(dx + i);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) {
            const float d = slopes.at[j];
            to.at[j] = accumulate ? float(to.at[j]) + d : d;
        }
        to.write(dx + i);
    });
}

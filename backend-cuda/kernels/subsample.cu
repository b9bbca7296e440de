// Every stride-th pixel from (shift, shift) on, zeros beyond the image: y[i, j] = x[i*stride + shift, j*stride + shift].
#include "divisor.cuh"
#include "element.cuh"
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
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= outputs) return;
    const Place at = place(i, shape.by_channels, shape.by_out_width, shape.by_out_height);
    const unsigned int row = at.y * shape.by_stride.divisor + shape.shift;
    const unsigned int column = at.x * shape.by_stride.divisor + shape.shift;
    const bool inside = row < shape.height && column < shape.width;
    const unsigned int pixel = (at.n * shape.height + row) * shape.width + column;
    y[i] = inside ? x[pixel * shape.by_channels.divisor + at.c] : 0.0f;
}

// Writes dx, or adds to it: each pixel has one reader at most.
extern "C" __global__ void __launch_bounds__(256) KERNEL(subsample_backward)(
    const Element* dy, unsigned int inputs, const Subsample shape, int accumulate, Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= inputs) return;
    const Place at = place(i, shape.by_channels, shape.by_width, shape.by_height);
    bool read = at.y >= shape.shift && at.x >= shape.shift;
    float d = 0.0f;
    if (read) {
        unsigned int row = at.y - shape.shift, column = at.x - shape.shift;
        const unsigned int out_row = shape.by_stride.split(row), out_column = shape.by_stride.split(column);
        read = row == 0 && column == 0 && out_row < shape.out_height && out_column < shape.out_width;
        const unsigned int pixel = (at.n * shape.out_height + out_row) * shape.out_width + out_column;
        if (read) d = dy[pixel * shape.by_channels.divisor + at.c];
    }
    dx[i] = accumulate ? dx[i] + d : d;
}

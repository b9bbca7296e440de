// Every stride-th pixel from (shift, shift) on, zeros beyond the image: y[i, j] = x[i*stride + shift, j*stride + shift].
#include "divisor.cuh"

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

extern "C" __global__ void __launch_bounds__(256) subsample_forward(
    const float* x, unsigned int outputs, const Subsample shape, float* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= outputs) return;
    unsigned int channel = i;
    unsigned int column = shape.by_channels.split(channel);
    unsigned int row = shape.by_out_width.split(column);
    const unsigned int sample = shape.by_out_height.split(row);
    row = row * shape.by_stride.divisor + shape.shift;
    column = column * shape.by_stride.divisor + shape.shift;
    const bool inside = row < shape.height && column < shape.width;
    const unsigned int pixel = (sample * shape.height + row) * shape.width + column;
    y[i] = inside ? x[pixel * shape.by_channels.divisor + channel] : 0.0f;
}

// Writes dx, or adds to it: each pixel has one reader at most.
extern "C" __global__ void __launch_bounds__(256) subsample_backward(
    const float* dy, unsigned int inputs, const Subsample shape, int accumulate, float* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= inputs) return;
    unsigned int channel = i;
    unsigned int column = shape.by_channels.split(channel);
    unsigned int row = shape.by_width.split(column);
    const unsigned int sample = shape.by_height.split(row);
    bool read = row >= shape.shift && column >= shape.shift;
    row -= shape.shift;
    column -= shape.shift;
    float d = 0.0f;
    if (read) {
        const unsigned int out_row = shape.by_stride.split(row), out_column = shape.by_stride.split(column);
        read = row == 0 && column == 0 && out_row < shape.out_height && out_column < shape.out_width;
        const unsigned int pixel = (sample * shape.out_height + out_row) * shape.out_width + out_column;
        if (read) d = dy[pixel * shape.by_channels.divisor + channel];
    }
    dx[i] = accumulate ? dx[i] + d : d;
}

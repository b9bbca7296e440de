// The geometry of pooling. Windows may reach over the border. The host's side is src/kernels/pool.rs.
#pragma once

#include "divisor.cuh"
#include "place.cuh"

struct Pool {
    unsigned int height;
    unsigned int width;
    unsigned int out_height;
    unsigned int out_width;
    unsigned int window_height;
    unsigned int window_width;
    // Rows and columns of padding before the image.
    unsigned int padding_y;
    unsigned int padding_x;
    Divisor by_stride;
    Divisor by_channels;
    Divisor by_width;
    Divisor by_height;
    Divisor by_out_width;
    Divisor by_out_height;
};

// The first window, in one direction, that has the pixel `at`, counted from the padding's first, and the one after the last.
static __device__ unsigned int first_window(const Pool& p, unsigned int at, unsigned int window) {
    return at < window ? 0 : p.by_stride.quotient(at - window) + 1;
}
static __device__ unsigned int end_window(const Pool& p, unsigned int at, unsigned int windows) {
    const unsigned int end = p.by_stride.quotient(at) + 1;
    return end < windows ? end : windows;
}

// Calls `window(output index, row within the window, column within the window)` for each window that has the pixel.
template <class Window>
static __device__ void each_window(const Pool& p, unsigned int i, Window window) {
    Place at = place(i, p.by_channels, p.by_width, p.by_height);
    at.y += p.padding_y;
    at.x += p.padding_x;
    const unsigned int stride = p.by_stride.divisor, channels = p.by_channels.divisor;
    const unsigned int end_y = end_window(p, at.y, p.out_height), end_x = end_window(p, at.x, p.out_width);
    for (unsigned int y = first_window(p, at.y, p.window_height); y < end_y; y++)
        for (unsigned int x = first_window(p, at.x, p.window_width); x < end_x; x++)
            window(((at.n * p.out_height + y) * p.out_width + x) * channels + at.c, at.y - y * stride, at.x - x * stride);
}

// Calls `value(input index, number within the window)` for each pixel of an output's window that is inside the image, row by
// row.
template <class Value>
static __device__ void each_value(const Pool& p, unsigned int i, Value value) {
    const Place at = place(i, p.by_channels, p.by_out_width, p.by_out_height);
    const unsigned int stride = p.by_stride.divisor, channels = p.by_channels.divisor;
#pragma unroll 1
    for (unsigned int r = 0; r < p.window_height; r++)
#pragma unroll 1
        for (unsigned int s = 0; s < p.window_width; s++) {
            // Before the first pixel is, as an unsigned number, beyond the last too.
            const unsigned int y = at.y * stride + r - p.padding_y, x = at.x * stride + s - p.padding_x;
            if (y < p.height && x < p.width)
                value(((at.n * p.height + y) * p.width + x) * channels + at.c, r * p.window_width + s);
        }
}

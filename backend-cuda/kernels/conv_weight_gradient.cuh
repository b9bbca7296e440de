// dw[r, s, c, o] = sum x[n, i*stride + r - before, j*stride + s - before, c] dy[n, i, j, o] over all samples and output
// pixels: a product of matrices as deep as there are pixels. The depth is cut into slices that depend on the shape
// alone; their results are added up in their order.
#pragma once

#include "conv.cuh"
#include "tile.cuh"

// A row for each (r, s, c), in depth the output pixels.
template <class T, class V>
struct Patches {
    using Lines = Spread<T, T::ROWS, false>;
    using Value = V;
    const V* x;
    const Conv& conv;
    bool exists;
    int r, s;
    unsigned int channel;

    __device__ Patches(const V* x, const Conv& conv) : x(x), conv(conv) {
        channel = blockIdx.x * T::ROWS + Lines::line(0);
        exists = channel < conv.taps() * conv.channels;
        unsigned int column = conv.by_channels.split(channel);
        r = int(conv.by_kernel.split(column)) - int(conv.padding_y);
        s = int(column) - int(conv.padding_x);
    }

    __device__ void fetch(unsigned int at, V (&values)[Lines::COUNT]) const {
        const int stride = conv.by_stride.divisor;
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            unsigned int pixel = at + Lines::depth(i);
            const bool inside_batch = pixel < conv.out_rows();
            const unsigned int sample = conv.by_out_pixels.split(pixel);
            const unsigned int oy = conv.by_out_width.split(pixel);
            const unsigned int py = int(oy) * stride + r, px = int(pixel) * stride + s;
            const bool inside = exists && inside_batch && py < conv.height && px < conv.width;
            const unsigned int from = sample * conv.by_pixels.divisor + py * conv.width + px;
            values[i] = inside ? x[from * conv.channels + channel] : V{};
        }
    }
};

// dy as it lies, a row for each output pixel.
template <class T, class V>
struct Gradient {
    using Lines = Spread<T, T::COLUMNS, false>;
    using Value = V;
    const V* dy;
    const Conv& conv;

    __device__ void fetch(unsigned int at, V (&values)[Lines::COUNT]) const {
        const unsigned int column = blockIdx.y * T::COLUMNS + Lines::line(0);
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            const unsigned int pixel = at + Lines::depth(i);
            const bool inside = pixel < conv.out_rows() && column < conv.filters;
            values[i] = inside ? dy[pixel * conv.filters + column] : V{};
        }
    }
};

// P multiplies: see `Floats` and `Words`. Slices of `slice` pixels, a multiple of the tile's depth; each writes a gradient of
// its own, one after the other from `dw` on.
template <class P, class V>
static __device__ void weight_gradient(
    typename P::Shared& shared, const V* x, const V* dy, const Conv& conv, unsigned int slice, float* dw) {
    typename P::Sum sum;
    Patches<typename P::Tile, V> patches(x, conv);
    Gradient<typename P::Tile, V> gradient{dy, conv};
    const unsigned int rows = conv.taps() * conv.channels, pixels = conv.out_rows();
    const unsigned int begin = blockIdx.z * slice, end = begin + slice < pixels ? begin + slice : pixels;
    P::multiply(patches, gradient, begin, end, shared, sum);
    float* const own = dw + blockIdx.z * rows * conv.filters;
    P::each(sum, rows, conv.filters, [&](unsigned int row, unsigned int column, float value) {
        own[row * conv.filters + column] = value;
    });
}

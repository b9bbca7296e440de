// y[i, j, o] = b[o] + sum x[i*stride + r - before, j*stride + s - before, c] w[r, s, c, o], as a product of matrices whose
// left one, a row for each output pixel and a column for each (r, s, c), is never written down.
#pragma once

#include "conv.cuh"
#include "tile.cuh"

// The left matrix: x gathered.
template <class T, class V>
struct Patches {
    using Lines = Spread<T, T::ROWS, true>;
    using Value = V;
    const V* x;
    const Conv& conv;
    // Of each of this thread's rows where its patch begins; y is so large that no pixel is inside where there is no row.
    int sample[Lines::COUNT], y[Lines::COUNT], x0[Lines::COUNT];

    __device__ Patches(const V* x, const Conv& conv) : x(x), conv(conv) {
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            unsigned int row = blockIdx.x * T::ROWS + Lines::line(i);
            const bool exists = row < conv.out_rows();
            sample[i] = conv.by_out_pixels.split(row) * conv.by_pixels.divisor;
            const int out_y = conv.by_out_width.split(row), stride = conv.by_stride.divisor;
            y[i] = exists ? out_y * stride - int(conv.padding_y) : 1 << 30;
            x0[i] = int(row) * stride - int(conv.padding_x);
        }
    }

    __device__ void fetch(unsigned int at, V (&values)[Lines::COUNT]) const {
        unsigned int channel = at + Lines::depth(0);
        const bool exists = channel < conv.taps() * conv.channels;
        unsigned int s = conv.by_channels.split(channel);
        const unsigned int r = conv.by_kernel.split(s);
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            // As unsigned numbers coordinates before the first are too large as well.
            const unsigned int py = y[i] + r, px = x0[i] + s;
            const bool inside = exists && py < conv.height && px < conv.width;
            values[i] = inside ? x[(sample[i] + py * conv.width + px) * conv.channels + channel] : V{};
        }
    }
};

// The right matrix: the filters as they lie, a row for each (r, s, c).
template <class T>
struct Filters {
    using Lines = Spread<T, T::COLUMNS, false>;
    using Value = float;
    const float* w;
    const Conv& conv;

    __device__ void fetch(unsigned int at, float (&values)[Lines::COUNT]) const {
        const unsigned int column = blockIdx.y * T::COLUMNS + Lines::line(0);
        const unsigned int depth = conv.taps() * conv.channels;
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            const unsigned int k = at + Lines::depth(i);
            values[i] = k < depth && column < conv.filters ? w[k * conv.filters + column] : 0.0f;
        }
    }
};

// P multiplies: see `Floats` and `Words`. Activations are V.
template <class P, class V>
static __device__ void forward(
    typename P::Shared& shared, const V* x, const float* w, const float* bias, const Conv& conv, V* y) {
    typename P::Sum sum;
    Patches<typename P::Tile, V> patches(x, conv);
    Filters<typename P::Tile> filters{w, conv};
    P::multiply(patches, filters, 0, conv.taps() * conv.channels, shared, sum);
    P::each(sum, conv.out_rows(), conv.filters, [&](unsigned int row, unsigned int column, float value) {
        y[row * conv.filters + column] = bias == nullptr ? value : value + bias[column];
    });
}

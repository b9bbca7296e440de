// dx[n, y, x, c] = sum dy[n, i, j, o] w[r, s, c, o] over all (r, s, o) with i*stride + r - before = y and likewise for x: a
// product of matrices with a row for each input pixel, the left one gathered from dy.
#pragma once

#include "conv.cuh"
#include "tile.cuh"

template <class T, class V>
struct Patches {
    using Lines = Spread<T, T::ROWS, true>;
    using Value = V;
    const V* dy;
    const Conv& conv;
    // Of each of this thread's rows its pixel with the padding added; far outside where there is no row.
    int sample[Lines::COUNT], y[Lines::COUNT], x[Lines::COUNT];

    __device__ Patches(const V* dy, const Conv& conv) : dy(dy), conv(conv) {
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            unsigned int row = blockIdx.x * T::ROWS + Lines::line(i);
            const bool exists = row < conv.in_rows();
            sample[i] = conv.by_pixels.split(row) * conv.by_out_pixels.divisor;
            const int in_y = conv.by_width.split(row);
            y[i] = exists ? in_y + int(conv.padding_y) : -1;
            x[i] = int(row) + int(conv.padding_x);
        }
    }

    __device__ void fetch(unsigned int at, V (&values)[Lines::COUNT]) const {
        unsigned int filter = at + Lines::depth(0);
        const bool exists = filter < conv.taps() * conv.filters;
        unsigned int s = conv.by_filters.split(filter);
        const int r = conv.by_kernel.split(s);
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            const int far_y = y[i] - r, far_x = x[i] - int(s);
            unsigned int left_y = far_y < 0 ? 0 : far_y, left_x = far_x < 0 ? 0 : far_x;
            const unsigned int oy = conv.by_stride.split(left_y), ox = conv.by_stride.split(left_x);
            const bool inside = exists && far_y >= 0 && far_x >= 0 && left_y == 0 && left_x == 0 &&
                                oy < conv.out_height && ox < conv.out_width;
            values[i] = inside ? dy[(sample[i] + oy * conv.out_width + ox) * conv.filters + filter] : V{};
        }
    }
};

// A row for each (r, s, o), a column for each channel: neighbours in depth are neighbours in memory.
template <class T>
struct Turned {
    using Lines = Spread<T, T::COLUMNS, true>;
    using Value = float;
    const float* w;
    const Conv& conv;

    __device__ void fetch(unsigned int at, float (&values)[Lines::COUNT]) const {
        unsigned int filter = at + Lines::depth(0);
        const bool exists = filter < conv.taps() * conv.filters;
        const unsigned int first = conv.by_filters.split(filter) * conv.channels;
#pragma unroll
        for (int i = 0; i < Lines::COUNT; i++) {
            const unsigned int channel = blockIdx.y * T::COLUMNS + Lines::line(i);
            const bool inside = exists && channel < conv.channels;
            values[i] = inside ? w[(first + channel) * conv.filters + filter] : 0.0f;
        }
    }
};

// P multiplies: see `Floats` and `Words`. Activations are V.
template <class P, class V>
static __device__ void input_gradient(
    typename P::Shared& shared, const V* dy, const float* w, const Conv& conv, int accumulate, V* dx) {
    typename P::Sum sum;
    Patches<typename P::Tile, V> patches(dy, conv);
    Turned<typename P::Tile> turned{w, conv};
    P::multiply(patches, turned, 0, conv.taps() * conv.filters, shared, sum);
    P::each(sum, conv.in_rows(), conv.channels, [&](unsigned int row, unsigned int column, float value) {
        V* to = dx + row * conv.channels + column;
        *to = accumulate ? *to + value : value;
    });
}

// Convolutions whose inputs and outputs fall into groups of neighbours, depthwise ones above all: few products to each value
// read, so that a thread computes a value by itself and the tiles of other convolutions would be mostly empty.
//
// Filters are rows x columns x channels of a group x filters. The host's side is src/kernels/grouped_conv.rs.
#include "columns.cuh"
#include "divisor.cuh"
#include "element.cuh"
#include "place.cuh"

struct Grouped {
    unsigned int height;
    unsigned int width;
    unsigned int out_height;
    unsigned int out_width;
    unsigned int kernel;
    // Rows and columns of zeros before the image.
    unsigned int padding_y;
    unsigned int padding_x;
    Divisor by_stride;
    Divisor by_channels;
    Divisor by_width;
    Divisor by_height;
    Divisor by_filters;
    Divisor by_out_width;
    Divisor by_out_height;
    // Of a group.
    Divisor by_group_channels;
    Divisor by_group_filters;
};

// y[n, i, j, o] = b[o] + sum x[n, i*stride + r - before, j*stride + s - before, g*C + c] w[r, s, c, o], g being the group of o
// and C its channels. `bias` may be null.
extern "C" __global__ void __launch_bounds__(256) KERNEL(grouped_conv_forward)(
    const Element* x, const float* w, const float* bias, unsigned int outputs, const Grouped conv, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= outputs) return;
    const Place at = place(i, conv.by_filters, conv.by_out_width, conv.by_out_height);
    const unsigned int filter = at.c;
    const unsigned int channels = conv.by_channels.divisor, filters = conv.by_filters.divisor;
    const unsigned int own = conv.by_group_channels.divisor;
    const unsigned int first = conv.by_group_filters.quotient(filter) * own;
    // As unsigned numbers coordinates before the first are too large as well.
    const unsigned int top = at.y * conv.by_stride.divisor - conv.padding_y;
    const unsigned int left = at.x * conv.by_stride.divisor - conv.padding_x;
    float sum = 0.0f;
    for (unsigned int r = 0; r < conv.kernel; r++) {
        if (top + r >= conv.height) continue;
        for (unsigned int s = 0; s < conv.kernel; s++) {
            if (left + s >= conv.width) continue;
            const Element* from = x + ((at.n * conv.height + top + r) * conv.width + left + s) * channels + first;
            const float* weight = w + (r * conv.kernel + s) * own * filters + filter;
            for (unsigned int c = 0; c < own; c++) sum = fmaf(from[c], weight[c * filters], sum);
        }
    }
    y[i] = bias == nullptr ? sum : sum + bias[filter];
}

// dx[n, y, x, c] = sum dy[n, i, j, o] w[r, s, c, o] over the filters o of c's group and all (r, s) with i*stride + r - before
// = y and likewise for x: written, or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(grouped_conv_input_gradient)(
    const Element* dy, const float* w, unsigned int inputs, const Grouped conv, int accumulate, Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= inputs) return;
    const Place at = place(i, conv.by_channels, conv.by_width, conv.by_height);
    unsigned int channel = at.c;
    const unsigned int filters = conv.by_filters.divisor, own = conv.by_group_filters.divisor;
    const unsigned int channels = conv.by_group_channels.divisor;
    const unsigned int first = conv.by_group_channels.split(channel) * own;
    const unsigned int in_y = at.y + conv.padding_y, in_x = at.x + conv.padding_x;
    float sum = 0.0f;
    for (unsigned int r = 0; r < conv.kernel && r <= in_y; r++) {
        unsigned int rest_y = in_y - r;
        const unsigned int out_y = conv.by_stride.split(rest_y);
        if (rest_y != 0 || out_y >= conv.out_height) continue;
        for (unsigned int s = 0; s < conv.kernel && s <= in_x; s++) {
            unsigned int rest_x = in_x - s;
            const unsigned int out_x = conv.by_stride.split(rest_x);
            if (rest_x != 0 || out_x >= conv.out_width) continue;
            const Element* from = dy + ((at.n * conv.out_height + out_y) * conv.out_width + out_x) * filters + first;
            const float* weight = w + ((r * conv.kernel + s) * channels + channel) * filters + first;
            for (unsigned int o = 0; o < own; o++) sum = fmaf(from[o], weight[o], sum);
        }
    }
    dx[i] = accumulate ? dx[i] + sum : sum;
}

// Terms that are added up in single precision before their sum goes on in double.
constexpr unsigned int RUN = 64;

// dw[r, s, c, o] = sum x[n, i*stride + r - before, j*stride + s - before, g*C + c] dy[n, i, j, o] over samples and output pixels,
// for `chunk` of those a block. Blocks: a weight of a filter (r, s, c) after the other, so that those that read the same pixels
// run together, chunk by chunk; then 32 filters each.
extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(grouped_conv_weight_sums)(
    const Element* x, const Element* dy, unsigned int rows, unsigned int chunk, const Divisor by_weights, const Grouped conv,
    double* partials) {
    __shared__ double shared[THREADS];
    unsigned int weight = blockIdx.x;
    const unsigned int part = by_weights.split(weight), filter = channel();
    const unsigned int channels = conv.by_channels.divisor, filters = conv.by_filters.divisor;
    double sum = 0.0;
    if (filter < filters) {
        unsigned int from = weight;
        unsigned int s = conv.by_group_channels.split(from);
        const unsigned int r = s / conv.kernel;
        s -= r * conv.kernel;
        from += conv.by_group_filters.quotient(filter) * conv.by_group_channels.divisor;
        const unsigned int end = rows - part * chunk < chunk ? rows : (part + 1) * chunk;
        float run = 0.0f;
        unsigned int terms = 0;
        for (unsigned int row = part * chunk + lane(); row < end; row += LANES) {
            unsigned int out_x = row;
            unsigned int out_y = conv.by_out_width.split(out_x);
            const unsigned int sample = conv.by_out_height.split(out_y);
            const unsigned int in_y = out_y * conv.by_stride.divisor + r - conv.padding_y;
            const unsigned int in_x = out_x * conv.by_stride.divisor + s - conv.padding_x;
            if (in_y >= conv.height || in_x >= conv.width) continue;
            const unsigned int pixel = (sample * conv.height + in_y) * conv.width + in_x;
            run = fmaf(x[pixel * channels + from], dy[row * filters + filter], run);
            if (++terms % RUN == 0) {
                sum += run;
                run = 0.0f;
            }
        }
        sum += run;
    }
    const double all = fold_lanes(sum, shared, [](double a, double b) { return a + b; });
    const unsigned int weights = by_weights.divisor;
    if (lane() == 0 && filter < filters) partials[(part * weights + weight) * filters + filter] = all;
}

// dw[i] = sum of the chunks' gradients, first to last.
extern "C" __global__ void __launch_bounds__(256) KERNEL(grouped_conv_weight_finish)(
    const double* partials, unsigned int n, unsigned int chunks, float* dw) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double sum = 0.0;
    for (unsigned int chunk = 0; chunk < chunks; chunk++) sum += partials[chunk * n + i];
    dw[i] = float(sum);
}

// Sums over a sample's pixels, channel by channel: the mean of a whole image, and the gradient of a channel's scale.
#include "element.cuh"
#include "groups.cuh"

// to[n, c] = share * sum x[n, p, c] over the pixels p, times g[n, p, c] where g is not null; written, or added. Blocks: a
// sample, 32 channels.
extern "C" __global__ void __launch_bounds__(SWEEPING) KERNEL(pixel_sums)(
    const Element* x, const Element* g, unsigned int pixels, unsigned int channels, double share, int accumulate, Element* to) {
    __shared__ double shared[LANES][CHANNELS];
    const unsigned int c = first_channel(), first = blockIdx.x * pixels;
    double sum[NEIGHBOURS] = {};
    if (c < channels) {
        const bool grouped = in_groups(channels, x, g);
        float value[NEIGHBOURS], factor[NEIGHBOURS];
        for (unsigned int pixel = sweeping_lane(); pixel < pixels; pixel += LANES) {
            const unsigned int row = (first + pixel) * channels;
            read_channels(x + row, c, channels, grouped, value);
            if (g != nullptr) read_channels(g + row, c, channels, grouped, factor);
#pragma unroll
            for (int j = 0; j < NEIGHBOURS; j++)
                sum[j] += g == nullptr ? double(value[j]) : double(value[j]) * double(factor[j]);
        }
    }
    const auto add = [](double a, double b) { return a + b; };
    fold_groups(sum, shared, channels, add, [=](unsigned int c, double all) {
        Element* const own = to + blockIdx.x * channels + c;
        const float value = float(share * all);
        *own = accumulate ? *own + value : value;
    });
}

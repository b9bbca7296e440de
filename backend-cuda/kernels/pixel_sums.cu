// Sums over a sample's pixels, channel by channel: the mean of a whole image, and the gradient of a channel's scale.
#include "columns.cuh"
#include "element.cuh"

// to[n, c] = share * sum x[n, p, c] over the pixels p, times g[n, p, c] where g is not null; written, or added. Blocks: a
// sample, 32 channels.
extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(pixel_sums)(
    const Element* x, const Element* g, unsigned int pixels, unsigned int channels, double share, int accumulate, Element* to) {
    __shared__ double shared[THREADS];
    const unsigned int c = channel(), first = blockIdx.x * pixels;
    double sum = 0.0;
    if (c < channels)
        for (unsigned int pixel = lane(); pixel < pixels; pixel += LANES) {
            const unsigned int i = (first + pixel) * channels + c;
            sum += g == nullptr ? double(x[i]) : double(x[i]) * double(g[i]);
        }
    const double all = fold_lanes(sum, shared, [](double a, double b) { return a + b; });
    if (lane() != 0 || c >= channels) return;
    Element* const own = to + blockIdx.x * channels + c;
    const float value = float(share * all);
    *own = accumulate ? *own + value : value;
}

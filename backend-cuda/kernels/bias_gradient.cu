// db[o] = sum of dy over samples and pixels.
#include "element.cuh"
#include "groups.cuh"

static __device__ double add(double a, double b) { return a + b; }

extern "C" __global__ void __launch_bounds__(SWEEPING) KERNEL(bias_gradient_sums)(
    const Element* dy, unsigned int rows, unsigned int channels, double* partials) {
    __shared__ double shared[LANES][CHANNELS];
    const unsigned int c = first_channel(), first = blockIdx.x * CHUNK;
    float sum[NEIGHBOURS] = {}, value[NEIGHBOURS];
    if (c < channels) {
        const bool grouped = in_groups(channels, dy);
        for (unsigned int row = first + sweeping_lane(); row < rows && row < first + CHUNK; row += LANES) {
            read_channels(dy + row * channels, c, channels, grouped, value);
#pragma unroll
            for (int j = 0; j < NEIGHBOURS; j++) sum[j] += value[j];
        }
    }
    double own[NEIGHBOURS];
#pragma unroll
    for (int j = 0; j < NEIGHBOURS; j++) own[j] = sum[j];
    fold_groups(own, shared, channels, add, [=](unsigned int c, double all) { partials[blockIdx.x * channels + c] = all; });
}

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(bias_gradient_finish)(
    const double* partials, unsigned int chunks, unsigned int channels, float* db) {
    __shared__ double shared[THREADS];
    const unsigned int c = channel();
    double own = 0.0;
    if (c < channels)
        for (unsigned int chunk = lane(); chunk < chunks; chunk += LANES) own += partials[chunk * channels + c];
    const double all = fold_lanes(own, shared, add);
    if (lane() == 0 && c < channels) db[c] = float(all);
}

// db[o] = sum of dy over samples and pixels.
#include "columns.cuh"
#include "element.cuh"

static __device__ double add(double a, double b) { return a + b; }

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(bias_gradient_sums)(
    const Element* dy, unsigned int rows, unsigned int channels, double* partials) {
    __shared__ double shared[THREADS];
    const unsigned int c = channel(), first = blockIdx.x * CHUNK;
    float sum = 0.0f;
    if (c < channels)
        for (unsigned int row = first + lane(); row < rows && row < first + CHUNK; row += LANES)
            sum += dy[row * channels + c];
    const double all = fold_lanes(double(sum), shared, add);
    if (lane() == 0 && c < channels) partials[blockIdx.x * channels + c] = all;
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

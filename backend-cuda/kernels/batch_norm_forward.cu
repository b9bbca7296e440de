#include "batch_norm.cuh"
#include "columns.cuh"
#include "divisor.cuh"
#include "element.cuh"

// The layer's constants.
struct Constants {
    // Added to a variance.
    double epsilon;
    // Share of the newest batch in the running statistics.
    double momentum;
    // Whether the running variance follows the batch's unbiased variance or the biased one.
    int unbiased;
};

// Number, mean and summed squared distance from it of some values of a channel.
struct Moments {
    double count;
    double mean;
    double spread;
};

// Chan, Golub and LeVeque 1983: no large mean cancels the variance away.
static __device__ Moments merge(Moments a, Moments b) {
    const double count = a.count + b.count;
    if (count == 0.0) return a;
    const double delta = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + delta * share, a.spread + b.spread + delta * delta * a.count * share};
}

// Distances are taken from the chunk's first row, so that squares of the mean do not swamp those of the deviations.
extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(batch_norm_measure)(
    const Element* x, unsigned int rows, unsigned int channels, Moments* partials) {
    __shared__ Moments shared[THREADS];
    const unsigned int c = channel(), first = blockIdx.x * CHUNK;
    Moments own = {0.0, 0.0, 0.0};
    if (c < channels) {
        const float origin = x[first * channels + c];
        float sum = 0.0f, squares = 0.0f;
        unsigned int count = 0;
        for (unsigned int row = first + lane(); row < rows && row < first + CHUNK; row += LANES, count++) {
            const float d = x[row * channels + c] - origin;
            sum += d;
            squares = fmaf(d, d, squares);
        }
        if (count > 0) {
            const double n = count, mean = double(sum) / n;
            own = {n, double(origin) + mean, fmax(double(squares) - double(sum) * mean, 0.0)};
        }
    }
    const Moments all = fold_lanes(own, shared, merge);
    if (lane() == 0 && c < channels) partials[blockIdx.x * channels + c] = all;
}

static __device__ void prepare(
    double mean, double variance, double epsilon, const float* gamma_beta, unsigned int c, unsigned int channels,
    Channel* to) {
    const double inverse = 1.0 / sqrt(variance + epsilon);
    *to = {float(mean), float(double(gamma_beta[c]) * inverse), gamma_beta[channels + c], float(inverse)};
}

static __device__ float follow(float old, double now, double momentum) {
    return float(double(old) + momentum * (now - double(old)));
}

// `running` has the channels' means, then their variances; it follows if `update`.
extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(batch_norm_finish)(
    const Moments* partials, unsigned int chunks, unsigned int channels, const float* gamma_beta,
    const Constants constants, int update, float* running, Channel* normals) {
    __shared__ Moments shared[THREADS];
    const unsigned int c = channel();
    Moments own = {0.0, 0.0, 0.0};
    if (c < channels)
        for (unsigned int chunk = lane(); chunk < chunks; chunk += LANES)
            own = merge(own, partials[chunk * channels + c]);
    const Moments all = fold_lanes(own, shared, merge);
    if (lane() != 0 || c >= channels) return;
    prepare(all.mean, all.spread / all.count, constants.epsilon, gamma_beta, c, channels, &normals[c]);
    if (update) {
        const double count = constants.unbiased ? fmax(all.count - 1.0, 1.0) : all.count;
        running[c] = follow(running[c], all.mean, constants.momentum);
        running[channels + c] = follow(running[channels + c], all.spread / count, constants.momentum);
    }
}

// The running statistics in place of a batch's.
extern "C" __global__ void KERNEL(batch_norm_running)(
    const float* running, unsigned int channels, const float* gamma_beta, const Constants constants, Channel* normals) {
    const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    prepare(running[c], running[channels + c], constants.epsilon, gamma_beta, c, channels, &normals[c]);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(batch_norm_normalise)(
    const Element* x, unsigned int n, const Divisor by_channels, const Channel* normals, int relu, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int c = i;
    by_channels.split(c);
    const float value = normal(normals[c], x[i]);
    // A NaN stays one, so that it shows in the loss.
    y[i] = relu && value < 0.0f ? 0.0f : value;
}

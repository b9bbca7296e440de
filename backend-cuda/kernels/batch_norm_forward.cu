#include "batch_norm.cuh"
#include "divisor.cuh"
#include "element.cuh"
#include "groups.cuh"

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
extern "C" __global__ void __launch_bounds__(SWEEPING) KERNEL(batch_norm_measure)(
    const Element* x, unsigned int rows, unsigned int channels, Moments* partials) {
    __shared__ Moments shared[LANES][CHANNELS];
    const unsigned int c = first_channel(), first = blockIdx.x * CHUNK;
    Moments own[NEIGHBOURS];
#pragma unroll
    for (int j = 0; j < NEIGHBOURS; j++) own[j] = {0.0, 0.0, 0.0};
    if (c < channels) {
        const bool grouped = in_groups(channels, x);
        float origin[NEIGHBOURS], value[NEIGHBOURS], sum[NEIGHBOURS] = {}, squares[NEIGHBOURS] = {};
        read_channels(x + first * channels, c, channels, grouped, origin);
        unsigned int count = 0;
        for (unsigned int row = first + sweeping_lane(); row < rows && row < first + CHUNK; row += LANES, count++) {
            read_channels(x + row * channels, c, channels, grouped, value);
#pragma unroll
            for (int j = 0; j < NEIGHBOURS; j++) {
                const float d = value[j] - origin[j];
                sum[j] += d;
                squares[j] = fmaf(d, d, squares[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < NEIGHBOURS; j++) {
            if (count == 0) break;
            const double n = count, mean = double(sum[j]) / n;
            own[j] = {n, double(origin[j]) + mean, fmax(double(squares[j]) - double(sum[j]) * mean, 0.0)};
        }
    }
    fold_groups(own, shared, channels, merge, [=](unsigned int c, const Moments& all) {
        partials[blockIdx.x * channels + c] = all;
    });
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

// What the batch's moments make of a channel. `running` has the channels' means, then their variances; it follows if `update`.
static __device__ void settle(
    const Moments& all, const Constants& constants, const float* gamma_beta, unsigned int c, unsigned int channels,
    int update, float* running, Channel* normals) {
    prepare(all.mean, all.spread / all.count, constants.epsilon, gamma_beta, c, channels, &normals[c]);
    if (update) {
        const double count = constants.unbiased ? fmax(all.count - 1.0, 1.0) : all.count;
        running[c] = follow(running[c], all.mean, constants.momentum);
        running[channels + c] = follow(running[channels + c], all.spread / count, constants.momentum);
    }
}

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
    settle(all, constants, gamma_beta, c, channels, update, running, normals);
}

// The same of the sums of `rows` values and of their squares, which whoever made the values has left. Squares of a large mean cancel
// the variance away, as far as sums of floats can.
extern "C" __global__ void KERNEL(batch_norm_finish_sums)(
    const float* sums, const float* squares, unsigned int rows, unsigned int channels, const float* gamma_beta,
    const Constants constants, int update, float* running, Channel* normals) {
    const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    const double sum = sums[c], mean = sum / rows, spread = double(squares[c]) - sum * mean;
    // fmax would make nothing of a NaN, which is to show in the loss.
    const Moments all = {double(rows), mean, spread < 0.0 ? 0.0 : spread};
    settle(all, constants, gamma_beta, c, channels, update, running, normals);
}

// The running statistics in place of a batch's.
extern "C" __global__ void KERNEL(batch_norm_running)(
    const float* running, unsigned int channels, const float* gamma_beta, const Constants constants, Channel* normals) {
    const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    prepare(running[c], running[channels + c], constants.epsilon, gamma_beta, c, channels, &normals[c]);
}

// `addend`, unless it is null, is added before the ReLU: to what is left of a value that is kept, as if either were a sweep of its own.
extern "C" __global__ void __launch_bounds__(256) KERNEL(batch_norm_normalise)(
    const Element* x, unsigned int n, const Divisor by_channels, const Channel* normals, int relu, const Element* addend,
    Element* y) {
    // A NaN stays one, so that it shows in the loss.
    const auto rectify = [=](float value) { return relu && value < 0.0f ? 0.0f : value; };
    if (addend == nullptr) {
        const auto value = [=](unsigned int i, float x) {
            by_channels.split(i);
            return rectify(normal(normals[i], x));
        };
        map(n, y, value, x);
    } else {
        const auto value = [=](unsigned int i, float x, float addend) {
            by_channels.split(i);
            Element kept;
            kept = normal(normals[i], x);
            return rectify(float(kept) + addend);
        };
        map(n, y, value, x, addend);
    }
}

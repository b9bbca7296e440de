// With g the gradient of the output, zero where the ReLU is off, and N the values of a channel:
// d beta = sum g, d gamma = sum g x_hat, dx = gamma / deviation (g - d beta / N - x_hat d gamma / N). Of frozen statistics, which do
// not depend on x, dx = gamma / deviation g.
#include "batch_norm.cuh"
#include "divisor.cuh"
#include "element.cuh"
#include "groups.cuh"

// Of a channel the sums of g and of g (x - mean).
struct Sums {
    double gradient;
    double product;
};

// What is subtracted from g: shift + (x - mean) slope.
struct Correction {
    float shift;
    float slope;
};

static __device__ Sums add(Sums a, Sums b) { return {a.gradient + b.gradient, a.product + b.product}; }

extern "C" __global__ void __launch_bounds__(SWEEPING) KERNEL(batch_norm_sums)(
    const Element* x, const Element* dy, unsigned int rows, unsigned int channels, const Channel* normals, int relu,
    Sums* partials) {
    __shared__ Sums shared[LANES][CHANNELS];
    const unsigned int c = first_channel(), first = blockIdx.x * CHUNK;
    float sum[NEIGHBOURS] = {}, product[NEIGHBOURS] = {};
    if (c < channels) {
        const bool grouped = in_groups(channels, x, dy);
        Channel normal[NEIGHBOURS];
#pragma unroll
        for (int j = 0; j < NEIGHBOURS; j++) normal[j] = normals[c + j < channels ? c + j : c];
        float value[NEIGHBOURS], slope[NEIGHBOURS];
        for (unsigned int row = first + sweeping_lane(); row < rows && row < first + CHUNK; row += LANES) {
            read_channels(x + row * channels, c, channels, grouped, value);
            read_channels(dy + row * channels, c, channels, grouped, slope);
#pragma unroll
            for (int j = 0; j < NEIGHBOURS; j++) {
                const float g = gate(normal[j], value[j], slope[j], relu);
                sum[j] += g;
                product[j] = fmaf(g, value[j] - normal[j].mean, product[j]);
            }
        }
    }
    Sums own[NEIGHBOURS];
#pragma unroll
    for (int j = 0; j < NEIGHBOURS; j++) own[j] = {sum[j], product[j]};
    fold_groups(own, shared, channels, add, [=](unsigned int c, const Sums& all) { partials[blockIdx.x * channels + c] = all; });
}

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(batch_norm_gradients)(
    const Sums* partials, unsigned int chunks, unsigned int channels, unsigned int rows, const Channel* normals,
    int frozen, float* d_gamma_beta, Correction* corrections) {
    __shared__ Sums shared[THREADS];
    const unsigned int c = channel();
    Sums own = {0.0, 0.0};
    if (c < channels)
        for (unsigned int chunk = lane(); chunk < chunks; chunk += LANES)
            own = add(own, partials[chunk * channels + c]);
    const Sums all = fold_lanes(own, shared, add);
    if (lane() != 0 || c >= channels) return;
    const double inverse = normals[c].inverse_deviation, count = rows;
    d_gamma_beta[c] = float(all.product * inverse);
    d_gamma_beta[channels + c] = float(all.gradient);
    corrections[c] = {0.0f, 0.0f};
    if (!frozen) corrections[c] = {float(all.gradient / count), float(all.product / count * inverse * inverse)};
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256) KERNEL(batch_norm_input_gradient)(
    const Element* x, const Element* dy, unsigned int n, const Divisor by_channels, const Channel* normals,
    const Correction* corrections, int relu, int accumulate, Element* dx) {
    const auto d = [=](unsigned int i, float x, float dy) {
        by_channels.split(i);
        const Channel own = normals[i];
        const Correction less = corrections[i];
        const float g = gate(own, x, dy, relu);
        return own.factor * (g - less.shift - (x - own.mean) * less.slope);
    };
    map_onto(n, dx, accumulate, d, x, dy);
}

// With g the gradient of the output, zero where the ReLU is off, and N the values of a channel:
// d beta = sum g, d gamma = sum g x_hat, dx = gamma / deviation (g - d beta / N - x_hat d gamma / N). Of frozen statistics, which do
// not depend on x, dx = gamma / deviation g.
#include "batch_norm.cuh"
#include "columns.cuh"
#include "divisor.cuh"
#include "element.cuh"

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

extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(batch_norm_sums)(
    const Element* x, const Element* dy, unsigned int rows, unsigned int channels, const Channel* normals, int relu,
    Sums* partials) {
    __shared__ Sums shared[THREADS];
    const unsigned int c = channel(), first = blockIdx.x * CHUNK;
    float sum = 0.0f, product = 0.0f;
    if (c < channels) {
        const Channel own = normals[c];
        for (unsigned int row = first + lane(); row < rows && row < first + CHUNK; row += LANES) {
            const float value = x[row * channels + c], g = gate(own, value, dy[row * channels + c], relu);
            sum += g;
            product = fmaf(g, value - own.mean, product);
        }
    }
    const Sums all = fold_lanes(Sums{sum, product}, shared, add);
    if (lane() == 0 && c < channels) partials[blockIdx.x * channels + c] = all;
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
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int c = i;
    by_channels.split(c);
    const Channel own = normals[c];
    const Correction less = corrections[c];
    const float g = gate(own, x[i], dy[i], relu);
    const float d = own.factor * (g - less.shift - (x[i] - own.mean) * less.slope);
    dx[i] = accumulate ? dx[i] + d : d;
}

// SGD with momentum, Nesterov momentum and weight decay, in sam-core's order of operations (compiled without
// contraction): the same bits as on the host. Nothing happens where the step's gradients were not finite.
#include "vector.cuh"

// In device memory so that a captured graph sees changes.
struct Rates {
    float lr;
    float momentum;
    // Factor of w in the gradient.
    float coupled;
    // Share of w that decoupled decay keeps.
    float keep;
};

// w - step, where a step of -0 does not turn -0 into 0.
static __device__ float minus(float w, float step) { return step == 0.0f ? w : w - step; }

// One weight and, unless null, its momentum.
static __device__ void step(const Rates& r, int nesterov, float g, float& w, float* m) {
    const float weight = w;
    const float slope = r.coupled != 0.0f ? g + r.coupled * weight : g;
    float direction = slope;
    if (m != nullptr) {
        const float momentum = r.momentum * *m + slope;
        *m = momentum;
        direction = nesterov ? slope + r.momentum * momentum : momentum;
    }
    if (r.lr != 0.0f) w = minus(r.keep * weight, r.lr * direction);
}

// `m` is null without momentum.
extern "C" __global__ void __launch_bounds__(256) sgd(
    float* w, const float* g, float* m, unsigned int n, const Rates* rates, int nesterov, const unsigned int* finite) {
    constexpr unsigned int COUNT = VECTOR<float>;
    const unsigned int first = (blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
    if (first >= n || *finite == 0) return;
    const Rates r = *rates;
    if (n - first < COUNT || !aligned(w, g, m)) {
        for (unsigned int i = first; i < n && i < first + COUNT; i++)
            step(r, nesterov, g[i], w[i], m == nullptr ? nullptr : m + i);
        return;
    }
    Group<float, COUNT> weights, slopes, momenta;
    weights.read(w + first);
    slopes.read(g + first);
    if (m == nullptr) {
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) step(r, nesterov, slopes.at[j], weights.at[j], nullptr);
    } else {
        momenta.read(m + first);
#pragma unroll
        for (unsigned int j = 0; j < COUNT; j++) step(r, nesterov, slopes.at[j], weights.at[j], &momenta.at[j]);
        momenta.write(m + first);
    }
    weights.write(w + first);
}

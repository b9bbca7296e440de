// SGD with momentum, Nesterov momentum and weight decay, in sam-core's order of operations (compiled without
// contraction): the same bits as on the host. Nothing happens where the step's gradients were not finite.

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

// `m` is null without momentum.
extern "C" __global__ void __launch_bounds__(256) sgd(
    float* w, const float* g, float* m, unsigned int n, const Rates* rates, int nesterov, const unsigned int* finite) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || *finite == 0) return;
    const Rates r = *rates;
    const float weight = w[i];
    const float slope = r.coupled != 0.0f ? g[i] + r.coupled * weight : g[i];
    float direction = slope;
    if (m != nullptr) {
        const float momentum = r.momentum * m[i] + slope;
        m[i] = momentum;
        direction = nesterov ? slope + r.momentum * momentum : momentum;
    }
    if (r.lr != 0.0f) w[i] = minus(r.keep * weight, r.lr * direction);
}

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

// `m` is null without momentum.
extern "C" __global__ void __launch_bounds__(256) sgd(
    float* w, const float* g, float* m, unsigned int n, const Rates* rates, int nesterov, const unsigned int* finite) {
    if (*finite == 0) return;
    const Rates r = *rates;
    const auto descend = [=](float& w, float direction) {
        if (r.lr != 0.0f) w = minus(r.keep * w, r.lr * direction);
    };
    const auto slope = [=](float w, float g) { return r.coupled != 0.0f ? g + r.coupled * w : g; };
    if (m == nullptr) {
        update(n, [=](unsigned int, float& w, float g) { descend(w, slope(w, g)); }, w, g);
        return;
    }
    const auto step = [=](unsigned int, float& w, float g, float& m) {
        const float along = slope(w, g);
        m = r.momentum * m + along;
        descend(w, nesterov ? along + r.momentum * m : m);
    };
    update(n, step, w, g, m);
}

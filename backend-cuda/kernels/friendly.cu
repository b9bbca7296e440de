// Friendly SAM's mean of gradients: what is taken out of a gradient, and the mean as it will be if the step goes through; in
// sam-core's order of operations (compiled without contraction): the host's bits.
#include "vector.cuh"

// `steps` that have gone through so far: in the first there is no mean, and the gradient stays. `rest` is 1 - lambda.
extern "C" __global__ void __launch_bounds__(256) friendly(
    const float* mean, unsigned int n, const unsigned long long* steps, float sigma, float lambda, float rest, float* next,
    float* g) {
    if (*steps == 0) {
        map(n, next, [](unsigned int, float g) { return g; }, g);
        return;
    }
    const auto step = [=](unsigned int, float m, float& g, float& next) {
        next = lambda * m + rest * g;
        if (sigma != 0.0f) g = -sigma * m + g;
    };
    update(n, step, mean, g, next);
}

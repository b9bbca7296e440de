// Adam and AdamW in sam-core's order of operations (compiled without contraction). Nothing happens where the step's
// gradients were not finite, not even to the count of steps, which therefore lives here.
#include "power.cuh"
#include "vector.cuh"

// In device memory so that a captured graph sees changes.
struct Rates {
    float lr;
    float beta1;
    float beta2;
    float epsilon;
    float coupled;
    float keep;
};

struct Progress {
    unsigned long long steps;
    // lr / (1 - beta1^steps) and sqrt(1 - beta2^steps).
    float rate;
    float root;
};

// One thread: counts the step.
extern "C" __global__ void adam_advance(const Rates* rates, const unsigned int* finite, Progress* progress) {
    if (*finite == 0) return;
    const unsigned long long steps = progress->steps + 1;
    const double t = double(steps);
    progress->steps = steps;
    progress->rate = float(double(rates->lr) / (1.0 - power(double(rates->beta1), t)));
    progress->root = float(sqrt(1.0 - power(double(rates->beta2), t)));
}

extern "C" __global__ void __launch_bounds__(256) adam(
    float* w, const float* g, float* mean, float* square, unsigned int n, const Rates* rates, const Progress* progress,
    const unsigned int* finite) {
    if (*finite == 0) return;
    const Rates r = *rates;
    const float rate = progress->rate, root = progress->root;
    const auto step = [=](unsigned int, float& w, float g, float& mean, float& square) {
        const float slope = g + r.coupled * w;
        mean = r.beta1 * mean + (1.0f - r.beta1) * slope;
        square = r.beta2 * square + (1.0f - r.beta2) * (slope * slope);
        if (r.lr != 0.0f) w = r.keep * w - rate * (mean / (sqrtf(square) / root + r.epsilon));
    };
    update(n, step, w, g, mean, square);
}

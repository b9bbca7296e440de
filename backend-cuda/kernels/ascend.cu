// perturbed = w + eps-hat: equation 2, each formula in sam-core's order of operations (compiled without contraction).
#include "power.cuh"
#include "rule.cuh"

static __device__ float sign(float g) { return g > 0.0f ? 1.0f : g < 0.0f ? -1.0f : 0.0f; }

extern "C" __global__ void __launch_bounds__(256) ascend(
    const float* w, const float* g, unsigned int n, const Rule* rule, const Norm* norm, int exponent_kind,
    int adaptive, double exponent, float* perturbed) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float rho = rule->rho, eta = rule->eta, weight = w[i], slope = g[i];
    if (rho == 0.0f || norm->verdict != FINITE) {
        // Not w + 0, which would turn -0 into 0.
        perturbed[i] = weight;
        return;
    }
    float eps = 0.0f;
    const float radius = adaptive ? rho * (fabsf(weight) + eta) : rho;
    const double t = adaptive ? fabs(double(weight)) + double(eta) : 1.0;
    switch (exponent_kind) {
        case P_TWO:
            if (adaptive) {
                eps = float(t * (((double(slope) * norm->unit) * t) * norm->factor));
            } else {
                eps = (slope * float(norm->unit)) * float(norm->factor);
            }
            break;
        case P_INFINITE: eps = radius * sign(slope); break;
        case P_ONE:
            if (i != norm->index) {
                perturbed[i] = weight;
                return;
            }
            eps = radius * sign(slope);
            break;
        case P_OTHER:
            eps = float(t * (double(sign(slope)) * (norm->factor * power(t * fabs(double(slope)) / norm->scale, exponent))));
            break;
    }
    perturbed[i] = weight + eps;
}

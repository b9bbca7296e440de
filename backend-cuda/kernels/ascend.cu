// perturbed = w + eps-hat.
#include "ascend.cuh"

extern "C" __global__ void __launch_bounds__(256) ascend(
    const float* w, const float* g, unsigned int n, const Rule* rule, const Norm* norm, int exponent_kind,
    int adaptive, double exponent, float* perturbed) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float rho = rule->rho, weight = w[i];
    const bool stays = rho == 0.0f || norm->verdict != FINITE;
    perturbed[i] = stays ? weight : raised(i, weight, g[i], rho, rule->eta, *norm, exponent_kind, adaptive, exponent);
}

// perturbed = w + eps-hat.
#include "ascend.cuh"
#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(256) ascend(
    const float* w, const float* g, unsigned int n, const Rule* rule, const Norm* norm, int exponent_kind,
    int adaptive, double exponent, float* perturbed) {
    const float rho = rule->rho, eta = rule->eta;
    const Norm own = *norm;
    if (rho == 0.0f || own.verdict != FINITE) {
        map(n, perturbed, [](unsigned int, float w) { return w; }, w);
    } else if (exponent_kind == P_TWO && !adaptive) {
        map(n, perturbed, [=](unsigned int, float w, float g) { return w + along(g, own); }, w, g);
    } else {
        // As many entries a thread, one by one: most of the time goes into computing them.
        const unsigned int first = (blockIdx.x * blockDim.x + threadIdx.x) * VECTOR<float>;
#pragma unroll 1
        for (unsigned int i = first; i < n && i < first + VECTOR<float>; i++)
            perturbed[i] = raised(i, w[i], g[i], rho, eta, own, exponent_kind, adaptive, exponent);
    }
}

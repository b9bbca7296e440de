// A gradient longer than the rule's radius scaled down to it, in place, in sam-core's order of operations (compiled
// without contraction). Nothing happens where the step's gradients were not finite.
#include "ascend.cuh"
#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(256) clip(
    float* g, unsigned int n, const Rule* rule, const Norm* norm, const unsigned int* finite) {
    if (*finite == 0) return;
    const float longest = rule->rho;
    // As on the host a NaN is not longer than anything, and what is infinitely long comes out as zeros.
    if (!(norm->scale * norm->scaled > double(longest))) return;
    const Norm own = *norm;
    const bool scaled = own.verdict == FINITE && longest != 0.0f;
    map(n, g, [=](unsigned int, float g) { return scaled ? along(g, own) : 0.0f; }, g);
}

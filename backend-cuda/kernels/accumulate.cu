// A mean of gradients, one after the other, in sam-core's order of operations (compiled without contraction): the host's bits.
#include "vector.cuh"

// to = sum + share g, the sum zero where there is none; NaN if the gradient that g was made from was not finite. `to` may be the
// sum or g.
extern "C" __global__ void __launch_bounds__(256) accumulate(
    const float* sum, const float* g, unsigned int n, float share, const unsigned int* finite, float* to) {
    const bool known = *finite;
    const auto join = [=](float before, float g) { return known ? before + share * g : nanf(""); };
    if (sum == nullptr) map(n, to, [=](unsigned int, float g) { return join(0.0f, g); }, g);
    else map(n, to, [=](unsigned int, float sum, float g) { return join(sum, g); }, sum, g);
}

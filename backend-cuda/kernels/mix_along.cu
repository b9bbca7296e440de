// y = (a + da t) x + (b + db t) y, t a quotient of products that no host has read; in sam-core's order of operations (compiled
// without contraction): the host's bits, given t.
#include "products.cuh"
#include "vector.cuh"

// t is the projection, or the ratio if `ratio`.
extern "C" __global__ void __launch_bounds__(256) mix_along(
    float a, float da, const float* x, float b, float db, unsigned int n, const Quotients* quotients, int ratio, float* y) {
    const float t = ratio ? quotients->ratio : quotients->projection;
    map(n, y, [=](unsigned int, float x, float y) { return (a + da * t) * x + (b + db * t) * y; }, x, y);
}

// eps-hat of one entry: equation 2, each formula in sam-core's order of operations (compiled without contraction).
#pragma once

#include "power.cuh"
#include "rule.cuh"

static __device__ float sign(float g) { return g > 0.0f ? 1.0f : g < 0.0f ? -1.0f : 0.0f; }

// The gradient scaled to the length of the radius: p = 2, not adaptive.
static __device__ float along(float slope, const Norm& norm) {
    return (slope * float(norm.unit)) * float(norm.factor);
}

// w + eps-hat of entry i, `norm` with the unit and the factor that belong to `rho`. The radius is not 0 and the norm finite.
static __device__ float raised(
    unsigned int i, float weight, float slope, float rho, float eta, const Norm& norm, int exponent_kind, int adaptive,
    double exponent) {
    float eps = 0.0f;
    // The sign first: where it is 0, a product that overflows must not become NaN.
    const float step = rho * (adaptive ? (fabsf(weight) + eta) * sign(slope) : sign(slope));
    const double t = adaptive ? fabs(double(weight)) + double(eta) : 1.0;
    switch (exponent_kind) {
        case P_TWO:
            if (adaptive) {
                // The unit is a power of two and float's range is far from double's ends: sam-core's bits in any order.
                eps = float(t * (((double(slope) * norm.unit) * t) * norm.factor));
            } else {
                eps = along(slope, norm);
            }
            break;
        case P_INFINITE: eps = step; break;
        case P_ONE:
            // Not w + 0, which would turn -0 into 0.
            if (i != norm.index) return weight;
            eps = step;
            break;
        case P_OTHER:
            eps = float(t * (double(sign(slope)) * (norm.factor * power(t * fabs(double(slope)) / norm.scale, exponent))));
            break;
    }
    return weight + eps;
}

// Every sample times a number of its own: drop-connect and ShakeDrop, forwards and backwards.
#include "divisor.cuh"
#include "element.cuh"
#include "vector.cuh"

// y[n, i] = x[n, i] coefficients[n], the forward one or the backward one; written, or added. y may be x.
extern "C" __global__ void __launch_bounds__(256) KERNEL(scale_samples)(
    const Element* x, unsigned int n, const Divisor by_len, const float2* coefficients, int backward, int accumulate,
    Element* y) {
    const auto value = [=](unsigned int i, float x) {
        const float2 own = coefficients[by_len.quotient(i)];
        return x * (backward ? own.y : own.x);
    };
    map_onto(n, y, accumulate, value, x);
}

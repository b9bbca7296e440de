// Two branches mixed sample by sample (Gastaldi 2017), and what of the gradient each of them has.
#include "divisor.cuh"
#include "element.cuh"
#include "vector.cuh"

// y[n, i] = alpha a[n, i] + (1 - alpha) b[n, i].
extern "C" __global__ void __launch_bounds__(256) KERNEL(shake_shake_forward)(
    const Element* a, const Element* b, unsigned int n, const Divisor by_len, const float2* coefficients, Element* y) {
    const auto value = [=](unsigned int i, float a, float b) {
        const float share = coefficients[by_len.quotient(i)].x;
        return share * a + (1.0f - share) * b;
    };
    map(n, y, value, a, b);
}

// dx[n, i] = beta dy[n, i] for the first branch, (1 - beta) dy[n, i] for the second; written, or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(shake_shake_backward)(
    const Element* dy, unsigned int n, const Divisor by_len, const float2* coefficients, int second, int accumulate,
    Element* dx) {
    const auto d = [=](unsigned int i, float dy) {
        const float share = coefficients[by_len.quotient(i)].y;
        return dy * (second ? 1.0f - share : share);
    };
    map_onto(n, dx, accumulate, d, dy);
}

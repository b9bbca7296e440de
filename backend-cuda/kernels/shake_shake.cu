// Two branches mixed sample by sample (Gastaldi 2017), and what of the gradient each of them has.
#include "divisor.cuh"
#include "element.cuh"

// y[n, i] = alpha a[n, i] + (1 - alpha) b[n, i].
extern "C" __global__ void __launch_bounds__(256) KERNEL(shake_shake_forward)(
    const Element* a, const Element* b, unsigned int n, const Divisor by_len, const float2* coefficients, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float share = coefficients[by_len.quotient(i)].x;
    y[i] = share * a[i] + (1.0f - share) * b[i];
}

// dx[n, i] = beta dy[n, i] for the first branch, (1 - beta) dy[n, i] for the second; written, or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(shake_shake_backward)(
    const Element* dy, unsigned int n, const Divisor by_len, const float2* coefficients, int second, int accumulate,
    Element* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float share = coefficients[by_len.quotient(i)].y;
    const float d = dy[i] * (second ? 1.0f - share : share);
    dx[i] = accumulate ? dx[i] + d : d;
}

// The filters' gradient in single precision.
#include "conv_weight_gradient.cuh"

// Blocks: rows of tiles, columns of tiles, slices.
extern "C" __global__ void __launch_bounds__(Floats<Wide>::Tile::THREADS) conv_weight_gradient_wide(
    const float* x, const float* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Floats<Wide>::Shared shared;
    weight_gradient<Floats<Wide>>(shared, x, dy, conv, slice, dw);
}

extern "C" __global__ void __launch_bounds__(Floats<Narrow>::Tile::THREADS) conv_weight_gradient_narrow(
    const float* x, const float* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Floats<Narrow>::Shared shared;
    weight_gradient<Floats<Narrow>>(shared, x, dy, conv, slice, dw);
}

// dw[i] = sum of the slices' gradients, first to last.
extern "C" __global__ void __launch_bounds__(256) sum_slices(
    const float* partials, unsigned int n, unsigned int slices, float* dw) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = 0.0f;
    for (unsigned int slice = 0; slice < slices; slice++) sum += partials[slice * n + i];
    dw[i] = sum;
}

// The input's gradient in single precision.
#include "conv_input_gradient.cuh"

// Writes dx, or adds to it. Blocks: rows of tiles, columns of tiles.
extern "C" __global__ void __launch_bounds__(Floats<Wide>::Tile::THREADS) conv_input_gradient_wide(
    const float* dy, const float* w, const Conv conv, int accumulate, float* dx) {
    __shared__ Floats<Wide>::Shared shared;
    input_gradient<Floats<Wide>>(shared, dy, w, conv, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(Floats<Narrow>::Tile::THREADS) conv_input_gradient_narrow(
    const float* dy, const float* w, const Conv conv, int accumulate, float* dx) {
    __shared__ Floats<Narrow>::Shared shared;
    input_gradient<Floats<Narrow>>(shared, dy, w, conv, accumulate, dx);
}

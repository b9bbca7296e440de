// The forward product in single precision.
#include "conv_forward.cuh"

// `bias` may be null. Blocks: rows of tiles, columns of tiles.
extern "C" __global__ void __launch_bounds__(Floats<Wide>::Tile::THREADS) conv_forward_wide(
    const float* x, const float* w, const float* bias, const Conv conv, float* y) {
    __shared__ Floats<Wide>::Shared shared;
    forward<Floats<Wide>>(shared, x, w, bias, conv, y);
}

extern "C" __global__ void __launch_bounds__(Floats<Narrow>::Tile::THREADS) conv_forward_narrow(
    const float* x, const float* w, const float* bias, const Conv conv, float* y) {
    __shared__ Floats<Narrow>::Shared shared;
    forward<Floats<Narrow>>(shared, x, w, bias, conv, y);
}

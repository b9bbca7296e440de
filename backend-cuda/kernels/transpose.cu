// Filters in f32.
#include "transpose.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) transpose(
    const float* from, unsigned int rows, unsigned int columns, float* to) {
    __shared__ Tile tile;
    transposed(tile, from, rows, columns, to);
}

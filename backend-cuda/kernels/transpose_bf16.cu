// Filters for a library that takes them in bf16, and their gradient as it gives that.
#include "element.cuh"
#include "transpose.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) transpose_to_bf16(
    const float* from, unsigned int rows, unsigned int columns, Bfloat16* to) {
    __shared__ Tile tile;
    transposed(tile, from, rows, columns, to);
}

extern "C" __global__ void __launch_bounds__(THREADS) transpose_from_bf16(
    const Bfloat16* from, unsigned int rows, unsigned int columns, float* to) {
    __shared__ Tile tile;
    transposed(tile, from, rows, columns, to);
}

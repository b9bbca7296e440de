// to[j, i] = from[i, j]: through a tile in shared memory, so that both sides are touched in the order in which they lie.
// Filters as a library wants them, and their gradient back.
#pragma once

constexpr unsigned int TILE = 32, THREADS = 256, LINES = THREADS / TILE;

// A column more, or a warp that reads down would ask one bank for all its words.
using Tile = float[TILE][TILE + 1];

template <class From, class To>
static __device__ void transposed(Tile& tile, const From* from, unsigned int rows, unsigned int columns, To* to) {
    const unsigned int lane = threadIdx.x % TILE, line = threadIdx.x / TILE;
    const unsigned int row = blockIdx.x * TILE, column = blockIdx.y * TILE;
    for (unsigned int i = line; i < TILE; i += LINES)
        if (row + i < rows && column + lane < columns) tile[i][lane] = from[(row + i) * columns + column + lane];
    __syncthreads();
    for (unsigned int i = line; i < TILE; i += LINES)
        if (column + i < columns && row + lane < rows) to[(column + i) * rows + row + lane] = tile[lane][i];
}

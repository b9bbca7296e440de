// to[j, i] = from[i, j]: through a tile in shared memory, so that both sides are touched in the order in which they lie.
// Filters as a library wants them, and their gradient back.

constexpr unsigned int TILE = 32, THREADS = 256, LINES = THREADS / TILE;

extern "C" __global__ void __launch_bounds__(THREADS) transpose(
    const float* from, unsigned int rows, unsigned int columns, float* to) {
    // A column more, or a warp that reads down would ask one bank for all its words.
    __shared__ float tile[TILE][TILE + 1];
    const unsigned int lane = threadIdx.x % TILE, line = threadIdx.x / TILE;
    const unsigned int row = blockIdx.x * TILE, column = blockIdx.y * TILE;
    for (unsigned int i = line; i < TILE; i += LINES)
        if (row + i < rows && column + lane < columns) tile[i][lane] = from[(row + i) * columns + column + lane];
    __syncthreads();
    for (unsigned int i = line; i < TILE; i += LINES)
        if (column + i < columns && row + lane < rows) to[(column + i) * rows + row + lane] = tile[lane][i];
}

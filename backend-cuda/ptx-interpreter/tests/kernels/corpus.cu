// Kernels of the shapes that networks need, for the interpreter's tests. corpus.ptx is made from this file:
//   nvcc -ptx -arch=compute_75 -O3 corpus.cu -o corpus.ptx

// C = A B, row by row, in tiles of 16 x 16 through shared memory. A is m x k, B is k x n.
extern "C" __global__ void matrix_product(const float *a, const float *b, float *c, int m, int n, int k) {
    __shared__ float left[16][16], right[16][17];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
    float sum = 0.0f;
    for (int start = 0; start < k; start += 16) {
        left[y][x] = row < m && start + x < k ? a[row * k + start + x] : 0.0f;
        right[y][x] = column < n && start + y < k ? b[(start + y) * n + column] : 0.0f;
        __syncthreads();
        for (int i = 0; i < 16; i++) sum = fmaf(left[y][i], right[i][x], sum);
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

// Softmax of each row of `width` numbers, one block of 2^i threads a row, dynamic shared memory of one float a thread.
extern "C" __global__ void softmax(const float *z, float *p, int width) {
    extern __shared__ float scratch[];
    const float *row = z + blockIdx.x * width;
    float largest = -INFINITY, sum = 0.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) largest = fmaxf(largest, row[i]);
    scratch[threadIdx.x] = largest;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) scratch[threadIdx.x] = fmaxf(scratch[threadIdx.x], scratch[threadIdx.x + half]);
        __syncthreads();
    }
    largest = scratch[0];
    __syncthreads();
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += expf(row[i] - largest);
    scratch[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
        __syncthreads();
    }
    for (int i = threadIdx.x; i < width; i += blockDim.x) p[blockIdx.x * width + i] = expf(row[i] - largest) / scratch[0];
}

// Sum of squares in double precision: shuffles in a warp, an atomic for each warp.
extern "C" __global__ void sum_of_squares(const float *x, double *out, int n) {
    double sum = 0.0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += (double)x[i] * x[i];
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffffu, sum, distance);
    if (threadIdx.x % 32 == 0) atomicAdd(out, sum);
}

// Patches of size 3 x 3 with zeros around, as columns: (channels * 9) x (height * width).
extern "C" __global__ void patches(const float *x, float *out, int channels, int height, int width) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= channels * 9 * height * width) return;
    int column = i % width, row = i / width % height, tap = i / (width * height) % 9, channel = i / (width * height * 9);
    int r = row + tap / 3 - 1, c = column + tap % 3 - 1;
    bool inside = r >= 0 && r < height && c >= 0 && c < width;
    out[i] = inside ? x[(channel * height + r) * width + c] : 0.0f;
}

// Functions of the CUDA library: what their PTX computes is the library's business, what it gives is known.
extern "C" __global__ void functions(const float *x, float *out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    out[i] = expf(v);
    out[n + i] = logf(fabsf(v) + 1.0f);
    out[2 * n + i] = sinf(v * 1000.0f);
    out[3 * n + i] = powf(fabsf(v) + 0.5f, 1.7f);
    out[4 * n + i] = tanhf(v);
    out[5 * n + i] = (float)exp((double)v);
    out[6 * n + i] = erff(v);
    out[7 * n + i] = cbrtf(v);
}

// A histogram of bytes in shared memory, kept in a local array first.
extern "C" __global__ void histogram(const unsigned char *x, unsigned *out, int n) {
    __shared__ unsigned bins[8];
    unsigned mine[8] = {};
    if (threadIdx.x < 8) bins[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) mine[x[i] & 7]++;
    for (int b = 0; b < 8; b++) atomicAdd(&bins[b], mine[b]);
    __syncthreads();
    if (threadIdx.x < 8) out[threadIdx.x] = bins[threadIdx.x];
}

// Sums over the rows of a matrix whose columns are channels: blocks of 32 channels and CHUNK rows, whose results another
// kernel puts together. The order depends on the shape alone. Pixels are rows: tensors are channels last.
#pragma once

constexpr int CHANNELS = 32;  // of a block, one a thread across
constexpr int LANES = 8;      // rows that a block reads at a time
constexpr int THREADS = CHANNELS * LANES;
constexpr unsigned int CHUNK = 512;  // rows of a block; the host's number is the same

// This thread's channel and lane.
static __device__ unsigned int channel() { return blockIdx.y * CHANNELS + threadIdx.x % CHANNELS; }
static __device__ unsigned int lane() { return threadIdx.x / CHANNELS; }

// The lanes' values of each channel joined pairwise; the result is valid in lane 0.
template <class T, class Join>
static __device__ T fold_lanes(T value, T* shared, Join join) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int half = LANES / 2; half > 0; half /= 2) {
        if (lane() < half) shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half * CHANNELS]);
        __syncthreads();
    }
    return shared[threadIdx.x % CHANNELS];
}

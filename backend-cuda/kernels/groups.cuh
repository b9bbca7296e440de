// The sums of columns.cuh over activations: a thread has as many neighbouring channels as sixteen bytes hold, and reads them at once
// where rows begin at multiples of that. What is added to what, and in which order, is the same.
#pragma once

#include "columns.cuh"
#include "element.cuh"
#include "vector.cuh"

constexpr int NEIGHBOURS = VECTOR<Element>;
constexpr int ACROSS = CHANNELS / NEIGHBOURS;
constexpr int SWEEPING = ACROSS * LANES;  // threads of a block; the host's side is `columns::sweep`

// This thread's first channel, its place in the block, and its lane.
static __device__ unsigned int first_channel() { return blockIdx.y * CHANNELS + threadIdx.x % ACROSS * NEIGHBOURS; }
static __device__ unsigned int sweeping_lane() { return threadIdx.x / ACROSS; }

// Whether all rows of these tensors can be read so.
template <class... T>
static __device__ bool in_groups(unsigned int channels, const T*... tensors) {
    return channels % NEIGHBOURS == 0 && aligned(tensors...);
}

// This thread's channels of a row, from `c` on, of which there is one; zeros beyond the last.
static __device__ void read_channels(
    const Element* row, unsigned int c, unsigned int channels, bool grouped, float (&values)[NEIGHBOURS]) {
    if (grouped) {
        Group<Element, NEIGHBOURS> group;
        group.read(row + c);
#pragma unroll
        for (int j = 0; j < NEIGHBOURS; j++) values[j] = group.at[j];
    } else {
#pragma unroll
        for (int j = 0; j < NEIGHBOURS; j++) values[j] = c + j < channels ? float(row[c + j]) : 0.0f;
    }
}

// The lanes' values of each channel joined pairwise, and handed to `take(channel, value)` by lane 0.
template <class T, class Join, class Take>
static __device__ void fold_groups(
    const T (&own)[NEIGHBOURS], T (&shared)[LANES][CHANNELS], unsigned int channels, Join join, Take take) {
    const unsigned int lane = sweeping_lane(), first = threadIdx.x % ACROSS * NEIGHBOURS;
#pragma unroll
    for (int j = 0; j < NEIGHBOURS; j++) shared[lane][first + j] = own[j];
    __syncthreads();
    for (unsigned int half = LANES / 2; half > 0; half /= 2) {
        if (lane < half)
            for (int j = 0; j < NEIGHBOURS; j++)
                shared[lane][first + j] = join(shared[lane][first + j], shared[lane + half][first + j]);
        __syncthreads();
    }
    if (lane != 0) return;
    for (int j = 0; j < NEIGHBOURS; j++)
        if (first_channel() + j < channels) take(first_channel() + j, shared[0][first + j]);
}

// Neighbouring channels of a pixel, as many a thread as sixteen bytes hold of activations: where they come from or go to is then found
// once for all of them. One by one where pixels do not begin at multiples of sixteen bytes. The bits are the same.
#pragma once

#include "element.cuh"
#include "vector.cuh"

// How many a thread has at a time.
template <unsigned int COUNT>
struct Neighbours {
    static constexpr unsigned int count = COUNT;
};

// Whether pixels of these numbers of channels in these tensors begin so.
template <class... T>
static __device__ bool in_neighbours(unsigned int channels, const T*... tensors) {
    return channels % VECTOR<Element> == 0 && aligned(tensors...);
}

// Calls `f(first, Neighbours<COUNT>())` so that each of n entries is one of the COUNT from a first one on. The host's side is
// `Grid::vectors`.
template <class F>
static __device__ void each_neighbours(unsigned int n, bool grouped, F f) {
    constexpr unsigned int COUNT = VECTOR<Element>;
    const unsigned int thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (grouped) {
        if (thread < n / COUNT) f(thread * COUNT, Neighbours<COUNT>());
    } else {
        for (unsigned int i = thread; i < n; i += gridDim.x * blockDim.x) f(i, Neighbours<1>());
    }
}

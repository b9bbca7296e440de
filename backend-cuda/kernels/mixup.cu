// Mixup (Zhang et al. 2018): images mixed in pairs, in the host's order of operations (compiled without contraction): its bits.
#include "divisor.cuh"

// Sample i becomes `first` of itself and `second` of sample partners[i].
extern "C" __global__ void __launch_bounds__(256) mixup_images(
    const float* from, const unsigned int* partners, unsigned int n, const Divisor by_len, float first, float second,
    float* to) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int place = i;
    const unsigned int sample = by_len.split(place);
    to[i] = first * from[i] + second * from[partners[sample] * by_len.divisor + place];
}

// The labels of the partners.
extern "C" __global__ void __launch_bounds__(256) mixup_labels(
    const unsigned int* labels, const unsigned int* partners, unsigned int n, unsigned int* to) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) to[i] = labels[partners[i]];
}

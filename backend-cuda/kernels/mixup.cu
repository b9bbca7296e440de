// Mixup (Zhang et al. 2018): images mixed in pairs, in the host's order of operations (compiled without contraction): its bits.
#include "divisor.cuh"
#include "vector.cuh"

// Sample i becomes `first` of itself and `second` of sample partners[i].
extern "C" __global__ void __launch_bounds__(256) mixup_images(
    const float* from, const unsigned int* partners, unsigned int n, const Divisor by_len, float first, float second,
    float* to) {
    constexpr unsigned int COUNT = VECTOR<float>;
    const unsigned int at = (blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
    // Samples begin at multiples of sixteen bytes, or their values go one by one.
    const bool whole = by_len.divisor % COUNT == 0 && aligned(from, to);
    for (unsigned int i = at; i < n && i < at + COUNT; i++) {
        unsigned int place = i;
        const unsigned int sample = by_len.split(place);
        const float* const partner = from + partners[sample] * by_len.divisor + place;
        if (whole) {
            Group<float, COUNT> own, other;
            own.read(from + i);
            other.read(partner);
#pragma unroll
            for (unsigned int j = 0; j < COUNT; j++) own.at[j] = first * own.at[j] + second * other.at[j];
            own.write(to + i);
            return;
        }
        to[i] = first * from[i] + second * *partner;
    }
}

// The labels of the partners.
extern "C" __global__ void __launch_bounds__(256) mixup_labels(
    const unsigned int* labels, const unsigned int* partners, unsigned int n, unsigned int* to) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) to[i] = labels[partners[i]];
}
